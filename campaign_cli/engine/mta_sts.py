"""What domains demand of who sends them mail (MTA-STS, RFC 8461): asked for, fetched, kept."""

from __future__ import annotations

import logging
import time

from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.direct import Direct
from campaign_cli.model.dns import Unresolved
from campaign_cli.model.errors import StateError
from campaign_cli.policy.mta_sts import KnownPolicy, Mode, StsPolicy, parse_policy, record_id
from campaign_cli.transport.https import Unfetched, fetch_text
from campaign_cli.transport.resolver import Resolver

log = logging.getLogger(__name__)

PATH = "/.well-known/mta-sts.txt"

FRESH = 86400.0
"""Seconds after which a policy is fetched again though its id is the same: one that is kept in time is not lost to who
keeps us from fetching it (RFC 8461 3.3 and 10.2)."""

ADDRESSES = 3
"""Of a web server, tried at most."""


class MtaSts:
    """The policies of domains, which are kept in `shared`."""

    def __init__(self, direct: Direct, resolver: Resolver, shared: SharedState) -> None:
        self._direct = direct
        self._resolver = resolver
        self._shared = shared

    async def demanded(self, domain: str) -> tuple[str, ...]:
        """The patterns of the hosts that alone may be sent the mail of `domain`, by checked TLS; none: it demands
        nothing."""
        known = self._known(domain)
        records = await self._resolver.records(f"_mta-sts.{domain}", "TXT")
        asked = None if isinstance(records, Unresolved) else record_id(records)
        # Without a record, what is kept still holds (5.1).
        if asked and (known is None or known.id != asked or known.fetched_at < time.time() - FRESH):
            fetched = await self._fetched(domain)
            if isinstance(fetched, Unfetched):
                log.info("%s: its MTA-STS policy cannot be fetched: %s", domain, fetched.reason)
            else:
                known = KnownPolicy(asked, fetched, time.time())
                self._keep(domain, known)
        return known.policy.mx if known and known.policy.mode is Mode.ENFORCE else ()

    async def _fetched(self, domain: str) -> StsPolicy | Unfetched:
        host = f"mta-sts.{domain}"
        addresses = await self._resolver.addresses(host)
        if isinstance(addresses, Unresolved):
            return Unfetched(addresses.reason)
        said: str | Unfetched = Unfetched(f"{host} has no address that may be spoken to")
        for address in list(filter(self._direct.allows, addresses.found))[:ADDRESSES]:
            said = await fetch_text(host, PATH, address=address)
            if isinstance(said, str):
                break
        if isinstance(said, Unfetched):
            return said
        try:
            return parse_policy(said)
        except ValueError as error:
            return Unfetched(str(error))

    def _known(self, domain: str) -> KnownPolicy | None:
        try:
            return self._shared.sts_policy(domain, time.time())
        except StateError as error:
            log.warning("%s: what MTA-STS policy it had cannot be read: %s", domain, error)
            return None

    def _keep(self, domain: str, known: KnownPolicy) -> None:
        try:
            self._shared.keep_sts_policy(domain, known)
        except StateError as error:
            log.warning("%s: its MTA-STS policy cannot be kept: %s", domain, error)
