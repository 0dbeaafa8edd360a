"""What an answer means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from campaign_cli.model.lifecycle import State


class Outcome(StrEnum):
    """What the answer that ended a transaction means for its recipient."""

    DELIVERED = State.DELIVERED
    DEFERRED = State.DEFERRED
    BOUNCED = State.BOUNCED
    UNCERTAIN = State.UNCERTAIN
    RETURNED = "returned"
    """Nothing was handed over and it was not the recipient's fault: no attempt is counted."""


class Radius(StrEnum):
    """What else the answer speaks about, from the narrowest to the widest."""

    RECIPIENT = "recipient"
    MESSAGE = "message"
    SESSION = "session"
    PROVIDER = "provider"
    ROUTE = "route"
    CAMPAIGN = "campaign"


class Action(StrEnum):
    """What follows from an answer."""

    DONE = "done"
    RETRY = "retry"
    GIVE_UP = "give up"
    SUPPRESS = "suppress the address"
    SLOW = "slow the provider"
    SWITCH = "switch the relay"
    STOP = "stop the campaign"


class ReplyClass(StrEnum):
    """What an answer says."""

    DELIVERED = "delivered"
    UNKNOWN_USER = "unknown-user"
    DISABLED = "disabled"
    BAD_DOMAIN = "bad-domain"
    CLOSED = "closed"
    MAILBOX_FULL = "mailbox-full"
    MAILBOX_RATE = "mailbox-rate"
    REFUSED = "refused"
    GREYLISTED = "greylisted"
    TEMPORARY = "temporary"
    POLICY = "policy"
    TOO_BIG = "too-big"
    REFUSED_MESSAGE = "refused-message"
    BUSY = "busy"
    PROTOCOL = "protocol"
    RATE = "rate"
    REPUTATION = "reputation"
    RELAY_QUOTA = "relay-quota"
    RELAY_LOGIN = "relay-login"
    RELAY_DENIED = "relay-denied"
    SENDER = "sender"
    AUTHENTICATION = "authentication"
    FORMAT = "format"
    CONTENT = "content"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer says and what follows. `rule` is the id of the rule that read it so."""

    reply_class: ReplyClass
    outcome: Outcome
    radius: Radius
    action: Action
    rule: str

    @property
    def suppress(self) -> bool:
        """Whether the address is never to be mailed again, by any campaign."""
        return self.action is Action.SUPPRESS
