"""What a run finds out: what was measured in every round, what it is compared with, and what it should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Literal


class BenchmarkError(Exception):
    """A run that gives no figure: something failed, or not every message was delivered."""


class UnavailableError(Exception):
    """A peer that cannot be had here, and why."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a figure should be: its ratio to the peer's, its difference from it, or itself."""

    of: Literal["ratio", "difference", "figure"]
    bound: float
    at_most: bool = False

    def met(self, value: float) -> bool:
        """Whether `value` is within it."""
        return value <= self.bound if self.at_most else value >= self.bound


@dataclass(frozen=True, slots=True)
class Series:
    """One thing measured, round by round; without rounds, `trouble` says why there is none."""

    who: str
    rounds: tuple[float, ...] = ()
    trouble: str = ""

    @property
    def value(self) -> float | None:
        """The median of the rounds."""
        return median(self.rounds) if self.rounds and not self.trouble else None


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: ours, a peer's where there is one, and the aim where there is one."""

    benchmark: str
    what: str
    unit: str
    ours: Series
    peer: Series | None = None
    aim: Aim | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours by the peer's."""
        return self._pair(lambda ours, theirs: ours / theirs)

    @property
    def difference(self) -> float | None:
        """Ours less the peer's."""
        return self._pair(lambda ours, theirs: ours - theirs)

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None without an aim, or without a figure to hold to it."""
        if self.aim is None:
            return None
        value = {"ratio": self.ratio, "difference": self.difference, "figure": self.ours.value}[self.aim.of]
        return None if value is None else self.aim.met(value)

    @property
    def failed(self) -> bool:
        """Whether a figure is missing for another reason than that a peer cannot be had."""
        return bool(self.ours.trouble or (self.peer and self.peer.trouble.startswith(FAILED)))

    def _pair(self, of: Callable[[float, float], float]) -> float | None:
        ours, theirs = self.ours.value, self.peer.value if self.peer else None
        return None if ours is None or theirs is None else of(ours, theirs)


@dataclass(frozen=True, slots=True)
class Result:
    """What one benchmark found: rows for the table, and whatever else belongs into the JSON."""

    rows: list[Row]
    details: dict[str, object] = field(default_factory=dict)


FAILED = "failed: "

Measure = Callable[[], float]


def alternated(contestants: Mapping[str, Measure | str], rounds: int, tell: Callable[[str], None]) -> dict[str, Series]:
    """Measure all in turns, A B A B: what the machine does to one it does to all.

    A contestant that is a text cannot be had, and the text says why. One that fails is left out from then on.
    """
    found: dict[str, list[float]] = {who: [] for who in contestants}
    troubles = {who: measure for who, measure in contestants.items() if isinstance(measure, str)}
    for number in range(rounds):
        for who, measure in contestants.items():
            if who in troubles or isinstance(measure, str):
                continue
            try:
                found[who].append(measure())
                tell(f"  round {number + 1}: {who}: {found[who][-1]:,.1f}")
            except BenchmarkError as error:
                troubles[who] = f"{FAILED}{error}"
                tell(f"  round {number + 1}: {who}: {troubles[who]}")
    return {who: Series(who, tuple(found[who]), troubles.get(who, "")) for who in contestants}
