"""A template or a sender that changes in mid-campaign: noticed before the others get what the first ones did not."""

from __future__ import annotations

import time
from dataclasses import dataclass

from campaign_cli.config.settings import Settings
from campaign_cli.engine.preparation import Prepared
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.revisions import Revision
from campaign_cli.ledger.view import LedgerView


@dataclass(frozen=True, slots=True)
class Change:
    """What would be sent now is not what was sent before: `what` says it in words.

    `sent_to` counts those who were sent to before, `left` those who would get the changed message, and `twice` those
    of them who may have had the other one already.
    """

    name: str
    what: str
    sent_to: int
    left: int
    twice: int

    @property
    def text(self) -> str:
        """What has changed, since when, and for whom."""
        twice = f", of whom {self.twice:,} may already have had the other one, under the same Message-ID"
        return (
            f"what {self.name!r} sends has changed since {self.sent_to:,} {_recipients(self.sent_to)} sent to: "
            f"{self.what}; {self.left:,} would get the changed message{twice if self.twice else ''}"
        )


def _recipients(count: int) -> str:
    return "recipient was" if count == 1 else "recipients were"


def to_send(ledger: LedgerView, settings: Settings) -> int:
    """How many recipients a run would send to, those that are to be sent again included."""
    return sum(work.count for work in ledger.work()) + (ledger.uncertain() if settings.resend_uncertain else 0)


def find_change(ledger: LedgerView, settings: Settings, prepared: Prepared) -> Change | None:
    """What a person should know before the run goes on; None: nothing has changed, or nobody is the worse for it.

    The list is enrolled, and nobody has been marked yet. In the sandbox nothing is ever the worse.
    """
    current, digest, known = ledger.revisions.current(), prepared.composer.digest, ledger.revisions.all()
    if prepared.sandbox or current is None or [each.digest for each in known] == [digest]:
        return None
    twice = ledger.revisions.handed_over(digest, ledger.listing, resend_uncertain=settings.resend_uncertain)
    # A change that has been agreed to for those who had none is another one for who may have had one.
    if current.digest == digest and not twice:
        return None
    left = to_send(ledger, settings)
    same = {each.number for each in known if each.digest == digest}
    sent_to = sum(count for number, count in ledger.revisions.sent_to().items() if number not in same)
    if not left or not sent_to:
        return None
    return Change(prepared.name, _what(current, prepared), sent_to, left, twice)


def _what(before: Revision, prepared: Prepared) -> str:
    template, sender = str(prepared.template.path), str(prepared.composer.sender)
    found = []
    if before.sender != sender:
        found.append(f"the sender was {before.sender} and is {sender}")
    if before.template != template:
        found.append(f"the template was {before.template} and is {template}")
    # The hash alone says that something else has changed, and not what.
    return (
        ", and ".join(found)
        or f"{template}, its subject, its headers, its variants, its links, its keys, or a file in it or beside it is "
        "not what it was"
    )


def use_revision(ledger: Ledger, prepared: Prepared) -> None:
    """Have the ledger say of everybody who is sent to from now on that it was with this template and sender."""
    ledger.revisions.use(
        prepared.composer.digest,
        template=str(prepared.template.path),
        sender=str(prepared.composer.sender),
        now=time.time(),
        split=prepared.composer.split,
    )
