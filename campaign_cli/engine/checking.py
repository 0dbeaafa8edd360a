"""Everything that can be known before sending, as findings: an error in one place hides none in another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from typing import BinaryIO

from campaign_cli.config.settings import Settings
from campaign_cli.engine.authentication import judged_sender, look_up
from campaign_cli.engine.enrolment import asks_dns
from campaign_cli.engine.findings import Checked, Findings
from campaign_cli.engine.inspection import LOOKED_AT, Inspection
from campaign_cli.engine.material import find_material
from campaign_cli.engine.scanning import scan
from campaign_cli.engine.sending_hosts import ask_relays, look_at_addresses
from campaign_cli.model.dns import Dns
from campaign_cli.model.errors import CampaignError
from campaign_cli.model.finding import Finding


def check(
    settings: Settings,
    source: str,
    *,
    now: datetime,
    stdin: BinaryIO,
    wrong: CampaignError | None = None,
    progress: Callable[[int], None] = lambda rows: None,
) -> Checked:
    """Check the campaign: what is given, every row's message, what relays take, and what DNS says.

    Sends nothing and leaves no state. `progress` is told how many messages have been made.
    """
    if source == "-":
        # It is read again where something is wrong.
        stdin = BytesIO(stdin.read())
    settings = replace(settings, dry_run=True, sandbox=False)
    found = Findings(source)
    material = find_material(settings, source, now, stdin, wrong, found)
    sizes = asyncio.run(ask_relays(settings, found))
    inspection = Inspection(material, found, sizes, progress)
    if material.contacts:
        if material.contacts.encoding:
            found.notes.append(f"{source} is not UTF-8; it is read as {material.contacts.encoding}")
        asyncio.run(inspection.look(settings.workers))
        inspection.look_at_unused_variants()
    if found.rendered > LOOKED_AT:
        found.notes.append(f"of the messages after the first {LOOKED_AT:,} only size and lines were looked at")
    if material.composer and material.return_path:
        domain = material.composer.domain
        found.add(judged_sender(settings, domain))
        if asks_dns(settings):
            asyncio.run(_ask_dns(settings, domain, material.return_path.domain, found))
        else:
            found.notes.append("DNS is off: SPF, DKIM, DMARC and MX were not looked at")
    if inspection.first and material.return_path:
        recipient, message = inspection.first
        scan(settings, message, recipient=recipient.address.email, sender=material.return_path.email, found=found)
    return found.checked()


async def _ask_dns(settings: Settings, domain: str, bounces: str, found: Findings) -> None:
    """Have all that DNS says of who sends and from where told to `found`."""
    # Slow to load, and not needed where DNS is off.
    from campaign_cli.transport.resolver import Resolver

    resolver = Resolver(settings.dns or Dns())
    if trouble := await resolver.trouble():
        found.add([Finding("dns.unanswered", "DNS", trouble)])
        return
    found.add(await look_up(settings, resolver, domain, bounces))
    found.add(await look_at_addresses(settings, resolver, bounces, found.notes))
