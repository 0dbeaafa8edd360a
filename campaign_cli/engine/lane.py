"""A lane: the run's way to one provider, with its budget, its sessions and its backoff."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from campaign_cli.engine.budgets import Wanted
from campaign_cli.engine.pool import Pool
from campaign_cli.engine.progress import LaneProgress
from campaign_cli.engine.rooms import Ready, Rooms
from campaign_cli.engine.settlement import Settlement
from campaign_cli.engine.shaper import Shaper
from campaign_cli.engine.supply import CLAIMED_AT_ONCE, Supply
from campaign_cli.ledger import changes
from campaign_cli.model.envelope import Envelope
from campaign_cli.model.errors import CampaignError
from campaign_cli.model.outcome import Outcome, Radius, Verdict
from campaign_cli.model.reply import Phase, Reply
from campaign_cli.policy.providers import Provider
from campaign_cli.transport.session import Session
from campaign_cli.transport.transaction import Ending, Transaction

log = logging.getLogger(__name__)

DELIVERED = Outcome.DELIVERED
"""By a name of its own it costs less: every delivery asks for it."""

AHEAD_OF_EACH = 48
"""Messages composed ahead for each session: some milliseconds of the fastest server."""

LONGEST_REST = 30.0
"""Seconds after which a lane that waits looks at the clocks again: the one that timers go by stands still while the
machine is suspended, and those of budgets and of due times do not."""

UNTIL_WOKEN = 3600.0
"""Seconds after which a lane looks around though nothing has happened to it."""


class Lane:
    """Sends to every recipient of one provider that is due, on as many sessions as the provider is given.

    `drain` sees to it that there is something to send and something to send it on; the sending itself goes on in
    the sessions' callbacks: they take the next message when they have room, and say how it ended.
    """

    def __init__(self, provider: Provider, rooms: Rooms, progress: LaneProgress) -> None:
        self._provider = provider
        self._rooms = rooms
        self._progress = progress
        self._shaper = Shaper(provider, rooms.shared, rooms.budgets, rooms.shaping)
        self._limited = False
        """Whether sessions have to be granted what they take."""
        self._settlement = Settlement(rooms, progress, provider.retry or rooms.retry)
        self._wake = asyncio.Event()
        self._supply = Supply(rooms, progress, self._settlement, self._wake.set)
        self._ready = self._supply.ready
        self._pool = Pool(provider, rooms, progress, self._shaper, self._supply, self._wake.set)
        # Each message asks for these two.
        self._sessions, self._fit = self._pool.sessions, self._pool.fit
        self._in_flight: dict[Transaction, Ready] = {}
        self._granted: dict[str, int] = {}
        """By route, while sessions take what they are granted."""
        self._asking = False
        self._stopping = False
        self._leaving = False
        """Whether it ends with the last answer, though messages are ready."""

    async def drain(self) -> None:
        """Until nothing is left that comes due within the run's patience, or the run stops."""
        try:
            while (wait := self._turn()) > 0:
                # A lane that has always something to see to must not keep the others from theirs.
                await asyncio.sleep(0)
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(wait, LONGEST_REST)):
                        await self._wake.wait()
        except CampaignError as error:
            self._rooms.halt(error)
        finally:
            await self._leave()
            self._progress.finished = True
            self._show(0.0, "")

    def stop(self) -> None:
        """Start nothing new; what has not been handed over is given back."""
        self._stopping = True
        self._supply.stop()
        self._pool.stop()
        self._wake.set()

    def abandon(self) -> None:
        """End at once; what has been handed over stays without an answer."""
        self.stop()
        self._pool.abandon()
        self._in_flight.clear()
        self._wake.set()

    @property
    def awaiting(self) -> int:
        """How many messages have been handed over and not yet been answered."""
        return sum(session.handed_over for session in self._sessions)

    # ---- something to send, and something to send it on ----

    def _turn(self) -> float:
        """See to what is needed now; seconds until something may be again, if nothing happens before. 0.0: done."""
        self._wake.clear()
        self._leaving = False
        if self._stopping:
            return UNTIL_WOKEN if self._in_flight else 0.0
        self._pool.tidy()
        self._shaper.look()
        self._limited = self._shaper.paced or self._rooms.routes.limited
        now = time.time()
        burst = 1 if self._sessions else self._shaper.burst
        allowed = self._rooms.budgets.allowance(*self._shaper.budgets, wanted=burst) if self._shaper.paced else None
        self._claim(now, allowed.free if allowed else CLAIMED_AT_ONCE)
        if not self._ready:
            self._need()
            if self._supply.composing or self._in_flight:
                return UNTIL_WOKEN
            return self._until_due(now)
        if not self._rooms.allotment.left:
            self._supply.clear()
            return UNTIL_WOKEN if self._in_flight else 0.0
        if allowed and allowed.free < min(burst, len(self._ready)) and not self._asking:
            return self._await(allowed.wait, "its budget", leave=self._provider.warmup is not None)
        if self._limited and not self._asking and (wait := self._rooms.routes.all_rest(self._provider.name)) > 0:
            return self._await(wait, "the relay's budget", leave=self._rooms.routes.warming)
        if (wait := self._shaper.rest) > 0:
            return self._await(wait, "the provider, which wants it slower", leave=self._shaper.in_vain)
        if not self._sessions and (wait := self._pool.rest) > 0:
            return self._rest(wait, "the server")
        self._show(0.0, "")
        self._pool.open(self, allowed.free if allowed else len(self._ready))
        for session in tuple(self._sessions):
            session.pump()
        self._need()
        waits = [self._pool.rest]
        if self._limited:
            waits += [self._rooms.routes.rest(session.route) for session in self._sessions]
        return min((wait for wait in waits if wait > 0), default=UNTIL_WOKEN)

    def _claim(self, now: float, allowed: int) -> None:
        """Have messages made as far ahead as the sessions and the budget can use them."""
        ahead = AHEAD_OF_EACH * max(len(self._sessions), 1)
        if self._shaper.paced:
            ahead = min(ahead, max(allowed, self._provider.connections))
        self._supply.claim(now, ahead)

    def _need(self) -> None:
        """Have at least one message made for each session there is or can be, whatever other lanes have in hand."""
        if self._supply.composing and not self._ready and self._pool.has_room:
            self._supply.need()

    def _until_due(self, now: float) -> float:
        """Nothing is in hand: seconds until a deferred recipient is due; 0.0 when none is in time for this run."""
        due_at = self._supply.due_at
        if due_at is None or due_at - now > self._rooms.patience:
            return 0.0
        return self._rest(max(due_at - now, 0.001), "the next attempt")

    def _await(self, seconds: float, what: str, *, leave: bool) -> float:
        """Wait; but if `leave`, what has to wait for longer than the run's patience is for another run."""
        if not leave or seconds <= self._rooms.patience:
            return self._rest(seconds, what)
        self._leaving = bool(self._in_flight)
        if self._leaving:
            return UNTIL_WOKEN
        self._supply.clear()
        return 0.0

    def _rest(self, seconds: float, what: str) -> float:
        self._pool.idle_for(seconds)
        self._show(time.time() + seconds, what)
        return seconds

    def _show(self, until: float, what: str) -> None:
        self._progress.waiting_until, self._progress.waiting_for = until, what

    async def _leave(self) -> None:
        """Let go of all there is."""
        self._pool.open_none()
        await self._supply.close()
        await self._pool.give_back()

    # ---- what sessions ask and tell ----

    def next_for(self, session: Session) -> Transaction | None:
        """The next transaction for `session`, its mark on the way to the disk; None: none now."""
        queue = self._sessions.get(session)
        if queue is None or not self._fit(session):
            return None
        while queue:
            if self._rooms.opens_for and self._supply.postponed(queue[0].recipient):
                self._supply.let_go(queue.popleft().message)
                continue
            if self._limited and self._granted.get(session.route, 0) <= 0:
                self._ask()
                return None
            allotment = self._rooms.allotment
            if not allotment.left:
                self._wake.set()
                return None
            allotment.left -= 1
            if self._limited:
                self._granted[session.route] -= 1
            else:
                self._rooms.budgets.note(self._provider.name)
            ready = queue.popleft()
            if len(queue) < AHEAD_OF_EACH and not self._supply.composing:
                self._wake.set()
            transaction = Transaction(
                Envelope(self._rooms.envelope_sender, ready.recipient.address), ready.message.content
            )
            self._in_flight[transaction] = ready
            self._mark(ready, session, partial(session.durable, transaction))
            refusal = session.offers.refusal(transaction.envelope, transaction.content)
            if refusal is None:
                return transaction
            self.ended(session, transaction, refusal)
        return None

    def _mark(self, ready: Ready, session: Session, durable: Callable[[], None]) -> None:
        message = ready.message
        self._progress.attempts += 1
        mark = changes.mark(
            ready.recipient,
            message_id=message.message_id,
            route=session.carrier,
            dated_at=message.dated_at,
            now=time.time(),
        )
        self._rooms.committer.submit(mark, durable)

    def _ask(self) -> None:
        """Have the budgets charged for what the sessions have room for."""
        if self._asking:
            return
        most, routes = self._provider.messages_per_connection, self._rooms.routes
        room: Counter[str] = Counter()
        for session, queue in self._sessions.items():
            if not (session.retired or routes.rest(session.route)):
                room[session.route] += max(min(session.room, most - session.transactions, len(queue)), 0)
        wanted: list[Wanted] = []
        left = min(len(self._ready), self._rooms.allotment.left)
        for route, most in room.items():
            count = min(most, left)
            left -= count
            wanted.append(((*self._shaper.budgets, *routes.budget(route)), count))
        if wanted:
            self._asking = True
            self._rooms.budgets.charge(self._provider.name, wanted, partial(self._on_grant, tuple(room)))

    def _on_grant(self, routes: Sequence[str], counts: Sequence[int]) -> None:
        self._asking = False
        self._granted = dict(zip(routes, counts, strict=True))
        for session in tuple(self._sessions) if any(counts) else ():
            session.pump()
        # What is granted starts at once or not at all.
        self._granted = {}
        for route, count in zip(routes, counts, strict=True):
            if not count:
                self._rooms.routes.look_at(route, self._rooms.budgets)
        if not any(counts):
            self._wake.set()

    def ended(self, session: Session, transaction: Transaction, ending: Ending) -> None:
        """Write down what became of the recipient, and act on what the answer says beyond it."""
        ready = self._in_flight.pop(transaction)
        verdict = self._rooms.replies.classify(ending.answer, ending.phase, self._provider.name)
        excused = verdict.outcome is not DELIVERED and self._excused(session, transaction, ending, verdict)
        self._adapt(verdict, ending, session)
        settled = self._settlement.settle(ready, ending, verdict, session.route, excused=excused)
        if settled.due_at is not None:
            self._supply.due(settled.due_at)
        if settled.given_back and not self._stopping:
            self._ready.queue(ready.way).appendleft(ready)
            self._wake.set()
        else:
            self._supply.let_go(ready.message)
        if self._stopping or not (self._in_flight or (self._ready and not self._leaving)):
            self._wake.set()

    def _excused(self, session: Session, transaction: Transaction, ending: Ending, verdict: Verdict) -> bool:
        """Whether, if it came to nothing, that was others' doing."""
        # A server that has taken mail and refuses the session's next at MAIL, which names nobody, has had enough of it.
        enough = session.proven and ending.phase is Phase.MAIL and verdict.radius is Radius.SESSION
        if enough and verdict.outcome is Outcome.RETURNED:
            session.retired = True
        return self._stopping or transaction.behind or enough or verdict.radius is Radius.PROVIDER

    def idle(self, session: Session) -> None:
        """Nothing is in flight on `session`."""
        if self._stopping or not self._fit(session):
            self._pool.drop(session)
        else:
            self._need()
            if self._pool.in_the_way(session):
                self._wake.set()

    def _adapt(self, verdict: Verdict, ending: Ending, session: Session) -> None:
        """Act on what an answer says of us: sessions that end badly make the lane wait longer before the next, a
        provider that wants it slower is left alone, and what is delivered ends that."""
        if verdict.outcome is DELIVERED:
            session.proven = True
            if self._shaper.backoff and self._shape(self._shaper.delivered):
                self._wake.set()
            return
        answer = ending.answer
        if isinstance(answer, Reply):
            sessions = len(self._sessions)
            if self._shape(lambda: self._shaper.refused(verdict, answer, ending.phase, sessions)):
                # It is left alone for a while: what is open carries nothing more.
                self._pool.retire()
        if verdict.radius is Radius.SESSION and not session.proven:
            # Once for all that were in flight on it.
            session.proven = True
            self._pool.back_off()

    def _shape(self, change: Callable[[], bool]) -> bool:
        try:
            return change()
        except CampaignError as error:
            self._rooms.halt(error)
            return False
