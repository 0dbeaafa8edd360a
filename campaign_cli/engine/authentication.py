"""Whether receivers will believe who sends: From, the keys that sign, and what DNS says of both and the return path."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Iterator
from typing import TYPE_CHECKING

from campaign_cli.config.settings import Settings
from campaign_cli.content.keys import ADVISED, Algorithm, DkimKey, read_key
from campaign_cli.model.dns import MailHosts, Unresolved
from campaign_cli.model.errors import ConfigError
from campaign_cli.model.finding import Finding
from campaign_cli.policy.authentication import Ask, SpfWalk, judged_key, read_dmarc
from campaign_cli.policy.domains import suffixes
from campaign_cli.policy.sending_host import judged_mta_sts

if TYPE_CHECKING:
    from campaign_cli.transport.resolver import Resolver


def readable_keys(settings: Settings) -> list[DkimKey]:
    """The DKIM keys that can be read; what is wrong with others is told by `prepare`."""
    keys = []
    for file in settings.dkim:
        try:
            keys.append(read_key(file.key, domain=file.domain, selector=file.selector))
        except ConfigError:
            continue
    return keys


def judged_sender(settings: Settings, domain: str) -> Iterator[Finding]:
    """What the settings alone tell of who sends from `domain`."""
    provider = settings.providers.by_domain.get(domain)
    relays = {settings.providers.by_domain.get(name) for relay in settings.relays for name in suffixes(relay.host)}
    if provider and provider not in relays:
        yield Finding("from.free-mail", "header From", f"{domain} is {provider}'s")
    if not settings.dkim:
        yield Finding("auth.unsigned", "campaign.yaml", "it has no dkim")


async def look_up(settings: Settings, resolver: Resolver, domain: str, bounces: str) -> list[Finding]:
    """What DNS says of From's `domain` and of the return path's, `bounces`: SPF, DKIM, DMARC, and where mail goes."""
    ask = resolver.records
    hosts = {bounces: "dns.bounces", domain: "dns.from"}
    said = await asyncio.gather(*map(resolver.mail_hosts, hosts))
    spf, dmarc, mta_sts = await asyncio.gather(
        SpfWalk(ask, bounces).judged(), read_dmarc(ask, domain), judged_mta_sts(ask, domain)
    )
    keys = await asyncio.gather(*[_published(ask, key) for key in readable_keys(settings)])
    findings = [
        finding for (name, rule), each in zip(hosts.items(), said, strict=True) for finding in _mail(name, rule, each)
    ]
    findings += [*spf, *dmarc.findings, *mta_sts, *[finding for each in keys for finding in each]]
    signed = any(dmarc.aligned(each.domain, domain, strict=dmarc.strict_dkim) for each in settings.dkim)
    passes = dmarc.aligned(bounces, domain, strict=dmarc.strict_spf)
    if not signed and (settings.dkim or not passes):
        others = dict.fromkeys([*[f"DKIM {each.domain}" for each in settings.dkim], f"return path {bounces}"])
        findings.append(Finding("auth.alignment", "header From", f"it is {domain}, and there is: {', '.join(others)}"))
    return findings


def _mail(domain: str, rule: str, said: MailHosts | Unresolved) -> Iterator[Finding]:
    if isinstance(said, Unresolved):
        yield Finding("dns.unanswered", f"MX {domain}", said.reason)
    elif said.lack:
        yield Finding(rule, f"MX {domain}", str(said.lack))


async def _published(ask: Ask, key: DkimKey) -> list[Finding]:
    place = f"TXT {key.name}"
    said = await ask(key.name, "TXT")
    if isinstance(said, Unresolved):
        return [Finding("dns.unanswered", place, said.reason)]
    findings = list(judged_key(place, said, b64encode(key.public).decode()))
    if key.algorithm is Algorithm.RSA and key.bits < ADVISED:
        findings.append(Finding("auth.dkim-short", place, f"it has {key.bits}"))
    return findings
