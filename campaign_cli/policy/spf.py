"""Whether a domain's SPF record lets an address send (RFC 7208 4). Who asks DNS is given."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from campaign_cli.model.dns import Unresolved
from campaign_cli.model.finding import Finding
from campaign_cli.policy.authentication import ENOUGH, Ask

_TERM = re.compile(r"([+?~-]?)([a-z0-9]+)(?::([^/]+))?(?:/(\d{1,3}))?(?://(\d{1,3}))?", re.IGNORECASE)

_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


class _UnknownError(Exception):
    """What the record says depends on more than the address, or DNS does not say."""


@dataclass(slots=True)
class SpfAnswer:
    """What the record of a domain says of `address`: works out what a receiver would.

    What is wrong with the record is for `SpfWalk` to tell.
    """

    ask: Ask
    address: str
    _asked: int = field(default=0, init=False)

    async def judged(self, domain: str) -> list[Finding]:
        """A finding where a record does not let the address pass."""
        try:
            said = await self._of(domain)
        except _UnknownError:
            return []
        if said in ("", "+"):
            return []
        what = {"-": "fails", "~": "softly fails", "?": "is not named"}[said]
        return [Finding("auth.spf-address", f"TXT {domain}", f"{self.address} {what}")]

    async def _of(self, domain: str) -> str:
        """The qualifier of what matches first; "?" where nothing does, "" without a record."""
        records = [each for each in await self._answer(domain, "TXT") if each.lower().split(" ")[0] == "v=spf1"]
        if len(records) != 1:
            return ""
        redirect = ""
        for term in records[0].split()[1:]:
            if term.lower().startswith("redirect="):
                redirect = term.partition("=")[2]
                continue
            found = _TERM.fullmatch(term)
            if found is None:
                # `exp=` and modifiers that nobody knows change nothing (RFC 7208 6).
                continue
            if await self._matches(found, domain):
                return found[1] or "+"
        return await self._of(_plain(redirect)) if redirect else "?"

    async def _matches(self, term: re.Match[str], domain: str) -> bool:
        """Whether a mechanism is about the address."""
        _, name, target, v4, v6 = term.groups()
        ours = ipaddress.ip_address(self.address)
        length = v4 if ours.version == 4 else v6
        match name.lower():
            case "all":
                return True
            case "ip4" | "ip6":
                length = v4
                return bool(target) and _within(ours, target, length)
            case "include":
                return await self._of(_plain(target or "")) == "+"
            case "a":
                hosts = [_plain(target or domain)]
            case "mx":
                records = await self._answer(_plain(target or domain), "MX")
                hosts = [each.split()[-1].rstrip(".") for each in records]
            case _:
                raise _UnknownError
        kind = "A" if ours.version == 4 else "AAAA"
        for host in hosts:
            if any(_within(ours, each, length) for each in await self._answer(host, kind)):
                return True
        return False

    async def _answer(self, name: str, kind: str) -> tuple[str, ...]:
        self._asked += 1
        said = await self.ask(name, kind) if self._asked <= ENOUGH else Unresolved("too many")
        if isinstance(said, Unresolved):
            raise _UnknownError
        return said


def _plain(name: str) -> str:
    """A name without macros, which only the message tells."""
    if "%" in name or not name:
        raise _UnknownError
    return name.lower().rstrip(".")


def _within(ours: _Ip, address: str, length: str | None) -> bool:
    """Whether `ours` is `address`, or in its network."""
    try:
        network = ipaddress.ip_network(f"{address}/{length}" if length else address, strict=False)
    except ValueError:
        return False
    return ours.version == network.version and ours in network
