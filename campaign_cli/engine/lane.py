"""A lane: the run's way to one provider, with its budget, its sessions and its backoff."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

from campaign_cli.content.composer import Composer
from campaign_cli.engine.budgets import Budgets
from campaign_cli.engine.campaign import compose
from campaign_cli.engine.progress import LaneProgress
from campaign_cli.engine.routes import Routes
from campaign_cli.ledger.committer import Committer
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.model.address import Address
from campaign_cli.model.envelope import Envelope
from campaign_cli.model.errors import CampaignError, ComposeError
from campaign_cli.model.lifecycle import State
from campaign_cli.model.outcome import Outcome, Radius, Verdict
from campaign_cli.model.recipient import Recipient
from campaign_cli.model.reply import Reply
from campaign_cli.policy.outcomes import classify
from campaign_cli.policy.providers import Provider
from campaign_cli.policy.retry import RetrySchedule, next_attempt
from campaign_cli.transport.session import Ending, Session

log = logging.getLogger(__name__)

CLAIMED_PER_WORKER = 4
"""Recipients claimed ahead for each connection: few enough to give back quickly, many enough to share a commit."""

KEPT_OPEN = 5.0
"""Seconds of waiting over which a session is kept; Amazon SES closes one after ten."""

LOSSES_FORGIVEN = 1
"""How often in a run a session may end in a recipient's transaction before that counts as a deferral. RFC 5321 3.8
counts every time; one that is lost by chance should not cost a wait, one that is lost by its content must."""

FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 60.0
"""Seconds before a lane opens another session after one was lost; doubled with each in a row, up to the second."""


@dataclass(slots=True)
class Allotment:
    """How many more transactions `--limit` lets this run start; None: as many as there are."""

    left: int | None

    def take(self) -> bool:
        """Use one, if there is one."""
        if self.left is None:
            return True
        self.left -= 1
        return self.left >= 0


@dataclass(frozen=True, slots=True)
class Rooms:
    """What every lane of a run works with."""

    ledger: Ledger
    committer: Committer
    budgets: Budgets
    routes: Routes
    composer: Composer
    envelope_sender: Address
    retry: RetrySchedule
    patience: float
    allotment: Allotment
    halt: Callable[[CampaignError], None]
    """Stops the run, because of an error that no lane can go on with."""


class Lane:
    """Sends to every recipient of one provider that is due, on as many connections as the provider is given."""

    def __init__(self, provider: Provider, rooms: Rooms, progress: LaneProgress) -> None:
        self._provider = provider
        self._rooms = rooms
        self._progress = progress
        self._claimed: deque[Recipient] = deque()
        self._losses: Counter[int] = Counter()
        self._backoff = 0.0
        self._stopping = False
        self._most_on_one = provider.messages_per_connection
        self._workers: dict[asyncio.Task[None], _Worker] = {}

    async def drain(self) -> None:
        """Until nothing is left that comes due within the run's patience, or the run stops."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._provider.connections, self._progress.total)):
                    worker = _Worker()
                    self._workers[group.create_task(self._work(worker))] = worker
        finally:
            self._give_back()
            self._progress.finished = True
            self._wait_shown(0.0, "")

    def stop(self) -> None:
        """Start nothing new; give back what has not been handed over."""
        self._stopping = True
        for task, worker in self._workers.items():
            if worker.session is None or not worker.session.handed_over:
                task.cancel()

    def abandon(self) -> None:
        """End at once; what has been handed over stays without an answer."""
        self._stopping = True
        for task in self._workers:
            task.cancel()

    @property
    def awaiting(self) -> int:
        """How many messages have been handed over and not yet been answered."""
        return sum(
            1
            for task, worker in self._workers.items()
            if not task.done() and worker.session and worker.session.handed_over
        )

    def _give_back(self) -> None:
        if self._claimed:
            given_back = list(self._claimed)
            self._claimed.clear()
            self._rooms.committer.submit(lambda: self._rooms.ledger.release(given_back))

    # ---- one worker for each connection ----

    async def _work(self, worker: _Worker) -> None:
        try:
            while not self._stopping and (recipient := await self._next(worker)):
                await self._send(recipient, worker)
        except CampaignError as error:
            self._rooms.halt(error)
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        finally:
            if worker.session:
                await self._rooms.routes.give_back(worker.session)

    async def _next(self, worker: _Worker) -> Recipient | None:
        """The next recipient to send to, when the budget allows it; None when this run has none left."""
        while True:
            await self._wait(self._rooms.budgets.wait(self._provider), "its budget", worker)
            if self._claimed:
                return self._claimed.popleft() if self._rooms.allotment.take() else None
            self._rooms.committer.flush()
            now = time.time()
            count = CLAIMED_PER_WORKER * self._provider.connections
            self._claimed.extend(self._rooms.ledger.claim(self._provider.name, count, now))
            if not self._claimed:
                due_at = self._rooms.ledger.next_due(self._provider.name)
                if due_at is None or due_at - now > self._rooms.patience:
                    return None
                await self._wait(due_at - now, "the next attempt", worker)

    async def _send(self, recipient: Recipient, worker: _Worker) -> None:
        """One recipient's transaction, whole, and its result in the ledger."""
        ledger, committer = self._rooms.ledger, self._rooms.committer
        try:
            message = compose(recipient, ledger, self._rooms.composer, now=time.time())
        except ComposeError as error:
            reason = str(error)
            committer.submit(lambda: ledger.fail(recipient, reason))
            self._progress.count(State.FAILED)
            log.info("line %d, %s: failed: %s", recipient.line, recipient.address.email, reason)
            return
        marked = False
        try:
            session = await self._session(worker)
            started_at = time.time()
            durable = committer.submit(
                lambda: ledger.mark(recipient, message_id=message.message_id, route=session.route, now=started_at)
            )
            marked = True
            self._progress.attempts += 1
            envelope = Envelope(self._rooms.envelope_sender, recipient.address)
            ending = await session.transact(envelope, message.content, durable)
        except BaseException:
            # With no answer after the final dot nobody knows: the mark says so when the ledger is next recovered.
            if not (worker.session and worker.session.handed_over):
                committer.submit(lambda: ledger.unmark(recipient) if marked else ledger.release([recipient]))
            raise
        self._settle(recipient, ending, session, started_at)
        if not session.usable:
            await self._drop(worker)

    async def _session(self, worker: _Worker) -> Session:
        """An open session with a transaction charged to it, ready to start at once."""
        while True:
            if worker.session and not (worker.session.usable and worker.session.transactions < self._most_on_one):
                await self._drop(worker)
            if worker.session is None:
                await self._wait(self._backoff, "the server", worker)
                worker.session = await self._rooms.routes.open()
                worker.session.handed_over = False
                self._progress.sessions += 1
            if await self._rooms.budgets.charge(self._provider):
                return worker.session
            await self._wait(self._rooms.budgets.wait(self._provider), "its budget", worker)

    async def _drop(self, worker: _Worker) -> None:
        if worker.session:
            session, worker.session = worker.session, None
            self._progress.sessions -= 1
            await self._rooms.routes.close(session)

    async def _wait(self, seconds: float, what: str, worker: _Worker) -> None:
        if seconds <= 0:
            return
        if seconds > KEPT_OPEN:
            await self._drop(worker)
        self._wait_shown(time.time() + seconds, what)
        await asyncio.sleep(seconds)
        self._wait_shown(0.0, "")

    def _wait_shown(self, until: float, what: str) -> None:
        self._progress.waiting_until, self._progress.waiting_for = until, what

    # ---- what the answer means ----

    def _settle(self, recipient: Recipient, ending: Ending, session: Session, started_at: float) -> None:
        """Write down what became of the recipient, and act on what the answer says beyond it."""
        verdict = classify(ending.answer, ending.phase)
        self._adapt(verdict, session)
        if verdict.outcome is Outcome.RETURNED:
            if self._returned(recipient, verdict, ending, session):
                return
            verdict = Verdict(Outcome.DEFERRED, verdict.radius)
        state, due_at = State(verdict.outcome), 0.0
        if state is State.DELIVERED:
            self._rooms.routes.delivered(session.route)
        if state is State.DEFERRED:
            at = next_attempt(
                self._rooms.retry,
                attempts=recipient.attempts + 1,
                first_attempt_at=recipient.first_attempt_at or started_at,
                now=time.time(),
                chance=random.random(),  # noqa: S311
            )
            state, due_at = (State.EXPIRED, 0.0) if at is None else (state, at)
        reply = ending.answer if isinstance(ending.answer, Reply) else None
        reason = _reason(state, ending)
        self._rooms.committer.submit(
            lambda: self._rooms.ledger.record(recipient, state, reply=reply, reason=reason, due_at=due_at)
        )
        self._progress.count(state)
        log.info("line %d, %s: %s: %s", recipient.line, recipient.address.email, state, reply or reason)

    def _returned(self, recipient: Recipient, verdict: Verdict, ending: Ending, session: Session) -> bool:
        """Give the recipient back as it was; False when it is time to count it as a deferral."""
        if verdict.radius is Radius.ROUTE:
            given_back = self._rooms.routes.refused(session.route, ending.phase, ending.answer)
        else:
            self._losses[recipient.id] += 1
            given_back = self._losses[recipient.id] <= LOSSES_FORGIVEN
        if given_back:
            self._rooms.committer.submit(lambda: self._rooms.ledger.unmark(recipient))
            log.info("line %d, %s: given back: %s", recipient.line, recipient.address.email, ending.answer)
        return given_back

    def _adapt(self, verdict: Verdict, session: Session) -> None:
        """Sessions that end badly make the lane wait longer before the next; one that delivers ends that."""
        if verdict.outcome is Outcome.DELIVERED:
            self._backoff = 0.0
        elif verdict.radius in (Radius.SESSION, Radius.PROVIDER) and session.transactions == 1:
            self._backoff = min(max(self._backoff * 2, FIRST_BACKOFF), LONGEST_BACKOFF)


@dataclass(slots=True)
class _Worker:
    """One connection's worth of a lane."""

    session: Session | None = None


def _reason(state: State, ending: Ending) -> str | None:
    """What the report says beside the reply, in words."""
    silence = None if isinstance(ending.answer, Reply) else ending.answer.reason
    match state:
        case State.UNCERTAIN:
            return f"handed over, but {silence or 'the reply makes no sense'}: it may or may not have arrived"
        case State.EXPIRED:
            return "tried again until its time was over"
        case _:
            return silence
