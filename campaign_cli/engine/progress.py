"""How far a run is: plain counters that its lanes keep and that a display reads whenever it likes."""

from __future__ import annotations

from dataclasses import dataclass, field

from campaign_cli.model.lifecycle import State


@dataclass(slots=True)
class LaneProgress:
    """One lane. Times are UTC seconds; `waiting_until` is 0.0 while it does not wait."""

    provider: str
    total: int
    pace: str
    delivered: int = 0
    bounced: int = 0
    deferred: int = 0
    expired: int = 0
    uncertain: int = 0
    failed: int = 0
    attempts: int = 0
    sessions: int = 0
    waiting_until: float = 0.0
    waiting_for: str = ""
    finished: bool = False

    @property
    def settled(self) -> int:
        """Recipients that have a final result by this run."""
        return self.delivered + self.bounced + self.expired + self.uncertain + self.failed

    @property
    def results(self) -> int:
        """Transactions of this run that ended in a result, final or not."""
        return self.settled + self.deferred

    def count(self, state: State) -> None:
        """A transaction ended in `state`."""
        setattr(self, state, getattr(self, state) + 1)


@dataclass(slots=True)
class Progress:
    """The run: its lanes, the largest first, and what it is doing besides.

    `expected_end` is when the limits let it be done, `whole_end` when everybody is: later, where some are for later
    runs. UTC seconds.
    """

    started_at: float
    lanes: list[LaneProgress] = field(default_factory=list)
    expected_end: float = 0.0
    whole_end: float = 0.0
    stopping: str = ""

    @property
    def total(self) -> int:
        """Recipients the run found to do."""
        return sum(lane.total for lane in self.lanes)

    @property
    def settled(self) -> int:
        """Recipients that have a final result by this run."""
        return sum(lane.settled for lane in self.lanes)
