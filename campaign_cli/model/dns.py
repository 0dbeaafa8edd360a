"""What DNS is asked about a domain's mail, and what it says: data, as a reply is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Dns:
    """Whom to ask, and how. `nameservers` are addresses with their ports; none: those of the system.

    With `dnssec` they validate, and the way to them is safe: what they say is secure is believed (RFC 4035 4.9.3).
    `timeout` is how many seconds a question may take with all its repetitions, `concurrency` how many are asked at
    once.
    """

    nameservers: tuple[tuple[str, int], ...] = ()
    timeout: float = 5.0
    concurrency: int = 100
    off: bool = False
    dnssec: bool = False


class Lack(StrEnum):
    """Why no mail can ever get to a domain. The values are what the report says."""

    DOMAIN = "the domain does not exist"
    HOST = "the domain has neither MX hosts nor an address"
    NULL_MX = "the domain takes no mail (null MX)"

    @property
    def enhanced_code(self) -> str:
        """The enhanced status code (RFC 3463; RFC 7505 4.1 for a null MX)."""
        return "5.1.10" if self is Lack.NULL_MX else "5.1.2"


class Exchange(NamedTuple):
    """The hosts that take a domain's mail, each with its preference, lower first (RFC 5321 5.1); sorted.

    `sts` are those of them that alone may, by MTA-STS (RFC 8461); None: it says nothing. `secure` is whether DNSSEC
    says that these are the hosts; then DANE may say more of each. What has the same exchange shares sessions.
    """

    hosts: tuple[tuple[int, str], ...]
    sts: tuple[str, ...] | None = None
    secure: bool = False


class Addresses(NamedTuple):
    """The IP addresses of a host, those of IPv4 first; `secure` is whether DNSSEC says so."""

    found: tuple[str, ...]
    secure: bool = False


class Usage(IntEnum):
    """What a TLSA record stands for (RFC 6698 2.1.1); these are all that mail has a use for (RFC 7672 3.1)."""

    DANE_TA = 2
    DANE_EE = 3


class Tlsa(NamedTuple):
    """A TLSA record (RFC 6698 2.1): `association` is what it has of a certificate, or of its public key."""

    usage: int
    selector: int
    matching: int
    association: bytes

    @property
    def usable(self) -> bool:
        """Whether we know what it means (RFC 7672 3.1)."""
        size = {0: None, 1: 32, 2: 64}.get(self.matching, 0)
        return self.usage in list(Usage) and self.selector in (0, 1) and size in (None, len(self.association))


@dataclass(frozen=True, slots=True)
class MailHosts:
    """The hosts that take a domain's mail: lower-case A-labels, sorted. Without any, `lack` says why.

    `ttl` is how many seconds that may be believed. `preferences` are the hosts', and `secure` is whether DNSSEC says
    so, as long as it is not from memory.
    """

    hosts: tuple[str, ...]
    ttl: float
    lack: Lack | None = None
    preferences: tuple[int, ...] = field(default=(), compare=False)
    secure: bool = field(default=False, compare=False)

    @property
    def preferred(self) -> tuple[tuple[int, str], ...]:
        """The hosts with their preferences, lower first."""
        return tuple(sorted(zip(self.preferences, self.hosts, strict=True)))


@dataclass(frozen=True, slots=True)
class Unresolved:
    """DNS did not say this time; it may the next."""

    reason: str
