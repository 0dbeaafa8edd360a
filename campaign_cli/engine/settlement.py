"""What became of each recipient of a lane: judged, written down, and what follows from it."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from dataclasses import replace
from typing import NamedTuple

from campaign_cli.engine.progress import LaneProgress
from campaign_cli.engine.rooms import Ready, Rooms
from campaign_cli.ledger import changes
from campaign_cli.model.dns import Lack, Unresolved
from campaign_cli.model.errors import RefusedError
from campaign_cli.model.lifecycle import State
from campaign_cli.model.outcome import Outcome, Radius, ReplyClass, Verdict
from campaign_cli.model.recipient import Recipient
from campaign_cli.model.reply import Phase, Reply
from campaign_cli.policy.breaker import REFUSALS_IN_A_ROW, RefusalsInARow
from campaign_cli.policy.outcomes import CLASSES
from campaign_cli.policy.retry import RetrySchedule, next_attempt
from campaign_cli.policy.shaping import asked_rest
from campaign_cli.transport.connect import Refusal
from campaign_cli.transport.transaction import Ending

log = logging.getLogger(__name__)

DELIVERED, TAKEN = State.DELIVERED, Outcome.DELIVERED
"""By names of their own they cost less: every delivery asks for them."""

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

    def __init__(self, rooms: Rooms, progress: LaneProgress, retry: RetrySchedule) -> None:
        self._rooms = rooms
        self._retry = retry
        self._progress = progress
        self._losses: Counter[int] = Counter()
        self._refusals = RefusalsInARow()

    def settle(self, ready: Ready, ending: Ending, verdict: Verdict, route: str, *, excused: bool) -> Settled:
        """Write down how a transaction with `route` ended. `excused`: if it came to nothing, that was others' doing."""
        recipient = ready.recipient
        if verdict.outcome is TAKEN:
            self._rooms.routes.delivered(route)
            return self._record(recipient, DELIVERED, ending, None)
        if verdict.radius is Radius.CAMPAIGN:
            self._refused(ending, verdict)
        if verdict.outcome is Outcome.RETURNED:
            if excused or self._forgiven(recipient, ending, verdict, route):
                self._give_back(recipient, ending)
                return Settled(given_back=True)
            verdict = replace(verdict, outcome=Outcome.DEFERRED)
        state, due_at = State(verdict.outcome), 0.0
        if state is State.DEFERRED:
            answer = ending.answer
            state, due_at = self._deferred(recipient, asked_rest(answer.text) if isinstance(answer, Reply) else 0.0)
        reason = self._bounced(recipient, verdict) if state is State.BOUNCED else _reason(state, ending)
        return self._record(recipient, state, ending, reason, due_at)

    def unreachable(self, recipient: Recipient, why: Lack | Unresolved | Refusal) -> float | None:
        """No session came about with any host of the recipient's domain: when that is tried again, if it is."""
        if isinstance(why, Lack):
            state, due_at, enhanced, reason = State.BOUNCED, 0.0, why.enhanced_code, str(why)
        else:
            state, due_at = self._deferred(recipient)
            enhanced, reason = _unreached(why)
        change = changes.unreachable(recipient, state, enhanced=enhanced, reason=reason, due_at=due_at, now=time.time())
        self._rooms.committer.submit(change)
        self._progress.count(state)
        log.info("line %d, %s: %s: %s", recipient.line, recipient.address.email, state, reason)
        return due_at or None

    def _bounced(self, recipient: Recipient, verdict: Verdict) -> str:
        """Suppress the address where that follows; what the report says, in words."""
        words = CLASSES[verdict.reply_class].words
        if not verdict.suppress:
            return words
        suppressed = self._rooms.suppressions.add(
            recipient.address, words, provider=self._progress.provider, results=self._progress.results
        )
        return f"{words}: suppressed" if suppressed else words

    def _refused(self, ending: Ending, verdict: Verdict) -> None:
        """What is sent was refused, not a recipient: stop the run before everybody's refusal is asked for."""
        if self._refusals.refused(self._progress.delivered):
            self._rooms.halt(
                RefusedError(
                    f"{self._progress.provider} refuses what is sent ({verdict.reply_class}): {ending.answer}. "
                    f"{REFUSALS_IN_A_ROW} in a row: mend that and run the same command again; nobody has bounced for it"
                )
            )

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
        if verdict.reply_class is ReplyClass.RELAY_QUOTA:
            return self._rooms.routes.exhausted(route, ending.answer)
        if verdict.radius is Radius.ROUTE:
            return self._rooms.routes.refused(route, ending.phase, ending.answer)
        self._losses[recipient.id] += 1
        return self._losses[recipient.id] <= LOSSES_FORGIVEN

    def _give_back(self, recipient: Recipient, ending: Ending) -> None:
        self._rooms.committer.submit(changes.unmark(recipient))
        self._progress.attempts -= 1
        log.info("line %d, %s: given back: %s", recipient.line, recipient.address.email, ending.answer)

    def _deferred(self, recipient: Recipient, asked: float = 0.0) -> tuple[State, float]:
        """When it is tried again, not before `asked` seconds; EXPIRED when its time is over."""
        now = time.time()
        at = next_attempt(
            self._retry,
            attempts=recipient.attempts + 1,
            first_attempt_at=recipient.first_attempt_at or now,
            now=now,
            chance=random.random(),  # noqa: S311
            asked=asked,
        )
        if at is None:
            return State.EXPIRED, 0.0
        return State.DEFERRED, self._rooms.opens_for(recipient, at) if self._rooms.opens_for else at


def _unreached(why: Unresolved | Refusal) -> tuple[str, str]:
    """An enhanced code (RFC 3463) and the reason in words."""
    if isinstance(why, Unresolved):
        return "4.4.3", why.reason  # directory server failure
    # Cryptographic failure; no answer from host.
    return "4.7.5" if why.phase is Phase.TLS else "4.4.1", str(why)


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
