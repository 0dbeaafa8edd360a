"""Where lanes hand mail over without a relay: a domain's own mail hosts, by their preference (RFC 5321 5.1)."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from campaign_cli.engine.budgets import Budgets
from campaign_cli.model.direct import Direct
from campaign_cli.model.dns import Exchange, Lack, MailHosts, Unresolved
from campaign_cli.model.errors import NoRouteError
from campaign_cli.model.relay import Relay, Tls
from campaign_cli.model.reply import Answer, Phase, Silence
from campaign_cli.policy.budgets import Budget
from campaign_cli.transport.connect import Refusal, open_session
from campaign_cli.transport.session import Session

if TYPE_CHECKING:
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

    limited = warming = False

    def __init__(self, direct: Direct, resolver: Resolver, *, max_sessions: int, chance: Callable[[], float]) -> None:
        self._direct = direct
        self._resolver = resolver
        self._chance = chance
        self._room = asyncio.Semaphore(max_sessions)
        self._asking = asyncio.Semaphore(ASKED_AT_ONCE)
        self._found: dict[str, tuple[float, MailHosts]] = {}
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
                answer = await self._resolver.mail_hosts(domain)
                await self._check_answered(answer)
            if isinstance(answer, Unresolved):
                return answer
            found = answer
            _remember(self._found, domain, (time.monotonic() + found.ttl, found))
        return found.lack or found.exchange

    async def _check_answered(self, answer: object) -> None:
        """Raises NoRouteError when so many in a row had no answer that it may not be the domains, and it is not."""
        self._unanswered = self._unanswered + 1 if isinstance(answer, Unresolved) else 0
        if self._unanswered and self._unanswered % ASKED_AT_ONCE == 0 and (why := await self._resolver.trouble()):
            raise NoRouteError(
                f"DNS cannot be asked ({why}), and it alone knows where mail goes: "
                "mend that and run the same command again"
            )

    async def open(self, provider: str, exchange: Exchange | None) -> Session | Refusal:
        """A session with the first of its hosts that gives one; else what the last of them said. Raises NoRouteError
        when nobody answers where hosts are."""
        await self._room.acquire()
        opened: Session | Refusal | None = None
        try:
            opened = await self._first(exchange or ())
        finally:
            if not isinstance(opened, Session):
                self._room.release()
        if isinstance(opened, Refusal):
            log.info("%s: no host of %s: %s", provider, ", ".join(host for _, host in exchange or ()), opened)
        return opened

    async def _first(self, exchange: Exchange) -> Session | Refusal:
        last = Refusal(Phase.CONNECT, Silence("no host has an address"), lasting=False)
        left = self._direct.addresses
        for _, host in sorted(exchange, key=lambda each: (each[0], self._chance())):
            addresses = await self._resolver.addresses(host)
            await self._check_answered(addresses)
            if isinstance(addresses, Unresolved):
                last = Refusal(Phase.CONNECT, Silence(f"{host}: {addresses.reason}"), lasting=False)
                continue
            for address in addresses:
                if not left:
                    return last
                left -= 1
                opened = await self._opened(host, address)
                if isinstance(opened, Session):
                    return opened
                last = opened
        return last

    async def _opened(self, host: str, address: str) -> Session | Refusal:
        if not (self._direct.allow_private or is_public(address)):
            return Refusal(Phase.CONNECT, Silence(f"{host} has the address {address}, which is not public"), True)
        until, said = self._failed.get(address, (0.0, None))
        if said and until > time.monotonic():
            return said
        opened = await open_session(self._relay(host, address, Tls.OPPORTUNISTIC), None, address=address)
        if isinstance(opened, Refusal) and opened.phase is Phase.TLS:
            # Nobody asked for TLS: mail that may go in plain text goes, whatever is wrong with theirs (RFC 7435).
            opened = await open_session(self._relay(host, address, Tls.OFF), None, address=address)
        if isinstance(opened, Refusal):
            opened = Refusal(opened.phase, opened.answer, opened.lasting, f"{host} [{address}] ")
            _remember(self._failed, address, (time.monotonic() + LEFT_ALONE, opened))
        return opened

    def _relay(self, host: str, address: str, tls: Tls) -> Relay:
        version = ipaddress.ip_address(address).version
        ours = (each for each in self._direct.source_addresses if ipaddress.ip_address(each).version == version)
        return Relay(
            host,
            self._direct.port,
            tls,
            title=host,
            source_address=next(ours, None),
            ehlo_name=self._direct.ehlo_name,
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

    def works(self, route: str) -> bool:
        """A host is never given up: it speaks for its own domains alone."""
        return True

    def outranked(self, route: str, provider: str) -> bool:
        """What is open is used, whatever works again before it."""
        return False

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


def is_public(address: str) -> bool:
    """Whether mail from outside can be meant for `address`: it is not private, loopback, link-local or multicast."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return ip.is_global and not ip.is_multicast
