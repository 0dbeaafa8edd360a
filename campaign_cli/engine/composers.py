"""Composing for all lanes of a run, in worker processes: recipients go in, their messages come back by a callback."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from typing import Protocol

from campaign_cli.content.composer import Composer
from campaign_cli.content.worker import ENOUGH
from campaign_cli.engine.worker import Batch, Composed, Worker
from campaign_cli.model.envelope import Message
from campaign_cli.model.errors import CampaignError, ComposeError, ResourceError
from campaign_cli.model.recipient import Recipient

log = logging.getLogger(__name__)

AT_ONCE = 2
"""Batches that a worker has: one in work, one to go on with."""

DEATHS_FORGIVEN = 3
"""How often workers may die in a row before they have started, until the run gives up."""

MOST_SIGNING = 16
"""Workers that sign: more of them make more than the one that sends can send."""

RELIEF = "make room and run again, or compose without processes: --workers 0"

MOST_IN_HAND = 64 * 1024**2
"""Octets of messages that are made and not yet answered, of all lanes together, beyond which no more are made but for
those who have none: a thousand of usual size, which is more than all that lanes ask for, or a few with large files."""


class MessageIds(Protocol):
    """What knows recipients' Message-IDs: a ledger."""

    def message_id(self, recipient: Recipient, domain: str) -> str:
        """The recipient's, with its angle brackets."""


