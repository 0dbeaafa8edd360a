"""Where lanes hand mail over without a relay: a domain's own mail hosts, by their preference (RFC 5321 5.1)."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from campaign_cli.config.settings import Settings
from campaign_cli.engine.budgets import Budgets
from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.direct import Direct
from campaign_cli.model.dns import Dns, Exchange, Lack, Tlsa, Unresolved, Way
from campaign_cli.model.errors import NoRouteError
from campaign_cli.model.relay import Relay, Tls
from campaign_cli.model.reply import Answer, Phase, Silence
from campaign_cli.policy.budgets import Budget
from campaign_cli.policy.mta_sts import permits
from campaign_cli.policy.protection import Protection, protection
from campaign_cli.policy.providers import Providers
from campaign_cli.transport.connect import Refusal, open_session
from campaign_cli.transport.session import Session

if TYPE_CHECKING:
    from campaign_cli.engine.mta_sts import MtaSts
    from campaign_cli.transport.resolver import Resolver

log = logging.getLogger(__name__)

LEFT_ALONE = 60.0
"""Seconds for which an address that failed is not asked again: what it said stands meanwhile."""

ASKED_AT_ONCE = 20
"""Domains of one batch that DNS is asked about at once."""

REMEMBERED = 20_000
"""Domains, and addresses that failed, that are kept in mind: some 15 MB of each, however many a list has."""

T = TypeVar("T")


class Exchanges:
    """Opens sessions with the MX hosts of domains, at most `max_sessions` at once. Takes the place of `Routes`.

    Hosts of the same preference are taken by `chance`, a number from 0 to 1 for each.
    """

    limited = warming = several = False

    def __init__(
        self,
        direct: Direct,
        resolver: Resolver,
        providers: Providers,
        mta_sts: MtaSts | None,
        *,
        max_sessions: int,
        chance: Callable[[], float],
    ) -> None:
        self._direct = direct
        self._resolver = resolver
        self._providers = providers
        self._mta_sts = mta_sts
        self._chance = chance
        self._room = asyncio.Semaphore(max_sessions)
        self._asking = asyncio.Semaphore(ASKED_AT_ONCE)
        self._found: dict[str, tuple[float, Exchange | Lack]] = {}
        self._unanswered = 0
        self._failed: dict[str, tuple[float, Refusal]] = {}

    @property
    def has_room(self) -> bool:
        """Whether a session may be had without waiting for the end of another."""
        return not self._room.locked()

    async def exchanges_of(self, domains: Iterable[str]) -> dict[str, Exchange | Lack | Unresolved]:
        """Where the mail of each goes; or why nowhere, for ever or for now. Raises NoRouteError when nobody answers."""
        asked = sorted(set(domains))
        return dict(zip(asked, await asyncio.gather(*map(self._exchange_of, asked)), strict=True))

    async def _exchange_of(self, domain: str) -> Exchange | Lack | Unresolved:
        until, found = self._found.get(domain, (0.0, None))
        if found is None or until < time.monotonic():
            async with self._asking:
                answer, patterns = await asyncio.gather(self._resolver.mail_hosts(domain), self._demanded(domain))
                await self._check_answered(answer)
            if isinstance(answer, Unresolved):
                return answer
            # Not the patterns themselves: so domains whose policies differ in nothing else have one exchange.
            permitted = tuple(host for host in answer.hosts if permits(patterns, host)) if patterns else None
            found = answer.lack or Exchange(answer.preferred, permitted, answer.secure)
            _remember(self._found, domain, (time.monotonic() + answer.ttl, found))
        return found

    async def _demanded(self, domain: str) -> tuple[str, ...]:
        return await self._mta_sts.demanded(domain) if self._mta_sts else ()

    async def _check_answered(self, answer: object) -> None:
        """Raises NoRouteError when so many in a row had no answer that it may not be the domains, and it is not."""
        self._unanswered = self._unanswered + 1 if isinstance(answer, Unresolved) else 0
        if self._unanswered and self._unanswered % ASKED_AT_ONCE == 0 and (why := await self._resolver.trouble()):
            raise NoRouteError(
                f"DNS cannot be asked ({why}), and it alone knows where mail goes: "
                "mend that and run the same command again"
            )

    async def open(self, provider: str, way: Way) -> Session | Refusal:
        """A session with the first of its hosts that gives one; else what the last of them said. Raises NoRouteError
        when nobody answers where hosts are."""
        await self._room.acquire()
        opened: Session | Refusal | None = None
        try:
            assert isinstance(way, Exchange)
            opened = await self._first(way, self._providers.get(provider).tls)
        finally:
            if not isinstance(opened, Session):
                self._room.release()
        if isinstance(opened, Refusal):
            log.info("%s: no host of %s: %s", provider, ", ".join(host for _, host in way.hosts), opened)
        return opened

    async def _first(self, exchange: Exchange, least: Tls) -> Session | Refusal:
        last = Refusal(Phase.CONNECT, Silence("no host has an address"), lasting=False)
        left = self._direct.addresses
        for _, host in sorted(exchange.hosts, key=lambda each: (each[0], self._chance())):
            addresses = await self._resolver.addresses(host)
            await self._check_answered(addresses)
            if isinstance(addresses, Unresolved):
                last = Refusal(Phase.CONNECT, Silence(f"{host}: {addresses.reason}"), lasting=False)
                continue
            wanted = await self._wanted(host, exchange, least, secure=addresses.secure)
            if isinstance(wanted, Refusal):
                last = wanted
                continue
            for address in addresses.found:
                if not left:
                    return last
                left -= 1
                opened = await self._opened(host, address, wanted)
                if isinstance(opened, Session):
                    return opened
                last = opened
        return last

    async def _wanted(self, host: str, exchange: Exchange, least: Tls, *, secure: bool) -> Protection | Refusal:
        """How a session with `host`, whose addresses are `secure`, is to be protected; or why there may be none."""
        tlsa: tuple[Tlsa, ...] | Unresolved = ()
        if exchange.secure and secure and least is not Tls.OFF:
            tlsa = await self._resolver.tlsa(host, self._direct.port)
        if isinstance(tlsa, Unresolved):
            # Who can keep the records from us must not get the mail (RFC 7672 2.1.2).
            return Refusal(Phase.TLS, Silence(f"the TLSA records of {host}: {tlsa.reason}"), lasting=False)
        wanted = protection(least, sts=None if exchange.sts is None else host in exchange.sts, tlsa=tlsa)
        return wanted or Refusal(Phase.TLS, Silence(f"{host} is not among the hosts of its MTA-STS policy"), False)

    async def _opened(self, host: str, address: str, wanted: Protection) -> Session | Refusal:
        if not self._direct.allows(address):
            return Refusal(Phase.CONNECT, Silence(f"{host} has the address {address}, which is not public"), True)
        until, said = self._failed.get(address, (0.0, None))
        if said and until > time.monotonic():
            return said
        opened = await open_session(self._relay(host, address, wanted), None, address=address)
        if isinstance(opened, Refusal) and opened.phase is Phase.TLS and wanted.tls is Tls.OPPORTUNISTIC:
            # Nobody asked for TLS: mail that may go in plain text goes, whatever is wrong with theirs (RFC 7435).
            opened = await open_session(self._relay(host, address, Protection(Tls.OFF)), None, address=address)
        if isinstance(opened, Refusal):
            opened = Refusal(
                opened.phase, opened.answer, opened.lasting, f"{host} [{address}] {wanted.by and f'({wanted.by}) '}"
            )
            if opened.phase is not Phase.TLS:
                # What is wrong with its TLS is so for those alone who want it.
                _remember(self._failed, address, (time.monotonic() + LEFT_ALONE, opened))
        return opened

    def _relay(self, host: str, address: str, wanted: Protection) -> Relay:
        version = ipaddress.ip_address(address).version
        ours = (each for each in self._direct.source_addresses if ipaddress.ip_address(each).version == version)
        return Relay(
            host,
            self._direct.port,
            wanted.tls,
            title=host,
            source_address=next(ours, None),
            ehlo_name=self._direct.ehlo_name,
            tls_by=wanted.by,
            tlsa=wanted.tlsa,
        )

    async def give_back(self, session: Session) -> None:
        """A lane has no more use for `session`, and no other has one."""
        await self.close(session)

    async def close(self, session: Session) -> None:
        """End `session`."""
        try:
            await session.close()
        finally:
            session.abort()
            self._room.release()

    async def close_idle(self) -> None:
        """None is kept."""

    # ---- what lanes ask of relays ----

    def keeps(self, route: str, provider: str) -> bool:
        """A host is never given up, it speaks for its own domains alone; and none goes before one that is open."""
        return True

    def budget(self, route: str) -> tuple[Budget, ...]:
        """A host has no budget besides its provider's."""
        return ()

    def rest(self, route: str) -> float:
        """None."""
        return 0.0

    def all_rest(self, provider: str) -> float:
        """None."""
        return 0.0

    def look_at(self, route: str, budgets: Budgets) -> None:
        """There is no budget to look at."""

    def delivered(self, route: str) -> None:
        """Nothing follows."""

    def refused(self, route: str, phase: Phase, answer: Answer) -> bool:
        """There is no other way, so that is the recipient's deferral."""
        return False

    def exhausted(self, route: str, answer: Answer) -> bool:
        """The same."""
        return False


def _remember(memory: dict[str, T], key: str, value: T) -> None:
    """Keep `value` in mind, and forget the oldest where that is too much."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > REMEMBERED:
        del memory[next(iter(memory))]


def direct_routes(settings: Settings, direct: Direct, shared: SharedState, *, max_sessions: int) -> Exchanges:
    """As the settings have it; what MTA-STS says is kept in `shared`."""
    # Slow to load, and relays do not need them.
    from campaign_cli.engine.mta_sts import MtaSts
    from campaign_cli.transport.resolver import Resolver

    resolver = Resolver(settings.dns or Dns())
    mta_sts = MtaSts(direct, resolver, shared) if direct.mta_sts else None
    return Exchanges(direct, resolver, settings.providers, mta_sts, max_sessions=max_sessions, chance=random.random)
