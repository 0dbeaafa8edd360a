"""What a lane has to send: recipients in their order, their messages made, and where each goes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence

from campaign_cli.engine.exchanges import Exchanges
from campaign_cli.engine.outbox import Outbox
from campaign_cli.engine.progress import LaneProgress
from campaign_cli.engine.rooms import Ready, Rooms
from campaign_cli.engine.settlement import Settlement
from campaign_cli.ledger import changes
from campaign_cli.ledger.view import Place
from campaign_cli.model.dns import Exchange, Lack, Unresolved
from campaign_cli.model.envelope import Message
from campaign_cli.model.errors import CampaignError
from campaign_cli.model.lifecycle import State
from campaign_cli.model.outcome import ReplyClass
from campaign_cli.model.recipient import Recipient
from campaign_cli.model.reply import Phase
from campaign_cli.transport.connect import Refusal

log = logging.getLogger(__name__)

CLAIMED_AT_ONCE = 64
"""Recipients claimed and composed together: enough to pay for the way to another process and back."""


class Supply:
    """Has the messages of one provider's recipients made, a little ahead of who sends them.

    `arrived` is called when there are more in `ready`, or fewer to wait for.
    """

    def __init__(
        self, rooms: Rooms, progress: LaneProgress, settlement: Settlement, arrived: Callable[[], None]
    ) -> None:
        self._rooms = rooms
        self._progress = progress
        self._settlement = settlement
        self._arrived = arrived
        self._place = Place()
        self._addressing: set[asyncio.Task[None]] = set()
        self._stopped = False
        self.ready = Outbox()
        self.due_at: float | None = 0.0
        """When the next recipient behind those in hand is due (UTC seconds); None: there is none."""
        self.composing = 0
        """Recipients whose messages are being made, or whose way is being looked for."""

    def claim(self, now: float, ahead: int) -> None:
        """Have the next recipients' messages made, until `ahead` are in hand."""
        while self.due_at is not None and self.due_at <= now and len(self.ready) + self.composing < ahead:
            count = min(CLAIMED_AT_ONCE, ahead)
            claimed, self._place = self._rooms.ledger.claim(self._progress.provider, count, now, self._place)
            last = len(claimed) < count
            if self._rooms.opens_for:
                claimed = [each for each in claimed if not self.postponed(each)]
            if last:
                self._rooms.committer.commit()
                self.due_at = self._rooms.ledger.next_due(self._progress.provider, self._place)
            if claimed:
                self.composing += len(claimed)
                self._rooms.composers.compose(claimed, self._composed)

    def need(self) -> None:
        """Somebody waits for a message: have it made whatever other lanes have in hand."""
        if self.composing and not self.ready:
            self._rooms.composers.need(self._composed)

    def due(self, at: float) -> None:
        """A recipient of the lane is to be tried again, at `at` (UTC seconds)."""
        self.due_at = at if self.due_at is None else min(self.due_at, at)

    def postponed(self, recipient: Recipient) -> bool:
        """Whether it is not an hour at which `recipient` may be sent to: then it is their turn when it next is."""
        now = time.time()
        if self._rooms.opens_for is None or (opens := self._rooms.opens_for(recipient, now)) <= now:
            return False
        self._rooms.committer.submit(changes.postpone(recipient, opens))
        self.due(opens)
        return True

    def unreachable(self, ready: Ready, why: Lack | Unresolved | Refusal) -> None:
        """There is no way to `ready`, now or ever."""
        if due_at := self._settlement.unreachable(ready.recipient, why):
            self.due(due_at)
        self.let_go(ready.message)

    def let_go(self, message: Message) -> None:
        """It is not in hand any more."""
        self._rooms.composers.let_go(len(message.content))

    def clear(self) -> None:
        """Let go of all that is ready: it is for another run."""
        for ready in self.ready:
            self.let_go(ready.message)
        self.ready.clear()

    def stop(self) -> None:
        """Let go of all, also of what is still to come."""
        self._stopped = True
        self.clear()
        for task in self._addressing:
            task.cancel()

    async def close(self) -> None:
        """Stop, and wait for what goes on."""
        self.stop()
        await asyncio.gather(*self._addressing, return_exceptions=True)

    def _composed(self, recipients: Sequence[Recipient], made: Sequence[Message | str]) -> None:
        """The messages of claimed recipients are made; or cannot be, and why."""
        if isinstance(self._rooms.routes, Exchanges) and not self._stopped:
            task = asyncio.create_task(self._addressed(self._rooms.routes, recipients, made))
            self._addressing.add(task)
            task.add_done_callback(self._addressed_all)
        else:
            self._take(recipients, made, {})

    async def _addressed(
        self, exchanges: Exchanges, recipients: Sequence[Recipient], made: Sequence[Message | str]
    ) -> None:
        """Find out where each goes. Until then they count as being composed."""
        try:
            found = await exchanges.exchanges_of(each.address.domain for each in recipients)
        except CampaignError as error:
            self._rooms.halt(error)
        else:
            self._take(recipients, made, found)

    def _addressed_all(self, task: asyncio.Task[None]) -> None:
        self._addressing.discard(task)
        if not task.cancelled() and (error := task.exception()):
            raise error

    def _take(
        self,
        recipients: Sequence[Recipient],
        made: Sequence[Message | str],
        found: Mapping[str, Exchange | Lack | Unresolved],
    ) -> None:
        self.composing -= len(recipients)
        for recipient, message in zip(recipients, made, strict=True):
            if isinstance(message, Message):
                if self._stopped:
                    self.let_go(message)
                    continue
                way = found.get(recipient.address.domain) if found else self._way_back(recipient)
                if isinstance(way, Lack | Unresolved):
                    self.unreachable(Ready(recipient, message), way)
                else:
                    self.ready.queue(way).append(Ready(recipient, message, way))
            elif not self._stopped:
                self._rooms.committer.submit(changes.fail(recipient, message))
                self._progress.count(State.FAILED)
                log.info("line %d, %s: failed: %s", recipient.line, recipient.address.email, message)
        self._arrived()

    def _way_back(self, recipient: Recipient) -> str | None:
        """The relay that has to see `recipient` again, for greylisting knows from where it was asked (RFC 6647 2.2) and
        begins anew for another's address; None: any."""
        if not (recipient.attempts and self._rooms.routes.several):
            return None
        last = self._rooms.ledger.last_answer(recipient)
        if last is None:
            return None
        route, reply = last
        verdict = self._rooms.replies.classify(reply, Phase.RCPT, self._progress.provider)
        return route if verdict.reply_class is ReplyClass.GREYLISTED else None
