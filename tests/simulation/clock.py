"""A simulated clock: where an event loop would wait, the time it would have waited for is over at once."""

import asyncio
import selectors
import time
from collections.abc import Callable
from typing import Any

import pytest

from campaign_cli.ledger import clock as budget_clock

STARTS = 1_800_000_000.0
"""UTC seconds at which every simulation begins."""


class Clock:
    """Seconds that pass only in loops made by `loop`. Takes the place of all clocks the lane goes by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        monkeypatch.setattr(time, "time", lambda: STARTS + self.seconds)
        monkeypatch.setattr(time, "monotonic", lambda: 1000.0 + self.seconds)
        monkeypatch.setattr(budget_clock, "boot_seconds", lambda: 1000.0 + self.seconds)

    def loop(self, busy: Callable[[], bool]) -> asyncio.AbstractEventLoop:
        """A loop whose timers go by this clock. While a thread is `busy` for it, it waits as any loop does."""
        clock = self

        class Selector(selectors.DefaultSelector):
            def select(self, timeout: float | None = None) -> list[Any]:
                if (events := super().select(0)) or timeout == 0:
                    return events
                if busy() or timeout is None:
                    return super().select(10.0)
                clock.seconds += timeout
                return []

        class Loop(asyncio.SelectorEventLoop):
            def time(self) -> float:
                return clock.seconds

        return Loop(Selector())
