"""What DNS says of the host that sends: its name, and whether it is on a blocklist. Who asks DNS is given."""

from __future__ import annotations

import ipaddress
import re

from campaign_cli.model.dns import Unresolved
from campaign_cli.model.finding import Finding
from campaign_cli.policy.authentication import Ask, tags

LISTED = ipaddress.ip_network("127.0.0.0/8")
"""What a blocklist answers for an address that is on it (RFC 5782 2.1)."""

REFUSED = ipaddress.ip_network("127.255.255.0/24")
"""What Spamhaus answers whom it does not answer (www.spamhaus.org/faqs, "DNSBL usage": error codes); others do as it
does."""

TEST_ENTRY = "127.0.0.2"
"""The address that is on every blocklist of addresses, so that one can tell that it is one (RFC 5782 5)."""

MOST_NAMES = 10
"""Names of an address that are looked at: receivers follow no more (RFC 7208 5.5)."""

_ID = re.compile(r"[A-Za-z0-9]{1,32}")


async def judged_name(ask: Ask, address: str) -> list[Finding]:
    """What is wrong with the name that DNS has for `address`: PTR, and that the name leads back to it."""
    place = f"PTR {address}"
    names = await ask(ipaddress.ip_address(address).reverse_pointer, "PTR")
    if isinstance(names, Unresolved):
        return [Finding("dns.unanswered", place, names.reason)]
    if not names:
        return [Finding("dns.ptr", place, "there is no PTR record")]
    unresolved = None
    for name in names[:MOST_NAMES]:
        found = await _addresses(ask, name.rstrip("."), address)
        if isinstance(found, Unresolved):
            unresolved = Finding("dns.unanswered", place, f"{name}: {found.reason}")
        elif address in found:
            return []
    return [unresolved or Finding("dns.ptr-forward", place, f"{names[0].rstrip('.')} has not this address")]


async def judged_greeting(ask: Ask, name: str, address: str) -> list[Finding]:
    """Whether `name`, which EHLO says, leads to `address`."""
    found = await _addresses(ask, name, address)
    if isinstance(found, Unresolved):
        return [Finding("dns.unanswered", f"EHLO {name}", found.reason)]
    return [] if address in found else [Finding("dns.ehlo", f"EHLO {name}", f"it does not lead to {address}")]


async def _addresses(ask: Ask, name: str, like: str) -> tuple[str, ...] | Unresolved:
    """The addresses of `name`, of the kind that `like` is of, in their usual form."""
    said = await ask(name, "A" if ipaddress.ip_address(like).version == 4 else "AAAA")
    return said if isinstance(said, Unresolved) else tuple([str(ipaddress.ip_address(each)) for each in said])


async def judged_listing(ask: Ask, address: str, zone: str) -> list[Finding]:
    """Whether `address` is on the blocklist `zone` (RFC 5782), and what that says of it."""
    place = f"{zone} {address}"
    for known, must in ((TEST_ENTRY, True), (address, False)):
        name = f"{ipaddress.ip_address(known).reverse_pointer.rsplit('.', 2)[0]}.{zone}"
        said = await ask(name, "A")
        if isinstance(said, Unresolved):
            return [Finding("dns.unanswered", place, said.reason)]
        codes = [code for code in said if ipaddress.ip_address(code) in LISTED]
        if refused := [code for code in codes if ipaddress.ip_address(code) in REFUSED]:
            return [Finding("dns.unanswered", place, f"it answers no questions of this nameserver ({refused[0]})")]
        if must and not codes:
            what = f"it does not have {TEST_ENTRY} on it, as blocklists do: is that its name?"
            return [Finding("dns.unanswered", place, what)]
    if not codes:
        return []
    why = await ask(name, "TXT")
    words = f": {why[0][:200]}" if why and not isinstance(why, Unresolved) else ""
    return [Finding("dns.listed", place, f"it says {', '.join(codes)}{words}")]


async def judged_mta_sts(ask: Ask, domain: str) -> list[Finding]:
    """What is wrong with the MTA-STS record of `domain`, where there is one (RFC 8461 3.1)."""
    place = f"TXT _mta-sts.{domain}"
    said = await ask(f"_mta-sts.{domain}", "TXT")
    if isinstance(said, Unresolved):
        return [Finding("dns.unanswered", place, said.reason)]
    records = [each for each in said if each.startswith("v=STSv1")]
    if len(records) > 1:
        return [Finding("dns.mta-sts", place, f"there are {len(records)}, and then there is none")]
    if records and not _ID.fullmatch((tags(records[0]) or {}).get("id", "")):
        return [Finding("dns.mta-sts", place, f"{records[0][:60]!r} has no id of letters and digits")]
    return []
