"""Given values become Settings; everything wrong is found before anything is said."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from campaign_cli.audience.addresses import parse_address, parse_mailbox
from campaign_cli.config.direct import delivery, direct
from campaign_cli.config.dns import dns
from campaign_cli.config.filters import blocklists, rspamd, spamassassin
from campaign_cli.config.given import Given, Scalar, from_command_line, read_yaml
from campaign_cli.config.hours import moment, send_windows, time_zone
from campaign_cli.config.providers import CONNECTIONS, merge_providers
from campaign_cli.config.relays import Entry, long_form, short_form, unknown_providers, with_others
from campaign_cli.config.replies import user_rules
from campaign_cli.config.retry import retry_schedule
from campaign_cli.config.settings import Password, Settings
from campaign_cli.config.shaping import user_shaping
from campaign_cli.config.signing import dkim_files, header_lines, unsubscribe_links, utm_parameters
from campaign_cli.config.values import (
    EntriesError,
    duration,
    each_of,
    file_path,
    flag,
    length_of_time,
    number_in,
    one_line,
)
from campaign_cli.content.attachments import Pattern
from campaign_cli.content.locales import parse_locale
from campaign_cli.model.direct import Direct
from campaign_cli.model.errors import CampaignError, ConfigError, UsageError
from campaign_cli.model.spelling import did_you_mean
from campaign_cli.policy.budgets import of_a_relay
from campaign_cli.policy.limits import UNLIMITED

DEFAULT_FILE = Path("campaign.yaml")

LONGEST_NAME = 200
"""Bytes in a campaign's name: its report's file name is longer, and may have 255."""

T = TypeVar("T")
Parse = Callable[[Given], Any]


def load_settings(config: Path | None, options: Mapping[str, Scalar | tuple[str, ...]]) -> Settings:
    """Settings from `config` (else `campaign.yaml` in the current folder, if there is one) and the command line.

    The command line wins. Raises ConfigError with every finding, each with its file and line; UsageError when all
    of them are about the command line.
    """
    settings, wrong = read_settings(config, options)
    if wrong:
        raise wrong
    return settings


def read_settings(
    config: Path | None, options: Mapping[str, Scalar | tuple[str, ...]]
) -> tuple[Settings, CampaignError | None]:
    """The same of what is right in them, and the error for what is not. Raises ConfigError when nothing can be read."""
    path = config or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)
    findings: list[str] = []
    given = read_yaml(path, findings) if path else {}
    return _Loader(given, from_command_line(options), findings).settings()


def campaign_name(name: str, now: datetime) -> str:
    """The campaign's name, its `strftime` fields filled in with `now`. Raises UsageError when no folder may have it."""
    filled = now.strftime(name) if "%" in name else name
    if not re.fullmatch(r"[\w][\w. +@=,-]{0,99}", filled) or len(filled.encode()) > LONGEST_NAME:
        raise UsageError(
            f"{filled!r} cannot be a campaign's name: use letters, digits, spaces and . _ - + @ = , (at most 100)"
        )
    return filled


