"""What stops a run: a signal, a moment, an error that it cannot go on with, or one that nobody expects."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from signal import Signals
from typing import Any

from campaign_cli.engine.lane import LONGEST_REST
from campaign_cli.engine.lanes import Lanes
from campaign_cli.engine.preparation import Prepared
from campaign_cli.engine.progress import Progress
from campaign_cli.ledger.committer import Committer
from campaign_cli.model.duration import format_duration
from campaign_cli.model.errors import CampaignError
from campaign_cli.model.result import Result


class Stop:
    """Whether a run is to end, and why; ends what its lanes do. What that leads to is said by `tell`, to who has sent
    a signal by `answer`.

    The first signal stops the sending in good order, the next one stops it at once. One more while the report is
    written, or a second one if none has come before, raises KeyboardInterrupt: the report is as it was.
    """

    def __init__(
        self,
        prepared: Prepared,
        lanes: Lanes,
        progress: Progress,
        *,
        tell: Callable[[str], None],
        answer: Callable[[str], None],
    ) -> None:
        self._name, self._report = prepared.name, prepared.report
        self._lanes = lanes
        self._progress = progress
        self._tell = tell
        self._answer = answer
        self.why = ""
        """In words; "" for an error, or while it goes on."""
        self.error: CampaignError | None = None
        self.unexpected: Exception | None = None
        """What a callback raised, which nobody waits for."""
        self._signals = 0
        self._leaving = False
        self._loop: asyncio.AbstractEventLoop | None = None
        """While it sends."""
        self._timers: dict[str, asyncio.TimerHandle] = {}
        """By why they stop it."""

    @property
    def decided(self) -> bool:
        """Whether it is to end."""
        return bool(self.why or self.error)

    @property
    def interrupted(self) -> bool:
        """Whether a signal has come."""
        return self._signals > 0

    @contextmanager
    def while_sending(self, committer: Committer) -> Iterator[None]:
        """While the block runs, in a task of its own, signals are heard between the event loop's steps, and what a
        callback raises ends that task."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(partial(self._raised, committer, asyncio.current_task()))
        self._loop = loop
        try:
            if self.decided:
                self._lanes.stop()
            yield
        finally:
            self._loop = None
            for timer in self._timers.values():
                timer.cancel()

    def now(self, why: str) -> None:
        """Start nothing new; wait for what has been handed over."""
        if not self.why:
            self.why = why
        self._lanes.stop()
        awaiting = self._lanes.awaiting
        if why:
            replies = "1 reply" if awaiting == 1 else f"{awaiting} replies"
            what = f"waiting for {replies}, then " if awaiting else ""
            at_once = "; again to stop at once" if awaiting else ""
            say = self._answer if self._signals else self._tell
            say(f"stopping: {why}; {what}writing the report {self._report}{at_once}")
            self._progress.stopping = why

    def after(self, seconds: float) -> None:
        """Stop when it has been sending for so long."""
        why = f"its {format_duration(seconds)} are over"
        self._timers[why] = asyncio.get_running_loop().call_later(seconds, self.now, why)

    def at(self, moment: float, why: str) -> None:
        """Stop at that moment (UTC seconds). The clock on the wall decides: it may be set, and goes on while the
        machine sleeps."""
        wait = moment - time.time()
        if wait <= 0:
            self.now(why)
        else:
            loop = asyncio.get_running_loop()
            self._timers[why] = loop.call_later(min(wait, LONGEST_REST), self.at, moment, why)

    def for_error(self, error: CampaignError) -> None:
        """A lane met an error that it cannot go on with."""
        if self.error is None:
            self.error = error
            self.now("")

    def by_signal(self, number: Signals) -> None:
        """Called between any two steps, in the midst of whatever there is: the lanes are stopped between theirs."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._heard, number)
        else:
            self._heard(number)

    def _heard(self, number: Signals) -> None:
        self._signals += 1
        if self._loop is None:
            self._leaving = self._signals > 1
            if not self._leaving:
                self.why = f"{number.name} received"
                self._answer(f"stopping: {self.why}; writing the report {self._report}; again to leave it as it was")
        elif self._signals == 1:
            self.now(f"{number.name} received")
        elif self._signals == 2:
            self._answer(f"stopping at once: what is in flight is uncertain; writing the report {self._report}")
            self._lanes.abandon()

    def until_told_to_leave(self, results: Iterator[Result]) -> Iterator[Result]:
        """What the report is written from, until a signal says to leave it as it was."""
        for result in results:
            if self._leaving:
                written = f"`campaign report {self._name}` writes it"
                self._answer(f"the report {self._report} is left as it was: {written}")
                raise KeyboardInterrupt
            yield result

    def _raised(
        self,
        committer: Committer,
        sending: asyncio.Task[None] | None,
        loop: asyncio.AbstractEventLoop,
        context: dict[str, Any],
    ) -> None:
        """A callback has raised what nobody expects: what it has left undone is not known, so all ends at once, and
        nothing that comes of it is written down. What is in flight is uncertain.

        What befalls a connection is told to its session, and what a task raises to who waits for it.
        """
        error = context.get("exception")
        connections = "transport" in context and isinstance(error, OSError)
        if not isinstance(error, Exception) or connections or {"future", "task"} & context.keys():
            loop.default_exception_handler(context)
        elif self.unexpected is None:
            self.unexpected = error
            committer.abandon()
            assert sending
            sending.cancel()