class Composers:
    """Composes in `workers` processes, started when they are first needed; with none, here, between other things."""

    def __init__(
        self,
        composer: Composer,
        message_ids: MessageIds,
        *,
        workers: int,
        clock: Callable[[], float],
        failed: Callable[[CampaignError], None],
        most_in_hand: float = inf,
    ) -> None:
        """`most_in_hand` is for those who say when they `let_go` of a message."""
        self._composer = composer
        self._message_ids = message_ids
        self._most = workers
        self._clock = clock
        self._failed = failed
        self._workers: list[Worker] = []
        self._waiting: deque[Batch] = deque()
        self._most_in_hand = most_in_hand
        self._in_hand = 0
        self._needing: set[Composed] = set()
        self._composing_here = False
        self._deaths = 0

    def compose(self, recipients: Sequence[Recipient], composed: Composed) -> None:
        """Have the messages of `recipients` made; `composed` is told later, of some or all of them at once."""
        domain = self._composer.domain
        message_ids = [self._message_ids.message_id(recipient, domain) for recipient in recipients]
        batch = Batch(recipients, composed, self._clock(), message_ids)
        self._waiting.append(batch)
        self._assign()

    def need(self, composed: Composed) -> None:
        """Whoever `composed` tells has nothing in hand: theirs are made, however much others have."""
        self._needing.add(composed)
        self._assign()

    def let_go(self, octets: int) -> None:
        """A message of that size that was made here is not in hand any more."""
        enough = self._in_hand > self._most_in_hand
        self._in_hand -= octets
        if enough and self._in_hand <= self._most_in_hand:
            self._assign()

    def close(self) -> None:
        """End the workers; what they have in work is not told any more."""
        self._waiting.clear()
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.end()

    def _compose_here(self, batch: Batch) -> None:
        made: list[Message | str] = []
        octets = 0
        for recipient, message_id in zip(batch.recipients, batch.message_ids, strict=True):
            try:
                message = compose(recipient, self._composer, message_id=message_id, now=batch.now)
                made.append(message)
                octets += len(message.content)
            except ComposeError as error:
                made.append(str(error))
            if octets > ENOUGH:
                break
        self._composing_here = False
        self._tell(batch, made, octets)

    def _assign(self) -> None:
        """Give the batches that wait to the workers that have least."""
        while (batch := self._next()) is not None:
            if self._most == 0:
                if not self._composing_here:
                    self._composing_here = True
                    self._waiting.remove(batch)
                    asyncio.get_running_loop().call_soon(self._compose_here, batch)
                return
            worker = self._free()
            if worker is None:
                return
            self._waiting.remove(batch)
            worker.order(batch)

    def _free(self) -> Worker | None:
        """The worker that has least, a new one where all have something to do; None: all have enough."""
        least = min(self._workers, key=lambda worker: len(worker.batches), default=None)
        if (least is None or least.batches) and len(self._workers) < self._most:
            try:
                least = Worker(self._composer, self._answered, self._died)
                self._workers.append(least)
            except OSError as error:
                self._not_started(error)
        return least if least and len(least.batches) < AT_ONCE else None

    def _not_started(self, error: OSError) -> None:
        """Go on with the workers there are, if there are any."""
        if not self._workers:
            self._failed(ResourceError(f"no process can be started to compose messages: {error.strerror}; {RELIEF}"))
            return
        self._most = len(self._workers)
        log.warning("%d processes compose messages; no more can be started: %s", self._most, error.strerror)

    def _next(self) -> Batch | None:
        """The batch to be made next; None where there is none, or enough in hand."""
        if self._in_hand <= self._most_in_hand:
            return self._waiting[0] if self._waiting else None
        return next((batch for batch in self._waiting if batch.composed in self._needing), None)

    def _answered(self, batch: Batch, texts: Sequence[bytes | str]) -> None:
        made = [
            text if isinstance(text, str) else Message(message_id, text, recipient.dated_at or batch.now)
            for recipient, message_id, text in zip(batch.recipients, batch.message_ids, texts, strict=False)
        ]
        self._tell(batch, made, sum([len(text) for text in texts if isinstance(text, bytes)]))

    def _tell(self, batch: Batch, made: Sequence[Message | str], octets: int) -> None:
        """What was made of `batch`, in all so many octets; the rest of it goes on."""
        count = len(made)
        self._in_hand += octets
        self._needing.discard(batch.composed)
        if count < len(batch.recipients):
            rest = Batch(batch.recipients[count:], batch.composed, batch.now, batch.message_ids[count:], batch.deaths)
            self._waiting.appendleft(rest)
        self._assign()
        batch.composed(batch.recipients[:count], made)

    def _died(self, worker: Worker) -> None:
        """Its batches are done again: alone, recipient by recipient, when it may have died of one of them."""
        if worker not in self._workers:
            return
        self._workers.remove(worker)
        self._deaths = 0 if worker.started else self._deaths + 1
        if self._deaths > DEATHS_FORGIVEN:
            self._failed(
                ResourceError(
                    f"the process that composes messages ends as soon as it starts: is memory short? {RELIEF}"
                )
            )
            return
        for place, batch in enumerate(reversed(worker.batches)):
            blamed = worker.started and place == len(worker.batches) - 1
            batch.deaths += blamed
            if batch.deaths < 2:
                self._waiting.appendleft(batch)
            elif len(batch.recipients) > 1:
                for recipient, message_id in zip(reversed(batch.recipients), reversed(batch.message_ids), strict=True):
                    self._waiting.appendleft(Batch([recipient], batch.composed, batch.now, [message_id], 1))
            else:
                batch.composed(batch.recipients, ["the process that composed its message died of it"])
        self._assign()


def compose(recipient: Recipient, composer: Composer, *, message_id: str, now: float) -> Message:
    """The recipient's message: the same bytes in every attempt, as long as list and template stay the same.

    Raises ComposeError.
    """
    return composer.compose(
        recipient.address,
        json.loads(recipient.fields),
        message_id=message_id,
        date=recipient.dated_at or now,
    )


def workers_for(count: int, *, signed: bool = False) -> int:
    """How many worker processes suit this machine and `count` messages: one core is the sender's.

    A signature costs ten times what all else does: then the sender waits, and its core is a worker's as well.
    """
    cores = len(os.sched_getaffinity(0))
    if signed:
        return min(cores, MOST_SIGNING, max(count // 200, 1))
    return min(max(cores - 1, 1), 4, max(count // 1000, 1))
