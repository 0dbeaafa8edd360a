"""How large the crash tests are, and the figures that they end with."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.crash.scene import SPEECHES, Oracle, Scene

FIGURES = pytest.StashKey[dict[str, Counter[str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("crash")
    group.addoption("--kills", type=int, default=30, help="kills at random")
    group.addoption("--power-losses", type=int, default=150, help="moments at which the power fails")
    group.addoption("--seed", type=int, default=None, help="what chance starts from")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = {}


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
