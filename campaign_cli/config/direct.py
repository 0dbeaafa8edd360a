"""The setting `mx`: how mail goes straight to the hosts that take it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from campaign_cli.config.given import Given
from campaign_cli.config.relays import ehlo_name, ip_address
from campaign_cli.config.values import each_of, number_in, one_line
from campaign_cli.model.direct import Direct

WAYS = ("relay", "mx")


def delivery(given: Given) -> str:
    """`relay` or `mx`. Raises ValueError."""
    way = one_line(given)
    if way not in WAYS:
        raise ValueError(f"must be {' or '.join(WAYS)}, not {way!r}")
    return way


def direct(given: Given) -> Direct:
    """Raises EntriesError."""
    if not isinstance(given.value, dict):
        raise ValueError("must be keys and values, such as {ehlo_name: out.example.org, source_address: 192.0.2.7}")
    return Direct(**dict(each_of((entry, _named(key)) for key, entry in given.value.items())))


def _named(key: str) -> Callable[[Given], tuple[str, Any]]:
    def parsed(given: Given) -> tuple[str, Any]:
        if key not in _KEYS:
            raise ValueError(f"{key!r} is not understood: there are {', '.join(_KEYS)}")
        field, parse = _KEYS[key]
        try:
            return field, parse(given)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None

    return parsed


def _source_addresses(given: Given) -> tuple[str, ...]:
    entries = given.value if isinstance(given.value, list) else [given]
    addresses = tuple(ip_address(entry) for entry in entries)
    if len({ipaddress.ip_address(each).version for each in addresses}) < len(addresses):
        raise ValueError("at most one IPv4 and one IPv6 address can be used")
    return addresses


def _yes_or_no(given: Given) -> bool:
    if not isinstance(given.value, bool):
        raise ValueError("must be true or false")
    return given.value


_KEYS: dict[str, tuple[str, Callable[[Given], Any]]] = {
    "ehlo_name": ("ehlo_name", ehlo_name),
    "source_address": ("source_addresses", _source_addresses),
    "addresses": ("addresses", number_in(range(1, 101))),
    "allow_private": ("allow_private", _yes_or_no),
    "mta_sts": ("mta_sts", _yes_or_no),
    "port": ("port", number_in(range(1, 65536))),
}
"""Each key, the field it is about, and how its value is read."""
