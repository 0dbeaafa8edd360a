"""The keys of campaign.yaml that are for `campaign check`: blocklists, and spam filters of one's own."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from campaign_cli.config.given import Given
from campaign_cli.config.values import each_of, one_line, parse_domain

SPAMD = 783
"""The port of SpamAssassin's spamd where none is given."""


def blocklists(given: Given) -> tuple[str, ...]:
    """One zone or several. Raises ValueError."""
    entries = given.value if isinstance(given.value, list) else [given]
    return tuple(each_of((entry, lambda each: parse_domain(one_line(each))) for entry in entries))


def rspamd(given: Given) -> str:
    """The URL of an rspamd. Raises ValueError."""
    url = one_line(given).rstrip("/")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path:
        raise ValueError(f"{url!r} is no rspamd: write its URL, as http://127.0.0.1:11333")
    return url


def spamassassin(given: Given) -> tuple[str, int]:
    """Host and port of a spamd. Raises ValueError."""
    text = one_line(given)
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/]+)(?::([0-9]{1,5}))?", text)
    if found is None or int(found[2] or SPAMD) not in range(1, 65536):
        raise ValueError(f"{text!r} is no spamd: write HOST or HOST:PORT")
    return found[1].strip("[]"), int(found[2] or SPAMD)
