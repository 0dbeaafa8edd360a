"""The relays: `relay`, a URL or several, or `relays`, a list of entries that say more of each."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from campaign_cli.config.given import Given
from campaign_cli.config.settings import Password
from campaign_cli.config.values import EntriesError, each_of, file_path, number_in, one_line, parse_domain
from campaign_cli.config.warmup import warmup_plan
from campaign_cli.model.relay import Relay, Tls, parse_relay
from campaign_cli.model.spelling import did_you_mean
from campaign_cli.policy.budgets import Warmup
from campaign_cli.policy.limits import Pace, parse_pace
from campaign_cli.policy.providers import DEFAULT, Providers

PRIORITIES = range(1, 1001)
WEIGHTS = range(1, 1001)

CONNECTIONS = range(1, 1001)
"""What a relay's `connections` may be: as for a provider."""

AUTH = ("password", "xoauth2")
"""How to log in: by the best way with a password that the relay offers, or by a token."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A relay and, if it has them, its own limit and where its own password comes from."""

    relay: Relay
    password: Password | None = None
    rate: Pace | None = None
    warmup: Warmup | None = None


def short_form(given: Given) -> tuple[Entry, ...]:
    """The relays of `relay`: the first is used, the others when those before fail. Raises EntriesError."""
    urls = given.value if isinstance(given.value, list) else [given]
    relays = each_of((url, lambda one: parse_relay(one_line(one))) for url in urls)
    return tuple(Entry(replace(relay, priority=place)) for place, relay in enumerate(relays, 1))


def long_form(given: Given) -> tuple[Entry, ...]:
    """The relays of `relays`. Where no priority is given, an entry's place is its priority. Raises EntriesError."""
    if not isinstance(given.value, list):
        raise ValueError("must be a list of relays, each with its url: [{url: smtps://ada@mail.example.org}]")
    entries = each_of((entry, _Reader(place).entry) for place, entry in enumerate(given.value, 1))
    names = Counter(entry.relay.name for entry in entries)
    if twice := [name for name, count in names.items() if count > 1]:
        raise ValueError(f"two relays are called {twice[0]}: give them a name each")
    return tuple(entries)


def unknown_providers(relays: tuple[Relay, ...], providers: Providers) -> list[str]:
    """What is wrong with the providers that relays name, in words."""
    known, listed = providers.by_name, "`campaign providers` lists them"
    return [
        f"relay {relay.name}: no provider is named {name!r}; {did_you_mean(name, known) or listed}"
        for relay in relays
        for name in sorted(relay.providers - known.keys())
        # A domain that belongs to nobody is a provider of its own.
        if "." not in name
    ]


def with_others(relay: Relay, providers: Providers) -> Relay:
    """A relay that serves `default` serves all that have no other name: so it knows those that have."""
    return replace(relay, excluded=frozenset(providers.by_name)) if DEFAULT in relay.providers else relay


class _Reader:
    """Reads one entry, the one at `place` in the list."""

    def __init__(self, place: int) -> None:
        self._place = place

    def entry(self, given: Given) -> Entry:
        if isinstance(given.value, str):
            return Entry(replace(parse_relay(one_line(given)), priority=self._place))
        if not isinstance(given.value, dict):
            raise ValueError("must be a relay's URL, or keys and values: {url: smtps://ada@mail.example.org}")
        if "url" not in given.value:
            raise ValueError("has no url: such as url: smtps://ada@mail.example.org")
        found = dict(each_of((value, _named(key)) for key, value in given.value.items()))
        password = Password(found.pop("password_file", None), found.pop("password_command", None))
        rate, warmup = found.pop("rate", None), found.pop("warmup", None)
        relay = replace(found.pop("url"), **{"priority": self._place, **found})
        if relay.xoauth2 and not relay.user:
            raise ValueError("auth: xoauth2 needs a user in the url: smtps://ada@mail.example.org")
        if relay.client_key and not relay.client_cert:
            raise ValueError("client_key: there is no client_cert that it is the key of")
        if relay.client_cert and relay.tls is Tls.OFF:
            raise ValueError("client_cert: is shown by TLS alone: take ?tls=off out of the url")
        return Entry(relay, password if password != Password() else None, rate, warmup)


def _named(key: str) -> Callable[[Given], tuple[str, Any]]:
    field, parse = _KEYS.get(key, (key, None))

    def parsed(given: Given) -> tuple[str, Any]:
        if parse is None:
            hint = did_you_mean(key, _KEYS) or f"there are: {', '.join(_KEYS)}"
            raise ValueError(f"{key!r} is no setting of a relay; {hint}")
        try:
            return field, parse(given)
        except EntriesError:
            raise
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None

    return parsed


def _url(given: Given) -> Relay:
    return parse_relay(one_line(given))


def _title(given: Given) -> str:
    name = one_line(given)
    if not re.fullmatch(r"\w[\w. :@-]{0,59}", name):
        raise ValueError(f"{name!r}: use letters, digits, spaces and . _ - : @ (at most 60)")
    return name


def _rate(given: Given) -> Pace:
    return parse_pace(one_line(given))


def _auth(given: Given) -> bool:
    if given.value not in AUTH:
        raise ValueError(f"must be {' or '.join(AUTH)}, not {given.value!r}")
    return given.value == "xoauth2"


def ip_address(given: Given) -> str:
    """An IP address. Raises ValueError."""
    try:
        return str(ipaddress.ip_address(one_line(given)))
    except ValueError:
        raise ValueError(f"{given.value!r} is not an IP address of this machine") from None


def ehlo_name(given: Given) -> str:
    """A host name, or an address literal. Raises ValueError."""
    name = one_line(given)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]{0,254}|\[[0-9A-Fa-f.:]+\]|\[IPv6:[0-9A-Fa-f.:]+\]", name):
        raise ValueError(f"{name!r} is not a host name: write mail.example.org (RFC 5321 4.1.1.1)")
    return name


def _names(given: Given) -> frozenset[str]:
    entries = given.value if isinstance(given.value, list) else [given]
    return frozenset(each_of((entry, lambda one: one_line(one).strip().lower()) for entry in entries))


def _domains(given: Given) -> frozenset[str]:
    entries = given.value if isinstance(given.value, list) else [given]
    return frozenset(each_of((entry, lambda one: parse_domain(one_line(one))) for entry in entries))


_KEYS: dict[str, tuple[str, Callable[[Given], Any]]] = {
    "url": ("url", _url),
    "name": ("title", _title),
    "priority": ("priority", number_in(PRIORITIES)),
    "weight": ("weight", number_in(WEIGHTS)),
    "connections": ("connections", number_in(CONNECTIONS)),
    "rate": ("rate", _rate),
    "warmup": ("warmup", warmup_plan),
    "password_file": ("password_file", file_path),
    "password_command": ("password_command", one_line),
    "auth": ("xoauth2", _auth),
    "client_cert": ("client_cert", file_path),
    "client_key": ("client_key", file_path),
    "source_address": ("source_address", ip_address),
    "ehlo_name": ("ehlo_name", ehlo_name),
    "providers": ("providers", _names),
    "from_domains": ("from_domains", _domains),
}
"""Each key of an entry, the field it is about, and how its value is read."""
