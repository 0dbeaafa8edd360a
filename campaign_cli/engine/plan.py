"""The dry run: what a run would do, worked out by the same code on a copy, touching neither network nor state."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from campaign_cli.config.settings import Settings
from campaign_cli.content.preview import Preview, preview
from campaign_cli.engine.campaign import read_shared
from campaign_cli.engine.enrolment import asks_dns, enrol
from campaign_cli.engine.forecast import Forecast
from campaign_cli.engine.preparation import Prepared
from campaign_cli.engine.revision import Change, find_change
from campaign_cli.engine.routes import check_served
from campaign_cli.engine.samples import composed
from campaign_cli.engine.schedule import Schedule
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.shared import SharedState
from campaign_cli.ledger.view import LedgerView
from campaign_cli.model.envelope import Message
from campaign_cli.model.recipient import Recipient
from campaign_cli.policy.limits import left
from campaign_cli.policy.providers import Providers

SAMPLES = 2
"""Messages shown as they would be sent: one to read, one to see what changes."""

SEARCHED = 100
"""Recipients among whom the first of each variant is looked for."""


@dataclass(frozen=True, slots=True)
class Group:
    """The recipients of one provider. `left_now` is None without a limit; `seconds` is how long its limit makes it."""

    provider: str
    recipients: int
    rate: str
    left_now: int | None
    connections: int
    seconds: float
    why: str
    """What its provider said, if it is held back."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A message as it would be sent, or in words why it cannot be made; and its variant, "" where there are none."""

    message: Preview | str
    variant: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do. `states` counts the rows of the list by state: their sum is the number of rows.

    `domains_to_group` counts the domains whose MX hosts a run would ask for, so that their groups may be others.
    `variants` counts the recipients by the variant that they would get, where there are variants.
    `change` is what a run would ask about, `strange` why it would refuse the ledger, in words.
    """

    name: str
    source: str
    template: str
    report: str
    states: dict[str, int]
    withdrawn: int
    groups: tuple[Group, ...]
    domains_to_group: int
    variants: dict[str, int]
    samples: tuple[Sample, ...]
    change: Change | None
    strange: str | None
    schedule: Schedule
    relay_seconds: float

    @property
    def rows(self) -> int:
        """Rows in the list."""
        return sum(self.states.values())

    @property
    def recipients(self) -> int:
        """How many would be sent to."""
        return sum(group.recipients for group in self.groups)

    @property
    def seconds(self) -> float:
        """How long the limits make it: the slowest group, for all run at once, or the relay."""
        return max([self.relay_seconds, *(group.seconds for group in self.groups)])


def make_plan(settings: Settings, prepared: Prepared) -> Plan:
    """The plan of a run that would start now. The list is enrolled in a copy of the ledger, in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="campaign-") as temporary:
        shared = read_shared(prepared.folder) or SharedState.open(Path(temporary, "shared.db"))
        try:
            ledger, strange = _enrolled_copy(Path(temporary, "ledger.db"), settings, prepared, shared)
            try:
                change = find_change(ledger, settings, prepared)
                if settings.resend_uncertain:
                    ledger.resend_uncertain()
                forecast = Forecast(settings, prepared, shared)
                groups = _groups(ledger, shared, settings.providers, forecast)
                if prepared.relays and prepared.sandbox is None:
                    known = [each.provider for each in groups if not _to_group([each], settings)]
                    check_served(prepared.relays, known)
                return Plan(
                    name=prepared.name,
                    source=prepared.contacts.source,
                    template=str(prepared.template.path),
                    report=str(prepared.report),
                    states=ledger.states(),
                    withdrawn=ledger.withdrawn(),
                    groups=groups,
                    domains_to_group=_to_group(groups, settings),
                    variants=_variants(ledger, prepared),
                    samples=_samples(ledger, prepared),
                    change=change,
                    strange=strange,
                    schedule=Schedule(settings),
                    relay_seconds=forecast.of_relay(sum(each.recipients for each in groups)).whole,
                )
            finally:
                ledger.close()
        finally:
            shared.close()


def _enrolled_copy(
    path: Path, settings: Settings, prepared: Prepared, shared: SharedState
) -> tuple[Ledger, str | None]:
    """A ledger at `path` that is as the campaign's would be, and what is strange about that one."""
    strange = None
    existing = prepared.folder.ledger(prepared.name)
    if existing.exists():
        original = LedgerView.read(existing)
        original.copy_to(path)
        strange = original.noticed(shared, prepared.name) if prepared.sandbox is None else None
        original.close()
    ledger = Ledger.open(path, name=prepared.name, shared=shared, now=time.time())
    ledger.recover()
    enrol(ledger, shared, settings, prepared)
    return ledger, strange


def _groups(ledger: LedgerView, shared: SharedState, providers: Providers, forecast: Forecast) -> tuple[Group, ...]:
    groups = []
    for work in ledger.work():
        provider = providers.get(work.provider)
        budget, backoff = shared.today(provider.budget), shared.backoffs.get(work.provider)
        groups.append(
            Group(
                provider=work.provider,
                recipients=work.count,
                rate=provider.pace.text,
                left_now=left(budget.pace, shared.charges(budget), shared.now()),
                connections=min(provider.connections, work.count),
                seconds=forecast.of_group(work.provider, work.count).whole,
                why=backoff.why if backoff else "",
            )
        )
    return tuple(groups)


def _to_group(groups: Sequence[Group], settings: Settings) -> int:
    return sum(settings.providers.to_be_found(each.provider) for each in groups) if asks_dns(settings) else 0


def _variants(ledger: LedgerView, prepared: Prepared) -> dict[str, int]:
    split = prepared.composer.split
    if split is None:
        return {}
    counts = Counter(map(split.variant_of, ledger.left()))
    return {name: counts[name] for name, _ in split.weights}


def _samples(ledger: LedgerView, prepared: Prepared) -> tuple[Sample, ...]:
    """The first messages, with variants the first of each; for one that cannot be made, why."""
    composer = prepared.composer
    if composer.split:
        first: dict[str, Recipient] = {}
        for each in ledger.samples(SEARCHED):
            first.setdefault(composer.split.variant_of(each.address.key), each)
        recipients = list(first.values())
    else:
        recipients = ledger.samples(SAMPLES)
    made = composed(recipients, composer, ledger)
    return tuple(
        Sample(
            preview(message)
            if isinstance(message, Message)
            else f"line {recipient.line}, {recipient.address.email}: {message}",
            composer.of(recipient.address).variant,
        )
        for recipient, message in zip(recipients, made, strict=True)
    )
