"""A lane's sessions: opened where there is work that none is free to do, and kept as long as they are of use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from campaign_cli.engine.exchanges import LEFT_ALONE
from campaign_cli.engine.outbox import Queue
from campaign_cli.engine.progress import LaneProgress
from campaign_cli.engine.rooms import Rooms
from campaign_cli.engine.shaper import Shaper
from campaign_cli.engine.supply import Supply
from campaign_cli.ledger import changes
from campaign_cli.model.dns import Way
from campaign_cli.model.errors import CampaignError
from campaign_cli.model.reply import Reply
from campaign_cli.policy.budgets import of_connections
from campaign_cli.policy.providers import Provider
from campaign_cli.transport.connect import Refusal
from campaign_cli.transport.session import Client, Session

KEPT_OPEN = 5.0
"""Seconds of waiting over which a session is kept; Amazon SES closes one after ten."""

FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 60.0
"""Seconds before a lane opens another session after one was lost; doubled with each in a row, up to the second."""


class Pool:
    """As many sessions as the lane's provider is given and its `supply` has work for.

    `changed` is called when there is another, or one fewer.
    """

    def __init__(
        self,
        provider: Provider,
        rooms: Rooms,
        progress: LaneProgress,
        shaper: Shaper,
        supply: Supply,
        changed: Callable[[], None],
    ) -> None:
        self._provider = provider
        self._rooms = rooms
        self._progress = progress
        self._shaper = shaper
        self._supply = supply
        self._ready = supply.ready
        self._changed = changed
        self._most = provider.messages_per_connection
        self.sessions: dict[Session, Queue] = {}
        """Those that are open, each with the queue that it works on."""
        self._opening: dict[asyncio.Task[None], Way] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._open_after = 0.0
        self._backoff = 0.0
        self._delivered = 0
        """How many messages had been delivered when a session was lost last."""

    def fit(self, session: Session) -> bool:
        """Whether `session` may carry one more transaction of this lane."""
        return (
            session.transactions < self._most
            and not session.retired
            and session.usable
            and self._rooms.routes.keeps(session.route, self._provider.name)
        )

    @property
    def has_room(self) -> bool:
        """Whether a message that is made now finds a session."""
        if self.sessions:
            return any(session.unused for session in self.sessions)
        return self._rooms.routes.has_room

    @property
    def rest(self) -> float:
        """Seconds until another session may be opened."""
        return max(self._open_after - time.monotonic(), 0.0)

    def in_the_way(self, session: Session) -> bool:
        """Whether it has nothing to do, and others have and no connection is left for them."""
        there = len(self.sessions) + len(self._opening)
        return there >= self._shaper.connections and not self.sessions[session] and bool(self._ready)

    # ---- opening ----

    def open(self, client: Client, useful: int) -> None:
        """Open sessions for `client`, as many as there is work for, of `useful` messages, that no session is free to
        do."""
        if self.rest > 0:
            return
        rest = self._rooms.routes.rest
        for way, queue in self._ready.queues.items():
            mine = [session for session, its in self.sessions.items() if its is queue]
            opening = sum(its == way for its in self._opening.values())
            free = sum(session.unused and not rest(session.route) for session in mine) + opening
            there = len(self.sessions) + len(self._opening)
            wanted = min(self._shaper.connections - there, useful - free, len(queue) - free)
            if way and not mine:
                # Hosts that have not shown that they work are tried by one; they must not keep others from theirs.
                wanted = min(wanted, 1 - opening)
            for _ in range(self._may_open(wanted)):
                task = asyncio.create_task(self._open_one(client, way))
                self._opening[task] = way
                task.add_done_callback(self._opened)

    def _may_open(self, wanted: int) -> int:
        """How many of `wanted` sessions the provider's connection rate lets be opened now; they count at once."""
        if not self._provider.connection_rate.windows or wanted <= 0:
            return wanted
        budget = of_connections(self._provider.name, self._provider.connection_rate)
        granted = self._rooms.budgets.take(budget, wanted)
        if granted < wanted:
            self._open_after = time.monotonic() + self._rooms.budgets.allowance(budget).wait
        return granted

    async def _open_one(self, client: Client, way: Way) -> None:
        routes, name = self._rooms.routes, self._provider.name
        try:
            session = await routes.open(name, way)
            while not isinstance(session, Refusal) and not self.fit(session):
                # Another lane's, which may use a session for longer.
                await routes.close(session)
                session = await routes.open(name, way)
            if isinstance(session, Refusal):
                self._not_opened(way, session)
                return
        except CampaignError as error:
            self._rooms.halt(error)
            return
        session.client = client
        session.carrier = changes.carrier(session.route, session.tls)
        self.sessions[session] = self._ready.queue(way)
        self._progress.sessions = len(self.sessions)
        self._changed()
        session.pump()

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.pop(task, None)
        if not task.cancelled() and (error := task.exception()):
            # Nobody waits for it: the run hears of it as of what any callback raises.
            raise error

    def _not_opened(self, way: Way, refusal: Refusal) -> None:
        """No host of an exchange gives a session: its mail waits for those that are open, or is tried again later."""
        queue = self._ready.queue(way)
        if not self._slowed_by(refusal):
            if any(its is queue for its in self.sessions.values()):
                self.back_off()
            else:
                for ready in queue:
                    self._supply.unreachable(ready, refusal)
                queue.clear()
        self._changed()

    def _slowed_by(self, refusal: Refusal) -> bool:
        """Whether no session came about because the provider wants it slower: then its mail waits, untried."""
        answer = refusal.answer
        if isinstance(answer, Reply):
            verdict = self._rooms.replies.classify(answer, refusal.phase, self._provider.name)
            # The same is said again for so long without being asked.
            self._shaper.refused(verdict, answer, refusal.phase, len(self.sessions), LEFT_ALONE)
        return self._shaper.rest > 0

    def back_off(self) -> None:
        """One has ended badly: open none for a while, that is longer with each in a row until something is taken."""
        if self._progress.delivered > self._delivered:
            self._backoff, self._delivered = 0.0, self._progress.delivered
        self._backoff = min(max(self._backoff * 2, FIRST_BACKOFF), LONGEST_BACKOFF)
        self._open_after = time.monotonic() + self._backoff

    # ---- ending ----

    def tidy(self) -> None:
        """End those that have nothing to do and will have nothing, or keep others from theirs."""
        for session in tuple(self.sessions):
            of_use = self.fit(session) and self._rooms.routes.rest(session.route) <= KEPT_OPEN
            if session.unused and (not of_use or self.in_the_way(session)):
                self.drop(session)

    def idle_for(self, seconds: float) -> None:
        """Nothing is to be sent for so many seconds: end those that have nothing to do, if that is long."""
        if seconds > KEPT_OPEN:
            for session in tuple(self.sessions):
                if session.unused:
                    self.drop(session)

    def drop(self, session: Session) -> None:
        """End `session`, if it is still one of these."""
        if session in self.sessions:
            del self.sessions[session]
            self._progress.sessions = len(self.sessions)
            task = asyncio.create_task(self._rooms.routes.close(session))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
            self._changed()

    def retire(self) -> None:
        """What is open carries nothing more."""
        for session in self.sessions:
            session.retired = True

    def stop(self) -> None:
        """Open none any more, and have those that are open take back what is not handed over."""
        self.open_none()
        for session in tuple(self.sessions):
            session.stop("the run was stopped")

    def abandon(self) -> None:
        """End all at once."""
        for session in self.sessions:
            session.abort()
        for task in self._closing:
            task.cancel()

    def open_none(self) -> None:
        """What is being opened is not wanted any more."""
        for task in self._opening:
            task.cancel()

    async def give_back(self) -> None:
        """All that are open, when nothing goes on any more: another lane may have a use for them."""
        await asyncio.gather(*self._opening, *self._closing, return_exceptions=True)
        sessions = tuple(self.sessions)
        self.sessions.clear()
        self._progress.sessions = 0
        for session in sessions:
            session.client = None
        await asyncio.gather(*map(self._rooms.routes.give_back, sessions))
