"""A test message: to one address, as a contact of the list would get it, in no campaign's ledger.

It goes the way of all others: a route, a session, a transaction, and the budget of the mailbox's provider.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from campaign_cli.config.replies import replies_of
from campaign_cli.config.settings import Settings
from campaign_cli.content.variants import only
from campaign_cli.engine.budgets import Budgets
from campaign_cli.engine.campaign import write_shared
from campaign_cli.engine.enrolment import known_groups
from campaign_cli.engine.exchanges import Exchanges
from campaign_cli.engine.passwords import Passwords
from campaign_cli.engine.preparation import Prepared
from campaign_cli.engine.routes import Routes
from campaign_cli.engine.routing import relays_of, routes_of
from campaign_cli.engine.samples import FreshIds, as_recipients, composed
from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.address import Address
from campaign_cli.model.contact import Contact
from campaign_cli.model.dns import Lack, Unresolved
from campaign_cli.model.duration import format_duration
from campaign_cli.model.envelope import Envelope, Message
from campaign_cli.model.errors import CampaignError, ExitCode, ListError, NoRouteError
from campaign_cli.model.outcome import Outcome, Verdict
from campaign_cli.policy.budgets import Budget
from campaign_cli.transport.connect import Refusal
from campaign_cli.transport.session import Session
from campaign_cli.transport.transaction import Ending, Transaction


class SuppressedError(CampaignError):
    """The address is never mailed, not even a test."""


class OverBudgetError(CampaignError):
    """What the provider's limit allows is used up at the moment."""

    exit_code = ExitCode.REMAINING


@dataclass(frozen=True, slots=True)
class Trial:
    """How a test message ended. `suppressed` is why the contact whose message it is would not get it; "": it would."""

    contact: Contact
    to: Address
    message: Message
    variant: str
    provider: str
    route: str
    ending: Ending
    verdict: Verdict
    suppressed: str

    @property
    def exit_code(self) -> ExitCode:
        """0: it was taken; 75: not now; 3: it was refused, or may have arrived."""
        match self.verdict.outcome:
            case Outcome.DELIVERED:
                return ExitCode.DONE
            case Outcome.DEFERRED | Outcome.RETURNED:
                return ExitCode.REMAINING
            case _:
                return ExitCode.INCOMPLETE


def send_trial(
    settings: Settings, prepared: Prepared, contact: Contact, to: Address, variant: str | None = None
) -> Trial:
    """Send `to` the message of `contact`, marked as a test; its link for unsubscribing is that of `to`.

    With a `variant` it is in that one, else in the contact's. Raises UsageError where there is none of that name,
    ListError where the message cannot be made, SuppressedError, OverBudgetError, NoRouteError.
    """
    composer = only(prepared.composer, variant) if variant else prepared.composer.of(contact.address)
    (message,) = composed(as_recipients([contact], to), composer.for_trial(), FreshIds())
    if isinstance(message, str):
        raise ListError(f"{prepared.contacts.source}:{contact.line}: {contact.address.email}: {message}")
    passwords = Passwords(settings)
    shared = write_shared(prepared.folder)
    try:
        if reason := shared.suppression(to):
            raise SuppressedError(
                f"{to.email} is suppressed ({reason}), so nothing is sent to it: name another address, or run "
                f"`campaign suppress remove {to.email}` first"
            )
        provider = known_groups(settings, shared).provider_of(to.domain)
        transaction = Transaction(Envelope(prepared.envelope_sender, to), message.content)
        route, ending = asyncio.run(_sent(settings, prepared, shared, passwords, provider, transaction))
        return Trial(
            contact=contact,
            to=to,
            message=message,
            variant=composer.variant,
            provider=provider,
            route=route,
            ending=ending,
            verdict=replies_of(settings).classify(ending.answer, ending.phase, provider),
            suppressed=shared.suppression(contact.address) or "",
        )
    finally:
        shared.close()


async def _sent(
    settings: Settings,
    prepared: Prepared,
    shared: SharedState,
    passwords: Passwords,
    provider: str,
    transaction: Transaction,
) -> tuple[str, Ending]:
    """The route that it went, and how it ended."""
    async with relays_of(prepared) as relays:
        routes = routes_of(settings, relays, passwords, shared, max_sessions=1)
        try:
            session = await _opened(routes, provider, transaction.envelope.recipient.domain)
            try:
                budget = settings.providers.get(provider).budget
                await _charged(shared, (budget, *routes.budget(session.route)))
                refusal = session.offers.refusal(transaction.envelope, transaction.content)
                return session.route, refusal or await _carried(session, transaction)
            finally:
                await routes.close(session)
        finally:
            await routes.close_idle()


async def _opened(routes: Routes | Exchanges, provider: str, domain: str) -> Session:
    """A session that the message can go over. Raises NoRouteError where there is none."""
    exchange = (await routes.exchanges_of([domain]))[domain] if isinstance(routes, Exchanges) else None
    if isinstance(exchange, Lack | Unresolved):
        why = exchange.reason if isinstance(exchange, Unresolved) else exchange
        raise NoRouteError(f"{domain} cannot be sent to: {why}")
    session = await routes.open(provider, exchange)
    if isinstance(session, Refusal):
        raise NoRouteError(f"{domain} cannot be sent to: {session}")
    return session


async def _charged(shared: SharedState, budgets: tuple[Budget, ...]) -> None:
    """Charge these for one transaction, which starts at once. Raises OverBudgetError where they do not allow it."""
    granted: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    asked = Budgets(shared, granted.set_exception)
    asked.charge("", [(budgets, 1)], lambda counts: granted.set_result(counts[0]))
    if not await granted:
        wait, name = max((asked.allowance(each).wait, each.name) for each in budgets)
        raise OverBudgetError(
            f"the limit of {name} allows nothing more now, and a test message counts as any other: "
            f"run it again in {format_duration(max(wait, 1.0))}"
        )


async def _carried(session: Session, transaction: Transaction) -> Ending:
    one = _One(transaction)
    session.client = one
    session.pump()
    # No ledger has to know of it first.
    session.durable(transaction)
    return await one.ending


class _One:
    """A session's client that has one transaction and no more."""

    def __init__(self, transaction: Transaction) -> None:
        self._next: Transaction | None = transaction
        self.ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    def next_for(self, session: Session) -> Transaction | None:
        """The one, once."""
        one, self._next = self._next, None
        return one

    def ended(self, session: Session, transaction: Transaction, ending: Ending) -> None:
        """It has ended."""
        self.ending.set_result(ending)

    def idle(self, session: Session) -> None:
        """Nothing more is to be done on it."""
