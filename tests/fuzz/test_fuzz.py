"""The short run: what was found before, the samples, and some hundred changes of them, the same every time."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random
from types import ModuleType

import pytest

from tests.fuzz import headers, lists, policies, replies, settings
from tests.fuzz.mutation import mutated

FOUND = Path(__file__).parent / "found"

INPUTS = {replies: 500, headers: 250, settings: 150, policies: 2000, lists: 60}
"""A target's inputs: two seconds or so. A spreadsheet is read in a process of its own."""

LONGEST = 10.0
"""Seconds for one input, on a machine that is busy with other things; the usual one takes a thousandth."""

TARGETS = pytest.mark.parametrize("target", INPUTS, ids=lambda target: target.__name__.rpartition(".")[2])


@TARGETS
def test_every_input_keeps_the_laws(target: ModuleType) -> None:
    random = Random(1)
    for sample in target.SAMPLES:
        target.check(sample)
    for _ in range(INPUTS[target]):
        octets = mutated(random.choice(target.SAMPLES), random, target.SAMPLES, target.TOKENS)
        began = time.monotonic()
        try:
            target.check(octets)
        except Exception as error:
            error.add_note(f"the input: {octets[:1000]!r}")
            raise
        assert time.monotonic() - began < LONGEST, octets


@pytest.mark.parametrize("path", sorted(FOUND.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_was_found_is_mended(path: Path) -> None:
    target = {module.__name__.rpartition(".")[2]: module for module in INPUTS}[path.parent.name]
    target.check(path.read_bytes())
