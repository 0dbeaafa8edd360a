"""Delivery without a relay: straight to the hosts that take a domain's mail."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Direct:
    """How to speak to MX hosts. `addresses` is how many of a domain's are tried at most before its mail is deferred.

    `source_addresses` are this machine's to connect from, at most one for IPv4 and one for IPv6; `ehlo_name` what we
    are called; None: the system's. `allow_private`: also to addresses that are not public, such as loopback.
    """

    port: int = 25
    addresses: int = 5
    source_addresses: tuple[str, ...] = ()
    ehlo_name: str | None = None
    allow_private: bool = False
