"""What the lanes of a run share, and what passes between their parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from campaign_cli.engine.budgets import Budgets
from campaign_cli.engine.composers import Composers
from campaign_cli.engine.exchanges import Exchanges
from campaign_cli.engine.routes import Routes
from campaign_cli.engine.suppressions import Suppressions
from campaign_cli.ledger.committer import Committer
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.address import Address
from campaign_cli.model.dns import Way
from campaign_cli.model.envelope import Message
from campaign_cli.model.errors import CampaignError
from campaign_cli.model.recipient import Recipient
from campaign_cli.policy.limits import UNBOUNDED
from campaign_cli.policy.outcomes import Replies
from campaign_cli.policy.retry import RetrySchedule
from campaign_cli.policy.shaping import Shaping


@dataclass(slots=True)
class Allotment:
    """How many more transactions this run may start: what `--limit` lets it, else more than there can be."""

    left: int = UNBOUNDED


@dataclass(frozen=True, slots=True)
class Rooms:
    """What every lane of a run works with."""

    ledger: Ledger
    committer: Committer
    budgets: Budgets
    routes: Routes | Exchanges
    composers: Composers
    envelope_sender: Address
    retry: RetrySchedule
    patience: float
    allotment: Allotment
    replies: Replies
    shaping: Shaping
    shared: SharedState
    suppressions: Suppressions
    opens_for: Callable[[Recipient, float], float] | None
    """When a recipient may next be sent to, who may not be at all hours; moments are UTC seconds."""
    halt: Callable[[CampaignError], None]
    """Stops the run, because of an error that no lane can go on with."""


class Ready(NamedTuple):
    """A recipient whose message is composed."""

    recipient: Recipient
    message: Message
    way: Way = None
