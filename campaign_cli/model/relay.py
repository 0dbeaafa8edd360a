"""A configured SMTP server, as its URL says it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from campaign_cli.model.dns import Tlsa


class Tls(StrEnum):
    """How a session is protected.

    `IMPLICIT` from the first byte (RFC 8314), the certificate checked; `VERIFIED` by STARTTLS or not at all, checked;
    `REQUIRED` the same, unchecked; `OPPORTUNISTIC` by STARTTLS where it is offered, unchecked; `OFF` never.
    """

    IMPLICIT = "implicit"
    VERIFIED = "verified"
    REQUIRED = "required"
    OPPORTUNISTIC = "opportunistic"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Relay:
    """Where to connect and as whom, and what for. The password is never part of it.

    `chunking` is whether CHUNKING (RFC 3030) is used where it is offered. `title` is the name it was given; "": none.
    Of the relays that can be had those with the lowest `priority` are used, each as much as its `weight` says; with at
    most `connections` sessions. `providers` are those it serves, with `default` among them also all but `excluded`;
    `from_domains` are those whose mail it takes. Empty: all.
    `source_address` is the IP address to connect from, `ehlo_name` what it is told we are called; None: the system's.
    `client_cert` is the file of the certificate by which it knows us, `client_key` that of its key; None: the same.
    With `tlsa` its certificate is checked by these records (DANE), not by authorities.
    `tls_by` is who else wants its `tls`, as the report says it; "": only the settings.
    With `xoauth2` the login is by a token (RFC 7628's forerunner, which Gmail and Microsoft 365 take).
    """

    host: str
    port: int
    tls: Tls
    user: str | None = None
    chunking: bool = True
    title: str = ""
    priority: int = 1
    weight: int = 1
    connections: int | None = None
    providers: frozenset[str] = frozenset()
    excluded: frozenset[str] = frozenset()
    from_domains: frozenset[str] = frozenset()
    source_address: str | None = None
    ehlo_name: str | None = None
    xoauth2: bool = False
    client_cert: Path | None = None
    client_key: Path | None = None
    tls_by: str = ""
    tlsa: tuple[Tlsa, ...] = ()

    @property
    def name(self) -> str:
        """What reports and messages call it."""
        if self.title:
            return self.title
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def serves(self, provider: str) -> bool:
        """Whether it takes mail to this provider."""
        if not self.providers or provider in self.providers:
            return True
        return "default" in self.providers and provider not in self.excluded

    def sends_for(self, domain: str) -> bool:
        """Whether it takes mail whose From has this domain."""
        return not self.from_domains or domain in self.from_domains


DEFAULT_PORTS = {"smtps": 465, "smtp": 587}
"""Submission over TLS and with STARTTLS (RFC 8314 3.3, RFC 6409 3.1)."""


def parse_relay(text: str) -> Relay:
    """The relay a URL names: `smtps://user@host`, `smtp://user@host:587`, `smtp://localhost:25?tls=off`.

    Raises ValueError, with a text fit for the user; a password in the text is refused and never repeated.
    """
    if "://" not in text:
        raise ValueError(f"{text!r} is not a relay: write it as smtps://user@host or smtp://user@host:587")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ValueError("the relay's port is not a number from 1 to 65535") from None
    if url.password is not None:
        raise ValueError(
            "the relay's URL has a password in it, where other users of this machine can read it: take it out and "
            "give it as CAMPAIGN_SMTP_PASSWORD, password_file or password_command"
        )
    if url.scheme not in DEFAULT_PORTS:
        raise ValueError(f"{url.scheme}:// is not a relay: write smtps:// or smtp://")
    if not url.hostname or url.path.strip("/"):
        raise ValueError(f"{text!r} is not a relay: write it as smtps://user@host or smtp://user@host:587")
    query = parse_qs(url.query, keep_blank_values=True)
    if unknown := sorted(set(query) - {"tls", "chunking"}):
        raise ValueError(f"the relay's URL has ?{unknown[0]}=, which is not known: only ?tls= and ?chunking= are")
    chunking = query.get("chunking", ["on"])[-1]
    if chunking not in ("on", "off"):
        raise ValueError(f"?chunking={chunking} is not known: write on or off")
    return Relay(
        host=url.hostname,
        port=port or DEFAULT_PORTS[url.scheme],
        tls=_tls(url.scheme, url.hostname, query.get("tls", [""])[-1]),
        user=unquote(url.username) if url.username else None,
        chunking=chunking == "on",
    )


def _tls(scheme: str, host: str, wanted: str) -> Tls:
    if scheme == "smtps":
        if wanted:
            raise ValueError("smtps:// is always TLS: take ?tls= out, or write smtp://")
        return Tls.IMPLICIT
    if not wanted:
        return Tls.OPPORTUNISTIC if is_loopback(host) else Tls.VERIFIED
    if wanted not in (Tls.VERIFIED, Tls.REQUIRED, Tls.OPPORTUNISTIC, Tls.OFF):
        raise ValueError(f"?tls={wanted} is not known: write verified, required, opportunistic or off")
    # A relay is known by its name, and may be told a password: where TLS is required, its certificate is checked.
    return Tls.VERIFIED if wanted == Tls.REQUIRED else Tls(wanted)


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine, by its text alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
