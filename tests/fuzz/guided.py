"""One target under Atheris (libFuzzer), which goes on from inputs that reach code no other did.

`python -m tests.fuzz.guided TARGET MINUTES FOLDER`: the first input that breaks a law ends it, is left in FOLDER, and
is said as small as it can be.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["campaign_cli"]):
    from tests.fuzz import headers, lists, policies, replies, settings

from tests.fuzz.mutation import LONGEST, mutated, smallest

TARGETS = {"headers": headers, "lists": lists, "policies": policies, "replies": replies, "settings": settings}

MEMORY, SLOWEST = 1024, 20
"""Megabytes, and seconds for one input, from which on it counts as broken."""


def main(name: str, minutes: str, folder: str) -> None:
    target, random = TARGETS[name], Random(name)
    corpus = Path(folder, name, "corpus")
    corpus.mkdir(parents=True, exist_ok=True)
    for number, sample in enumerate(target.SAMPLES):
        (corpus / f"sample-{number}").write_bytes(sample)

    def changed(octets: bytes, most: int, seed: int) -> bytes:
        random.seed(seed)
        if random.random() < 0.5:
            return bytes(atheris.Mutate(octets, most))
        return mutated(octets, random, target.SAMPLES, target.TOKENS)[:most]

    def check(octets: bytes) -> None:
        try:
            target.check(octets)
        except Exception:
            print(f"the smallest such input: {smallest(octets, lambda less: _broken(target.check, less))!r}")
            raise

    bounds = [f"-max_total_time={round(float(minutes) * 60)}", f"-rss_limit_mb={MEMORY}", f"-timeout={SLOWEST}"]
    where = [f"-artifact_prefix={folder}/{name}/", f"-max_len={LONGEST}", "-print_final_stats=1", str(corpus)]
    atheris.Setup([sys.argv[0], *bounds, *where], check, custom_mutator=changed)
    atheris.Fuzz()


def _broken(check: Callable[[bytes], None], octets: bytes) -> bool:
    try:
        check(octets)
    except Exception:
        return True
    return False


if __name__ == "__main__":
    main(*sys.argv[1:])
