"""What the answer that ended a transaction means: for its recipient, and how far beyond.

The order of judgement: silence; what the phase makes of it; texts and enhanced codes that say more than the reply
code; the reply code's first digit (RFC 5321 4.2.1), which decides where nothing else is known.
"""

from __future__ import annotations

import re

from campaign_cli.model.outcome import Outcome, Radius, Verdict
from campaign_cli.model.reply import Answer, Phase, Reply, Silence

LIMITS_IN_DISGUISE = {
    "5.4.5": "daily quota of the relay (support.google.com/a/answer/3726730)",
    "5.5.3": "too many recipients: temporary (RFC 5321 4.5.3.1.10)",
    "5.7.28": "unusual rate (support.google.com/a/answer/3726730)",
}
"""5yz replies that speak about pace, not about the mailbox: to be tried again, more slowly."""

MAILBOX_RATE = re.compile(r"receiving (?:e?mail|messages) at a rate", re.IGNORECASE)
"""Gmail answers 550 5.2.1 for a mailbox that gets too much mail just now; the address is good."""

OUR_ACCESS = re.compile(
    r"relay(?:ing)?(?: access)? (?:denied|not (?:permitted|allowed)|prohibited)|(?:not permitted|unable) to relay"
    r"|authentication (?:is )?(?:required|needed)|must (?:authenticate|issue a STARTTLS)",
    re.IGNORECASE,
)
"""The relay does not let us use it. Believing that about the recipients would bounce the whole list."""

ACCESS_CODES = {523, 524, 530, 534, 535, 538}
"""Authentication or TLS is missing, weak or wrong (RFC 4954 4.7, 6; RFC 5248)."""

ACCESS_ENHANCED = {"5.7.8", "5.7.9", "5.7.10", "5.7.11", "5.7.13", "5.7.14"}
"""The same, as enhanced codes (IANA registry, RFC 4954)."""

TOO_BIG = {"5.3.4", "5.2.3"}
"""The message is too big: the same reply at MAIL speaks about the message, not about the sender."""


DELIVERED = Verdict(Outcome.DELIVERED, Radius.RECIPIENT)


def classify(answer: Answer, phase: Phase) -> Verdict:
    """What `answer`, the last of a transaction, means for its recipient.

    After the final dot, 2yz is delivered (the server took it; not that it reached an inbox), 4yz deferred, 5yz
    bounced; silence, or a reply that cannot stand there, is uncertain (RFC 1047). Before it nothing was handed over:
    silence returns the recipient as it was. Never raises: an unknown code is judged by its first digit.
    """
    if isinstance(answer, Silence):
        return Verdict(Outcome.UNCERTAIN if phase is Phase.DOT else Outcome.RETURNED, Radius.SESSION)
    match answer.code // 100:
        case 2 if phase is Phase.DOT:
            return DELIVERED
        case 4:
            return _temporary(answer, phase)
        case 5:
            return _permanent(answer, phase)
        case _:
            return Verdict(Outcome.UNCERTAIN if phase is Phase.DOT else Outcome.RETURNED, Radius.SESSION)


def _temporary(reply: Reply, phase: Phase) -> Verdict:
    # 421 closes the session whatever it answers (RFC 5321 3.8); before RCPT it cannot be about the recipient.
    if reply.code == 421:
        about_us = phase is Phase.MAIL
        return Verdict(Outcome.RETURNED if about_us else Outcome.DEFERRED, Radius.SESSION)
    return Verdict(Outcome.DEFERRED, Radius.RECIPIENT)


def _permanent(reply: Reply, phase: Phase) -> Verdict:
    if phase is not Phase.DOT and _speaks_of_our_access(reply):
        return Verdict(Outcome.RETURNED, Radius.ROUTE)
    if reply.enhanced in LIMITS_IN_DISGUISE or MAILBOX_RATE.search(reply.text):
        return Verdict(Outcome.DEFERRED, Radius.PROVIDER)
    if phase is Phase.MAIL:
        # MAIL names only the sender: a refusal there must never mark a recipient as bad.
        if reply.code == 552 or reply.enhanced in TOO_BIG:
            return Verdict(Outcome.BOUNCED, Radius.MESSAGE)
        return Verdict(Outcome.RETURNED, Radius.ROUTE)
    return Verdict(Outcome.BOUNCED, Radius.RECIPIENT if phase is Phase.RCPT else Radius.MESSAGE)


def _speaks_of_our_access(reply: Reply) -> bool:
    return reply.code in ACCESS_CODES or reply.enhanced in ACCESS_ENHANCED or OUR_ACCESS.search(reply.text) is not None
