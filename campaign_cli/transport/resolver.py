"""Asking DNS where a domain's mail goes (RFC 5321 5.1), by way of dnspython."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, cast

from dns import asyncresolver, exception, flags, name, rcode, rdatatype, resolver
from dns._asyncbackend import Socket
from dns._asyncio_backend import Backend
from dns.message import QueryMessage
from dns.nameserver import Do53Nameserver

from campaign_cli.model.dns import Addresses, Dns, Lack, MailHosts, Tlsa, Unresolved

TRY = 2.0
"""Seconds after which a question is asked again, of the next nameserver if there is one; resolv.conf's 5 leave no time
for that in a whole question's."""

TROUBLE_AFTER = 3.0
"""Seconds without an answer to the plainest question after which nobody is there."""

PAYLOAD = 1232
"""Octets of an answer by UDP that get through in one piece (dnsflagday.net/2020); a longer one comes by TCP."""


class Resolver:
    """Asks nameservers. What DNS or the network does is never raised."""

    def __init__(self, dns: Dns) -> None:
        self._unconfigured = ""
        try:
            self._resolver = asyncresolver.Resolver(configure=not dns.nameservers)
        except (exception.DNSException, OSError, ValueError):
            self._resolver = asyncresolver.Resolver(configure=False)
            self._unconfigured = "this machine has no nameserver"
        if dns.nameservers:
            self._resolver.nameservers = [Do53Nameserver(address, port) for address, port in dns.nameservers]
        self._resolver.timeout = min(TRY, dns.timeout)
        self._resolver.lifetime = dns.timeout
        self._resolver.use_edns(0, 0, PAYLOAD)
        self._backend = _Backend()
        self._trusted = dns.dnssec
        if dns.dnssec:
            # So a resolver says what it has validated, without the signatures (RFC 6840 5.7).
            self._resolver.flags = flags.RD | flags.AD

    async def trouble(self) -> str:
        """Why no nameserver can be asked anything, in words; "": one can.

        It is asked for the nameservers of the root. To refuse that is an answer, too: that of an authoritative server.
        SERVFAIL is what a resolver says that has lost the network, and a root that does not exist is a lie.
        """
        if self._unconfigured:
            return self._unconfigured
        said = await self._ask(name.root, rdatatype.NS, min(TROUBLE_AFTER, self._resolver.lifetime))
        if isinstance(said, QueryMessage):
            return "" if said.rcode() == rcode.NOERROR else "the nameserver says that DNS has no root"
        return said.reason if said.lost else ""

    async def mail_hosts(self, domain: str) -> MailHosts | Unresolved:
        """The hosts that take the mail of `domain`: its MX, or itself, when it has none and an address.

        That there are none is believed only when the answer bears a SOA record: it says on whose authority (RFC 2308).
        """
        asked = name.from_text(f"{domain}.")
        mx = await self._ask(asked, rdatatype.MX)
        if isinstance(mx, _Failed):
            return Unresolved(mx.reason)
        if mx.rcode() == rcode.NXDOMAIN:
            return _none(Lack.DOMAIN, mx)
        if found := mx.resolve_chaining().answer:
            hosts: dict[str, int] = {}
            for each in found:
                if (host := each.exchange.to_text(omit_final_dot=True).lower()) != ".":
                    hosts[host] = min(each.preference, hosts.get(host, each.preference))
            names = tuple(sorted(hosts))
            preferences = tuple(hosts[host] for host in names)
            lack = None if hosts else Lack.NULL_MX
            return MailHosts(names, _ttl(mx), lack, preferences, self._secure(mx))
        for kind in (rdatatype.A, rdatatype.AAAA):
            address = await self._ask(asked, kind)
            if isinstance(address, _Failed):
                return Unresolved(address.reason)
            if address.resolve_chaining().answer:
                secure = self._secure(mx) and self._secure(address)
                return MailHosts((domain,), min(_ttl(mx), _ttl(address)), None, (0,), secure)
        return _none(Lack.HOST, mx)

    async def records(self, owner: str, kind: str) -> tuple[str, ...] | Unresolved:
        """The records of a kind at the name `owner`, as zone files have them; of TXT the text. None: empty."""
        said = await self._ask_for(owner, rdatatype.from_text(kind))
        if isinstance(said, _Failed):
            return Unresolved(said.reason)
        found = said.resolve_chaining().answer if said.rcode() != rcode.NXDOMAIN else None
        if kind == "TXT":
            return tuple(b"".join(each.strings).decode("utf-8", "replace") for each in found or ())
        return tuple(each.to_text() for each in found or ())

    async def addresses(self, host: str) -> Addresses | Unresolved:
        """The IP addresses of `host`."""
        found: list[str] = []
        failed, secure = None, True
        for kind in (rdatatype.A, rdatatype.AAAA):
            answer = await self._ask(name.from_text(f"{host}."), kind)
            if isinstance(answer, _Failed):
                failed = failed or answer
            else:
                secure = secure and self._secure(answer)
            if isinstance(answer, QueryMessage) and answer.rcode() == rcode.NOERROR:
                found += [each.address for each in answer.resolve_chaining().answer or ()]
        return Unresolved(failed.reason) if failed and not found else Addresses(tuple(found), secure)

    async def tlsa(self, host: str, port: int) -> tuple[Tlsa, ...] | Unresolved:
        """The TLSA records of a server; none where DNSSEC does not say so (RFC 7672 2.2)."""
        said = await self._ask_for(f"_{port}._tcp.{host}", rdatatype.TLSA)
        if isinstance(said, _Failed):
            return Unresolved(said.reason)
        if not self._secure(said) or said.rcode() == rcode.NXDOMAIN:
            return ()
        found = said.resolve_chaining().answer or ()
        return tuple(Tlsa(each.usage, each.selector, each.mtype, each.cert) for each in found)

    async def _ask_for(self, owner: str, kind: rdatatype.RdataType) -> QueryMessage | _Failed:
        """The answer for `owner`, which may be no name at all."""
        try:
            asked = name.from_text(f"{owner}.")
        except (exception.DNSException, UnicodeError) as error:
            return _Failed(f"{owner!r} is no name: {error}", lost=False)
        return await self._ask(asked, kind)

    def _secure(self, said: QueryMessage) -> bool:
        return self._trusted and bool(said.flags & flags.AD)

    async def _ask(
        self, asked: name.Name, kind: rdatatype.RdataType, lifetime: float | None = None
    ) -> QueryMessage | _Failed:
        """The answer, whose code is NOERROR or NXDOMAIN; else why there is none."""
        try:
            answer = await self._resolver.resolve(
                asked, kind, search=False, raise_on_no_answer=False, lifetime=lifetime, backend=self._backend
            )
        except resolver.NXDOMAIN as error:
            return cast(QueryMessage, error.kwargs["responses"][asked])
        except resolver.NoNameservers as error:
            said = error.kwargs["errors"][-1][-2]
            # A code, in words; or what went wrong on the way.
            lost = not isinstance(said, str) or said == rcode.to_text(rcode.SERVFAIL)
            return _Failed(f"DNS fails: {said}", lost)
        except exception.Timeout:
            return _Failed("DNS does not answer in time", lost=True)
        except (exception.DNSException, OSError, EOFError) as error:
            return _Failed(f"DNS makes no sense: {error}", lost=True)
        return answer.response


class _Backend(Backend):
    """Leaves no socket open where a question is cancelled while its socket is being opened."""

    async def make_socket(self, *arguments: Any, **options: Any) -> Socket:
        """A socket for a question."""
        opening = asyncio.ensure_future(super().make_socket(*arguments, **options))  # type: ignore[no-untyped-call]
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close)
            raise


def _close(opened: asyncio.Future[Any]) -> None:
    if not opened.cancelled() and opened.exception() is None:
        opened.get_loop().create_task(opened.result().close())


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why there is no answer. `lost`: it may be for want of a network rather than for what was asked."""

    reason: str
    lost: bool


def _none(lack: Lack, said: QueryMessage) -> MailHosts | Unresolved:
    if not any(each.rdtype == rdatatype.SOA for each in said.authority):
        return Unresolved(f"DNS says, on nobody's authority: {lack}")
    return MailHosts((), _ttl(said), lack)


def _ttl(said: QueryMessage) -> float:
    """Seconds: the shortest of the records that led to the answer; of one that says no, the SOA's (RFC 2308 5)."""
    return float(said.resolve_chaining().minimum_ttl)
