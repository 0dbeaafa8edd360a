"""One committer for a run: everything that wants to be durable at about the same time becomes so together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from campaign_cli.ledger.changes import Change
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.model.errors import StateError

GATHER = 0.0005
"""Seconds to gather changes before a commit. Measured with 20 sessions: at once wastes fsyncs on single changes,
2 ms leaves every session waiting for its mark."""


class Committer:
    """Gathers changes to a ledger and commits them in the order they came, many at a time.

    A commit that fails stops everything: it is told once to `failed`, nothing waits for it, and none is tried again.
    """

    def __init__(self, ledger: Ledger, failed: Callable[[StateError], None]) -> None:
        self._ledger = ledger
        self._failed = failed
        self._changes: list[Change] = []
        self._waiting: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._broken = False

    def submit(self, change: Change, durable: Callable[[], None] | None = None) -> None:
        """Have `change` made; `durable` is called when it is on disk."""
        self._changes.append(change)
        if durable:
            self._waiting.append(durable)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER, self.flush)

    def flush(self) -> None:
        """Commit what has been gathered now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        changes, self._changes = self._changes, []
        waiting, self._waiting = self._waiting, []
        if not changes or self._broken:
            return
        try:
            self._ledger.commit(changes)
        except StateError as error:
            self._broken = True
            self._failed(error)
            return
        for durable in waiting:
            durable()
