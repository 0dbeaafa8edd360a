"""What TLS goes by: the authorities that are believed, and the certificate that says who we are."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from campaign_cli.model.errors import CampaignError, ConfigError
from campaign_cli.model.relay import Relay, Tls

CHECKED = (Tls.IMPLICIT, Tls.VERIFIED)
"""Where a certificate has to be the host's, by an authority that is believed."""


def context(relay: Relay) -> ssl.SSLContext | None:
    """For sessions with `relay`; None: they are never TLS. Raises OSError where a certificate cannot be read."""
    if relay.tls is Tls.OFF:
        return None
    authorities = os.environ.get("SSL_CERT_FILE")
    return _context(relay.tls in CHECKED and not relay.tlsa, authorities, relay.client_cert, relay.client_key)


def checked() -> ssl.SSLContext:
    """For sessions with anybody, whose certificate is checked."""
    return _context(True, os.environ.get("SSL_CERT_FILE"), None, None)


def unusable(relays: Iterable[Relay]) -> list[CampaignError]:
    """What is wrong with the relays' client certificates. Those that can be used are read now, once for the run."""
    wrong = {relay.name: _wrong(relay) for relay in relays if relay.client_cert}
    return [ConfigError([f"relay {name}: {what}"]) for name, what in wrong.items() if what]


def _wrong(relay: Relay) -> str:
    key = relay.client_key or relay.client_cert
    if key is None:
        return ""
    try:
        if key.stat().st_mode & 0o077:
            return f"others on this machine can read the private key in {key}: chmod 600 {key}"
        context(relay)
    except ssl.SSLError as error:
        return (
            f"{relay.client_cert} and {key} are no certificate and its key in PEM, without a password: "
            f"{error.reason or error}"
        )
    except OSError as error:
        # OpenSSL does not say which of the two.
        where = error.filename or f"{relay.client_cert} or {key}"
        return f"client_cert: {where} cannot be read: {error.strerror}"
    return ""


@cache
def _context(verified: bool, authorities: str | None, cert: Path | None, key: Path | None) -> ssl.SSLContext:
    """Made once for all sessions: reading the certificates of the system's authorities takes some 20 ms."""
    made = ssl.create_default_context()
    if not verified:
        # Unchecked: it protects against listening alone, which is more than the plain text it replaces.
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if cert:
        # Without a password of its own, OpenSSL would ask the terminal for one.
        made.load_cert_chain(cert, key, password="")
    return made
