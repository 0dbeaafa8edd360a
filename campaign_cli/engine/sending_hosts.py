"""The hosts that will send: relays, which are asked what they take, and the addresses that receivers will see."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import replace
from typing import TYPE_CHECKING

from campaign_cli.config.settings import Settings
from campaign_cli.engine.findings import Findings
from campaign_cli.model.dns import Unresolved
from campaign_cli.model.finding import Finding
from campaign_cli.model.relay import Relay
from campaign_cli.policy.sending_host import judged_greeting, judged_listing, judged_name
from campaign_cli.policy.spf import SpfAnswer
from campaign_cli.transport import certificates

if TYPE_CHECKING:
    from campaign_cli.transport.resolver import Resolver


async def ask_relays(settings: Settings, found: Findings) -> dict[str, int]:
    """How many octets each relay takes, by its name, as its EHLO says (RFC 1870); one without a limit is left out.

    Nobody logs in, and no transaction begins. `found` is told of a relay that cannot be asked.
    """
    # One whose certificate cannot be used has been told.
    relays = [each for each in settings.relays if not certificates.unusable([each])]
    sizes = await asyncio.gather(*[_size(each, found) for each in relays])
    return {relay.name: size for relay, size in zip(relays, sizes, strict=True) if size}


async def _size(relay: Relay, found: Findings) -> int | None:
    from campaign_cli.transport.connect import Refusal, open_session

    session = await open_session(replace(relay, user=None), None)
    if isinstance(session, Refusal):
        found.add([Finding("relay.unreachable", f"relay {relay.name}", str(session))])
        return None
    try:
        await session.close()
    finally:
        session.abort()
    return session.offers.size


async def look_at_addresses(settings: Settings, resolver: Resolver, bounces: str, notes: list[str]) -> list[Finding]:
    """What DNS says of the addresses that mail will come from: this machine's with `delivery: mx`, else the relays'.

    `bounces` is the return path's domain.
    """
    ask = resolver.records
    findings: list[Finding] = []
    addresses: list[str] = []
    if settings.direct:
        addresses += settings.direct.source_addresses
        if not addresses:
            notes.append("mx has no source_address: PTR and SPF of the one that mail comes from were not looked at")
        for address in addresses:
            findings += await judged_name(ask, address)
            findings += await SpfAnswer(ask, address).judged(bounces)
            if name := settings.direct.ehlo_name:
                findings += await judged_greeting(ask, name, address)
    elif settings.dnsbl:
        for host in dict.fromkeys(relay.host for relay in settings.relays):
            said = await _addresses(resolver, host)
            if isinstance(said, Unresolved):
                findings.append(Finding("dns.unanswered", f"relay {host}", said.reason))
            else:
                addresses += said
    for zone in settings.dnsbl:
        for address in dict.fromkeys(addresses):
            findings += await judged_listing(ask, address, zone)
    return findings


async def _addresses(resolver: Resolver, host: str) -> tuple[str, ...] | Unresolved:
    try:
        return (str(ipaddress.ip_address(host)),)
    except ValueError:
        said = await resolver.addresses(host)
    return said if isinstance(said, Unresolved) else said.found
