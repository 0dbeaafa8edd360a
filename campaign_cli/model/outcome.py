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


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome and how far it reaches."""

    outcome: Outcome
    radius: Radius
