"""One committer for a run: everything that wants to be durable at about the same time becomes so together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

from campaign_cli.ledger.changes import Change
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.model.errors import CampaignError, ResourceError, StateError

GATHER = 0.0005
"""Seconds to gather changes before a commit, when the disk is free: at once would sync single changes."""


class Committer:
    """Gathers changes to a ledger and commits them in the order they came, many at a time.

    The disk syncs one commit while the next is gathered. A commit or a sync that fails stops everything: it is told
    once to `failed`, nothing waits for it, and none is tried again.
    """

    def __init__(self, ledger: Ledger, failed: Callable[[CampaignError], None]) -> None:
        self._ledger = ledger
        self._failed = failed
        self._changes: list[Change] = []
        self._waiting: list[Callable[[], None]] = []
        self._committed: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._syncing = False
        self._broken = False
        # What waits for the sync that is asked for; None: the last has been asked for.
        self._asked: SimpleQueue[list[Callable[[], None]] | None] = SimpleQueue()
        self._syncer: Thread | None = None

    def submit(self, change: Change, durable: Callable[[], None] | None = None) -> None:
        """Have `change` made; `durable` is called when it is on disk."""
        self._changes.append(change)
        if durable:
            self._waiting.append(durable)
        if self._timer is None and not self._syncing:
            self._timer = asyncio.get_running_loop().call_later(GATHER, self._turn)

    def commit(self) -> None:
        """Commit what has been gathered, so that it can be read. On disk it is a little later."""
        changes, self._changes = self._changes, []
        waiting, self._waiting = self._waiting, []
        if changes and not self._broken:
            try:
                self._ledger.commit(changes)
            except CampaignError as error:
                self._fail(error)
            except BaseException:
                # Whatever it was: what was not committed must never be taken for durable.
                self._broken = True
                raise
        self._committed += waiting

    def abandon(self) -> None:
        """Commit nothing any more, and call nothing durable: what has been gathered is lost, as in a crash."""
        self._broken = True

    def close(self) -> None:
        """Commit and sync what is left. Nobody is told that it is durable."""
        if self._timer is not None:
            self._timer.cancel()
        self.commit()
        if self._syncer is not None:
            self._asked.put(None)
            self._syncer.join()
        if not self._broken:
            try:
                self._ledger.sync()
            except StateError as error:
                self._fail(error)

    def _turn(self) -> None:
        self._timer = None
        self.commit()
        if self._broken:
            return
        waiting, self._committed = self._committed, []
        if self._syncer is None:
            loop = asyncio.get_running_loop()
            syncer = Thread(target=self._sync_as_asked, args=(loop,), name="sync", daemon=True)
            try:
                syncer.start()
            except RuntimeError as error:
                self._fail(ResourceError(f"no thread can be started to write to the disk: {error}"))
                return
            self._syncer = syncer
        self._syncing = True
        self._asked.put(waiting)

    def _sync_as_asked(self, loop: asyncio.AbstractEventLoop) -> None:
        while (waiting := self._asked.get()) is not None:
            error: Exception | None = None
            try:
                self._ledger.sync()
            except Exception as failure:
                error = failure
            loop.call_soon_threadsafe(self._synced, error, waiting)

    def _synced(self, error: Exception | None, waiting: list[Callable[[], None]]) -> None:
        self._syncing = False
        if isinstance(error, CampaignError):
            self._fail(error)
            return
        if error is not None:
            self._broken = True
            raise error
        if self._broken:
            return
        for durable in waiting:
            durable()
        if (self._changes or self._committed) and self._timer is None:
            self._turn()

    def _fail(self, error: CampaignError) -> None:
        if not self._broken:
            self._broken = True
            self._failed(error)
