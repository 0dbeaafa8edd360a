"""How a run ended, as its display and programs tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from campaign_cli.model.errors import ExitCode
from campaign_cli.model.lifecycle import UNFINISHED, State


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended. `states` counts the rows of the list by state: their sum is the number of rows."""

    name: str
    exit_code: ExitCode
    states: dict[str, int]
    attempts: int
    seconds: float
    report: str
    stopped: str
    next_due: float | None

    @property
    def rows(self) -> int:
        """Rows in the list."""
        return sum(self.states.values())

    @property
    def remaining(self) -> int:
        """Recipients that have no final result yet."""
        return sum(self.states.get(state, 0) for state in UNFINISHED)


def exit_code(states: Mapping[str, int], *, interrupted: bool) -> ExitCode:
    """What a run ends with that leaves so many recipients in each state; `interrupted`: by a signal."""
    if interrupted:
        return ExitCode.INTERRUPTED
    if any(states.get(state) for state in UNFINISHED):
        return ExitCode.REMAINING
    if states.get(State.FAILED) or states.get(State.UNCERTAIN):
        return ExitCode.INCOMPLETE
    return ExitCode.DONE