class _Loader:
    """Takes one key after the other from what was given, and adds what is wrong to `findings`."""

    def __init__(self, file: dict[str, Given], options: dict[str, Given], findings: list[str]) -> None:
        self._file = file
        self._options = options
        self._findings = findings

    def settings(self) -> tuple[Settings, CampaignError | None]:
        self._check_keys()
        take = self._take
        fields: dict[str, Any] = {
            key: found for key, parse in _FIELDS.items() if (found := take(key, parse)) is not None
        }
        if sender := take("from", _mailbox):
            fields["sender"] = sender
        entries = self._relays()
        fields["relays"] = tuple(entry.relay for entry in entries)
        fields["passwords"] = {entry.relay.name: entry.password for entry in entries if entry.password}
        fields["relay_budgets"] = {
            entry.relay.name: of_a_relay(entry.relay.name, entry.rate or UNLIMITED, entry.warmup)
            for entry in entries
            if entry.rate or entry.warmup
        }
        straight = take("mx", direct) or Direct()
        if take("delivery", delivery) == "mx":
            fields["direct"], fields["relays"] = straight, ()
        password = Password(take("password_file", file_path), take("password_command", one_line))
        if password != Password():
            fields["password"] = password
        if schedule := take("retry", retry_schedule):
            fields["retry"] = schedule
        fields["providers"] = merge_providers(
            self._file.get("providers"), self._rates(), take("connections", number_in(CONNECTIONS)), self._complain
        )
        if relays := self._file.get("relays"):
            for wrong in unknown_providers(fields["relays"], fields["providers"]):
                self._complain(relays.place, wrong)
            fields["relays"] = tuple(with_others(relay, fields["providers"]) for relay in fields["relays"])
        if (window := self._file.get("window")) and "timezone" not in self._file:
            self._complain(window.place, "window: in which time zone? Write timezone: Europe/Berlin, or whatever it is")
        if rules := self._file.get("replies"):
            fields["replies"] = user_rules(rules, fields["providers"], self._complain)
        if rules := self._file.get("shaping"):
            found = user_shaping(rules, fields["providers"], self._complain)
            fields["shaping"], fields["shaping_off"] = found
        return Settings(**fields), self._wrong()

    def _wrong(self) -> CampaignError | None:
        if not self._findings:
            return None
        if all(finding.startswith("--") for finding in self._findings):
            return UsageError("\n".join(self._findings))
        return ConfigError(sorted(self._findings, key=_line))

    def _check_keys(self) -> None:
        for key, given in self._file.items():
            if key not in KEYS:
                hint = did_you_mean(key.replace("-", "_"), KEYS, near=0.5) or f"there are: {', '.join(sorted(KEYS))}"
                self._complain(given.place, f"{key!r} is not a setting; {hint}")

    def _take(self, key: str, parse: Callable[[Given], T]) -> T | None:
        given = self._options.get(key) or self._file.get(key)
        if given is None or given.value is None:
            return None
        try:
            return parse(given)
        except ValueError as error:
            below = error.findings if isinstance(error, EntriesError) else [(given.place, str(error))]
            for place, what in below:
                self._complain(place, what if place.startswith("--") else f"{key}: {what}")
            return None

    def _relays(self) -> tuple[Entry, ...]:
        """Those of the command line, else those of the file, which has them in one of two forms."""
        long, short = (self._file.get(key, Given(None, "", Path())) for key in ("relays", "relay"))
        if long.value is not None and short.value is not None:
            self._complain(long.place, "relays: there is relay: as well; write all of them here")
        if long.value is not None and "relay" not in self._options:
            return self._take("relays", long_form) or ()
        return self._take("relay", short_form) or ()

    def _rates(self) -> dict[str, Given]:
        rates: dict[str, Given] = {}
        for given in (self._file.get("rate"), self._options.get("rate")):
            if given is None or given.value is None:
                continue
            if isinstance(given.value, dict):
                rates |= given.value
                continue
            for entry in given.value if isinstance(given.value, list) else [given]:
                provider, equals, rate = str(entry.value).partition("=")
                if equals:
                    rates[provider.strip().lower()] = Given(rate, entry.place, entry.base)
                else:
                    self._complain(entry.place, f"{entry.value!r} names no provider: write it as yahoo=500/h")
        return rates

    def _complain(self, place: str, what: str) -> None:
        self._findings.append(f"{place}: {what}")


def _line(finding: str) -> int:
    """The line a finding is about; 0 for the command line's."""
    found = re.match(r"[^:]*:(\d+):", finding)
    return int(found[1]) if found else 0


def _mailbox(given: Given) -> Any:
    return parse_mailbox(one_line(given))


def _address(given: Given) -> Any:
    return parse_address(one_line(given))


def _locale(given: Given) -> str:
    text = one_line(given)
    parse_locale(text)
    return text


def _attachments(given: Given) -> tuple[Pattern, ...]:
    entries = given.value if isinstance(given.value, list) else [given]
    return tuple(each_of((entry, _attachment) for entry in entries))


def _attachment(given: Given) -> Pattern:
    return Pattern(one_line(given), given.place, given.base)


def _workers(given: Given) -> int | None:
    text = str(given.value).strip().lower()
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) not in WORKERS:
        raise ValueError(f"must be auto or a number from 0 to {WORKERS[-1]}, not {given.value!r}")
    return int(text)


WORKERS = range(65)

MILLIONS = range(1, 1_000_000_001)

_FIELDS: dict[str, Parse] = {
    "name": one_line,
    "template": file_path,
    "subject": one_line,
    "reply_to": _mailbox,
    "return_path": _address,
    "list_unsubscribe": one_line,
    "unsubscribe": unsubscribe_links,
    "headers": header_lines,
    "utm": utm_parameters,
    "inline_css": flag,
    "locale": _locale,
    "attachments": _attachments,
    "dkim": dkim_files,
    "max_connections": number_in(CONNECTIONS),
    "dns": dns,
    "dnsbl": blocklists,
    "rspamd": rspamd,
    "spamassassin": spamassassin,
    "patience": duration,
    "workers": _workers,
    "limit": number_in(MILLIONS),
    "max_runtime": length_of_time,
    "window": send_windows,
    "timezone": time_zone,
    "timezone_column": one_line,
    "not_after": moment,
    "state": file_path,
    "report": file_path,
    "email_column": one_line,
    "log_file": file_path,
    "dry_run": flag,
    "sandbox": flag,
    "resend_uncertain": flag,
    "accept_changes": flag,
    "adopt": flag,
    "json": flag,
    "quiet": flag,
    "verbose": flag,
    "yes": flag,
}
"""How each key that is one field of Settings becomes its value."""

_OTHERS = (
    "from",
    "delivery",
    "mx",
    "relay",
    "relays",
    "rate",
    "connections",
    "providers",
    "replies",
    "retry",
    "shaping",
)
_PASSWORDS = ("password_file", "password_command")

KEYS = (*_FIELDS, *_OTHERS, *_PASSWORDS)
"""Every key that `campaign.yaml` may have."""
