"""The providers: the package's own file, and what the user changes in it."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import resources

from campaign_cli.audience.addresses import parse_address
from campaign_cli.config.given import Given
from campaign_cli.config.retry import retry_schedule
from campaign_cli.config.values import EntriesError
from campaign_cli.config.warmup import warmup_plan
from campaign_cli.model.relay import Tls
from campaign_cli.model.spelling import did_you_mean
from campaign_cli.policy.limits import Pace, parse_pace
from campaign_cli.policy.providers import DEFAULT, Provider, Providers

Complain = Callable[[str, str], None]
"""Takes a place and what is wrong there."""

CONNECTIONS = range(1, 1001)
"""What `connections` may be. A provider that takes a thousand from one sender would be the first."""

MESSAGES = range(1, 1_000_001)
"""What `messages_per_connection` may be."""

TLS = (Tls.OFF, Tls.OPPORTUNISTIC, Tls.REQUIRED, Tls.VERIFIED)
"""What `tls` may be."""


def shipped_providers() -> dict[str, Provider]:
    """The package's `providers.toml`, by name."""
    tables = tomllib.loads(resources.files("campaign_cli").joinpath("providers.toml").read_text("utf-8"))
    return {
        name: Provider(
            name=name,
            domains=tuple(table["domains"]),
            pace=parse_pace(table["rate"]),
            connections=table["connections"],
            messages_per_connection=table["messages_per_connection"],
            mx_suffixes=tuple(table["mx_suffixes"]),
        )
        for name, table in tables.items()
    }


def merge_providers(
    tables: Given | None, rates: Mapping[str, Given], connections: int | None, complain: Complain
) -> Providers:
    """The shipped providers, with the user's `providers`, `rate` and `connections` over them."""
    shipped = shipped_providers()
    known = dict(shipped)
    owners = Providers.of(shipped.values()).by_domain
    if tables is not None and tables.value is not None:
        for given_name, table in _mapping(tables, "providers", complain).items():
            name = _domain(given_name, table, complain)
            if name in owners:
                complain(table.place, f"{name} is one of the domains of {owners[name]!r}: write {owners[name]!r}")
            # Taken out and put in again, for of those that claim a domain it belongs to the last.
            base = known.pop(name, None) or _like_default(name, known)
            known[name] = _changed(base, table, complain)
            if name not in shipped and not (known[name].domains or known[name].mx_suffixes):
                _check_name(name, table, known, complain)
    if connections is not None:
        known = {name: replace(provider, connections=connections) for name, provider in known.items()}
    owners = Providers.of(known.values()).by_domain
    for given_name, rate in rates.items():
        name = _domain(given_name, rate, complain)
        if name not in known and name in owners:
            owner = owners[name]
            complain(rate.place, f"{name} is one of the domains of {owner!r}, whose limit it shares: write {owner!r}")
        elif name not in known:
            _check_name(name, rate, known, complain)
        if pace := _pace(rate, complain):
            known[name] = replace(known.get(name) or _like_default(name, known), pace=pace)
    return Providers.of(known.values())


def _like_default(name: str, known: Mapping[str, Provider]) -> Provider:
    return replace(known[DEFAULT], name=name, domains=(), mx_suffixes=())


def _check_name(name: str, given: Given, known: Mapping[str, Provider], complain: Complain) -> None:
    """A name that is neither a provider's nor a domain is a slip of the hand."""
    if "." not in name:
        others = [other for other in known if other != name]
        hint = did_you_mean(name, others) or "`campaign providers` lists them; a new one needs its domains"
        complain(given.place, f"no provider is named {name!r}; {hint}")


def _changed(base: Provider, table: Given, complain: Complain) -> Provider:
    changed = base
    for key, given in _mapping(table, base.name, complain).items():
        match key:
            case "rate":
                if pace := _pace(given, complain):
                    changed = replace(changed, pace=pace)
            case "warmup" | "retry":
                changed = _planned(key, changed, given, complain)
            case "connection_rate":
                if pace := _pace(given, complain):
                    changed = replace(changed, connection_rate=pace)
            case "connections":
                changed = replace(changed, connections=_number(key, given, CONNECTIONS, complain) or 1)
            case "messages_per_connection":
                changed = replace(changed, messages_per_connection=_number(key, given, MESSAGES, complain) or 1)
            case "tls":
                changed = replace(changed, tls=_tls(given, complain))
            case "domains":
                changed = replace(changed, domains=(*changed.domains, *_domains(key, given, complain)))
            case "mx_suffixes":
                changed = replace(changed, mx_suffixes=(*changed.mx_suffixes, *_domains(key, given, complain)))
            case _:
                complain(
                    given.place,
                    f"{key!r} is no setting of a provider: there are rate, warmup, connections, connection_rate, "
                    "messages_per_connection, retry, tls, domains and mx_suffixes",
                )
    return changed


def _planned(key: str, provider: Provider, given: Given, complain: Complain) -> Provider:
    try:
        if key == "retry":
            return replace(provider, retry=retry_schedule(given))
        return replace(provider, warmup=warmup_plan(given))
    except EntriesError as error:
        for place, what in error.findings:
            complain(place, f"{key}: {what}")
    except ValueError as error:
        complain(given.place, f"{key}: {error}")
    return provider


def _tls(given: Given, complain: Complain) -> Tls:
    # YAML takes `off` for a truth value.
    word = given.spelled if given.value is False else given.value
    if isinstance(word, str) and word in TLS:
        return Tls(word)
    wrong = "a list" if isinstance(word, list | dict) else repr(word)
    complain(given.place, f"tls must be off, opportunistic, required or verified, not {wrong}")
    return Tls.OPPORTUNISTIC


def _domains(key: str, given: Given, complain: Complain) -> tuple[str, ...]:
    if isinstance(given.value, list) and all(isinstance(item.value, str) for item in given.value):
        dot = "." if key == "mx_suffixes" else ""
        return tuple(_domain(str(item.value).strip().removeprefix(dot), item, complain) for item in given.value)
    complain(given.place, f"{key} must be a list: [example.org, example.net]")
    return ()


def _domain(text: str, given: Given, complain: Complain) -> str:
    """A provider's name or a domain, as the addresses' domains are spelled: lower case, A-labels."""
    name = text.strip().lower()
    if "." not in name:
        return name
    try:
        return parse_address(f"a@{name}").domain
    except ValueError as error:
        complain(given.place, f"{text!r} is not a domain: {error}")
        return name


def _mapping(given: Given, what: str, complain: Complain) -> Mapping[str, Given]:
    if isinstance(given.value, dict):
        return given.value
    complain(given.place, f"{what} must be keys and values, such as {{rate: 500/h, connections: 3}}")
    return {}


def _number(key: str, given: Given, allowed: range, complain: Complain) -> int | None:
    if isinstance(given.value, int) and not isinstance(given.value, bool) and given.value in allowed:
        return given.value
    complain(given.place, f"{key} must be a number from {allowed[0]} to {allowed[-1]}")
    return None


def _pace(given: Given, complain: Complain) -> Pace | None:
    try:
        return parse_pace("" if isinstance(given.value, list | dict) else str(given.value))
    except ValueError as error:
        complain(given.place, str(error))
        return None
