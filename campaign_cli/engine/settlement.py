"""What became of each recipient of a lane: judged, written down, and what follows from it."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from typing import NamedTuple

from campaign_cli.engine.progress import LaneProgress
from campaign_cli.engine.rooms import Ready, Rooms
from campaign_cli.ledger import changes
from campaign_cli.model.lifecycle import State
from campaign_cli.model.outcome import Outcome, Radius, Verdict
from campaign_cli.model.recipient import Recipient
from campaign_cli.model.reply import Reply
from campaign_cli.policy.retry import next_attempt
from campaign_cli.transport.transaction import Ending

log = logging.getLogger(__name__)

LOSSES_FORGIVEN = 1
"""How often in a run a session may end in a recipient's transaction before that counts as a deferral. RFC 5321 3.8
counts every time; one that is lost by chance should not cost a wait, one that is lost by its content must."""


class Settled(NamedTuple):
    """What follows: the recipient is the lane's again, as it was; or is to be tried again at `due_at` (UTC seconds)."""

    given_back: bool = False
    due_at: float | None = None


SETTLED = Settled()
"""The recipient has a final result: nothing follows."""


class Settlement:
    """Settles the transactions of one lane with the ledger."""

    def __init__(self, rooms: Rooms, progress: LaneProgress) -> None:
        self._rooms = rooms
        self._progress = progress
        self._losses: Counter[int] = Counter()

    def settle(self, ready: Ready, ending: Ending, verdict: Verdict, route: str, *, excused: bool) -> Settled:
        """Write down how a transaction with `route` ended. `excused`: if it came to nothing, that was others' doing."""
        recipient = ready.recipient
        if verdict.outcome is Outcome.DELIVERED:
            self._rooms.routes.delivered(route)
            return self._record(recipient, State.DELIVERED, ending, None)
        if verdict.outcome is Outcome.RETURNED:
            if excused or self._forgiven(recipient, ending, verdict, route):
                self._give_back(recipient, ending)
                return Settled(given_back=True)
            verdict = Verdict(Outcome.DEFERRED, verdict.radius)
        state, due_at = State(verdict.outcome), 0.0
        if state is State.DEFERRED:
            state, due_at = self._deferred(recipient)
        return self._record(recipient, state, ending, _reason(state, ending), due_at)

    def _record(
        self, recipient: Recipient, state: State, ending: Ending, reason: str | None, due_at: float = 0.0
    ) -> Settled:
        reply = ending.answer if isinstance(ending.answer, Reply) else None
        self._rooms.committer.submit(changes.record(recipient, state, reply=reply, reason=reason, due_at=due_at))
        self._progress.count(state)
        if log.isEnabledFor(logging.INFO):
            log.info("line %d, %s: %s: %s", recipient.line, recipient.address.email, state, reply or reason)
        return Settled(due_at=due_at) if due_at else SETTLED

    def _forgiven(self, recipient: Recipient, ending: Ending, verdict: Verdict, route: str) -> bool:
        """Whether the recipient is given back as it was; False when it is time to count it as a deferral."""
        if verdict.radius is Radius.ROUTE:
            return self._rooms.routes.refused(route, ending.phase, ending.answer)
        self._losses[recipient.id] += 1
        return self._losses[recipient.id] <= LOSSES_FORGIVEN

    def _give_back(self, recipient: Recipient, ending: Ending) -> None:
        self._rooms.committer.submit(changes.unmark(recipient))
        self._progress.attempts -= 1
        log.info("line %d, %s: given back: %s", recipient.line, recipient.address.email, ending.answer)

    def _deferred(self, recipient: Recipient) -> tuple[State, float]:
        """When it is tried again; EXPIRED when its time is over."""
        now = time.time()
        at = next_attempt(
            self._rooms.retry,
            attempts=recipient.attempts + 1,
            first_attempt_at=recipient.first_attempt_at or now,
            now=now,
            chance=random.random(),  # noqa: S311
        )
        return (State.EXPIRED, 0.0) if at is None else (State.DEFERRED, at)


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
