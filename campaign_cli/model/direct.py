"""Delivery without a relay: straight to the hosts that take a domain's mail."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Direct:
    """How to speak to MX hosts. `addresses` is how many of a domain's are tried at most before its mail is deferred.

    `source_addresses` are this machine's to connect from, at most one for IPv4 and one for IPv6; `ehlo_name` what we
    are called; None: the system's. `allow_private`: also to addresses that are not public, such as loopback.
    `mta_sts`: what domains demand by MTA-STS (RFC 8461) is heeded.
    """

    port: int = 25
    addresses: int = 5
    source_addresses: tuple[str, ...] = ()
    ehlo_name: str | None = None
    allow_private: bool = False
    mta_sts: bool = True

    def allows(self, address: str) -> bool:
        """Whether a host, whoever names it, may be spoken to at this IP address."""
        return self.allow_private or is_public(address)


def is_public(address: str) -> bool:
    """Whether mail from outside can be meant for `address`: it is not private, loopback, link-local or multicast."""
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return ip.is_global and not ip.is_multicast
