"""How large the crash tests are, and the figures that they end with."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from tests.crash.breaking import DISK, LOG
from tests.crash.failing import STEPS
from tests.crash.migrating import statements_of_migrations
from tests.crash.scene import SPEECHES, Oracle, Scene

SPOKEN = ("pipelining", "chunking", "one-by-one")

FIGURES = pytest.StashKey[dict[str, Counter[str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("crash")
    group.addoption("--kills", type=int, default=30, help="kills at random")
    group.addoption("--power-losses", type=int, default=150, help="moments at which the power fails")
    group.addoption("--rounds", type=int, default=2, help="rounds of twenty simultaneous starts")
    group.addoption("--examples", type=int, default=40, help="lives of a ledger that are made up")
    group.addoption("--soak", type=int, default=0, help="seconds at full speed")
    group.addoption("--long", action="store_true", help="everything at every step")
    group.addoption("--seed", type=int, default=None, help="what chance starts from")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What only the long form has."""
    wanted = {
        "test_soak.py": bool(config.getoption("soak")),
        "test_faketime.py": "CRASH_LIBFAKETIME" in os.environ,
    }
    return True if not wanted.get(collection_path.name, True) else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Something at each step. In the short form each step is spoken by one of three, and what is not a kill happens at
    every third step; in the long form there is everything."""
    if "step" in metafunc.fixturenames:
        test = metafunc.function.__name__
        every, first = (1, 0) if test.startswith("test_killed") else (3, crc32(test.encode()) % 3)
        cases = [
            pytest.param(speech, step, id=f"{step.replace(' ', '-')}-{speech}")
            for place, step in enumerate(STEPS)
            for turn, speech in enumerate(SPOKEN)
            if metafunc.config.getoption("long") or (place % every == first and place // every % 3 == turn)
        ]
        metafunc.parametrize(("speech", "step"), cases)
    if "statement" in metafunc.fixturenames:
        # Each statement of the migrations is one to be killed at; in the short form, a few of them.
        last = statements_of_migrations()
        test = metafunc.function.__name__
        few = (1, last // 3, last // 2, last) if test.startswith("test_killed") else (last // 2,)
        metafunc.parametrize("statement", range(1, last + 1) if metafunc.config.getoption("long") else few)
    if "turn" in metafunc.fixturenames:
        # What fails from its first call on; in the long form, also from one of its later ones on, again and again.
        turns = range(10) if metafunc.config.getoption("long") else range(2)
        cases = [
            pytest.param(place, turn, id=f"{place.replace(' ', '-')}-{turn}")
            for number, place in enumerate(DISK)
            for turn in turns
            if len(turns) > 2 or turn == number % 2 or place == LOG
        ]
        metafunc.parametrize(("place", "turn"), cases)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = {}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """One of several processes hands its figures over."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["crash figures"] = {name: dict(counts) for name, counts in session.config.stash[FIGURES].items()}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """To the one that shows them: of what is the most, the most; of all else the sum."""
    for name, counts in getattr(node, "workeroutput", {}).get("crash figures", {}).items():
        whole = node.config.stash[FIGURES].setdefault(name, Counter())
        for what, n in counts.items():
            whole[what] = max(whole[what], n) if "most" in what else whole[what] + n


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    figures = terminalreporter.config.stash[FIGURES]
    if figures:
        terminalreporter.section("crash tests: figures")
        width = max(map(len, figures))
        for name, counts in figures.items():
            terminalreporter.line(f"{name:<{width}}  " + ", ".join(f"{what} {n:,}" for what, n in counts.items()))


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Callable[[str], Counter[str]]:
    """Counters by name, which the session ends with."""
    return lambda name: request.config.stash[FIGURES].setdefault(name, Counter())


@pytest.fixture(scope="session")
def seed(request: pytest.FixtureRequest) -> int:
    """What chance starts from, to be given again with --seed where a test failed."""
    given = request.config.getoption("seed")
    return random.randrange(10**9) if given is None else given


@pytest.fixture
def make_scene(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    """Makes a campaign with an oracle of its own."""
    with ExitStack() as running:

        def make(speech: str, connections: int, *, oracle: tuple[str, ...] = (), **more: Any) -> Scene:
            folder = tmp_path / f"scene{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            spoken = SPEECHES[speech]
            judge = running.enter_context(Oracle(folder, *spoken.offers, *oracle))
            return Scene(folder, judge, speech=spoken, connections=connections, **more)

        yield make
