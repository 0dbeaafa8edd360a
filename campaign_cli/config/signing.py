"""The keys of campaign.yaml by which a message is signed, unsubscribed from, and known to the large providers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from campaign_cli.audience.addresses import parse_address
from campaign_cli.config.given import Given
from campaign_cli.config.settings import DkimFile, UnsubscribeLinks
from campaign_cli.config.values import each_of, file_path, one_line, parse_domain
from campaign_cli.content.links import UTM_TOKEN
from campaign_cli.content.unsubscribe import TOKEN

LONGEST_LINK = 300
"""Characters of a link without its token: with it, it stays within a header's line (RFC 5322 2.1.1)."""

LONGEST_SELECTOR = 100
"""Characters: a name in DNS has at most 253, and the domain needs some."""

UTM = ("source", "medium", "campaign", "term", "content")
"""The parameters that Google Analytics reads (support.google.com/analytics/answer/10917952), and others as it does."""

_Parts = dict[str, Callable[[Given], Any]]

_DKIM = "such as {domain: example.org, selector: s1, key: dkim.pem}"
_SELECTOR = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*", re.IGNORECASE)
_LINK = re.compile(r"[!-;=?-~]+")
"""What may stand between < and >."""


def dkim_files(given: Given) -> tuple[DkimFile, ...]:
    """The key files, each with domain and selector. Raises ValueError."""
    entries = given.value if isinstance(given.value, list) else [given]
    return tuple(each_of((entry, _dkim_file) for entry in entries))


def _dkim_file(given: Given) -> DkimFile:
    parts: _Parts = {
        "domain": lambda part: parse_domain(one_line(part)),
        "selector": lambda part: parse_selector(one_line(part)),
        "key": file_path,
    }
    found = _mapping(given, parts, required=tuple(parts), example=_DKIM)
    return DkimFile(**found, place=given.place)


def unsubscribe_links(given: Given) -> UnsubscribeLinks:
    """The links by which one unsubscribes. Raises ValueError."""
    parts: _Parts = {"url": _url, "mailto": _mailto, "key": file_path}
    example = "such as {url: 'https://example.org/u/{{ token }}', mailto: unsubscribe@example.org}"
    links = UnsubscribeLinks(**_mapping(given, parts, example=example), place=given.place)
    if not (links.url or links.mailto):
        raise ValueError(f"has neither url nor mailto: write it as keys and values, {example}")
    return links


def header_lines(given: Given) -> tuple[tuple[str, str], ...]:
    """Header fields by their names, each a template of one line. Raises ValueError."""
    if not isinstance(given.value, dict):
        raise ValueError("must be keys and values, such as {Feedback-ID: 'spring:club:news:gardenclub'}")
    return tuple(zip(given.value, each_of((entry, one_line) for entry in given.value.values()), strict=True))


def utm_parameters(given: Given) -> tuple[tuple[str, str], ...]:
    """What is added to links, without the `utm_` before each name. Raises ValueError."""
    parts: _Parts = dict.fromkeys(UTM, _parameter)
    return tuple(_mapping(given, parts, example="such as {source: club, medium: email, campaign: spring}").items())


def _parameter(given: Given) -> str:
    text = one_line(given)
    if "{{" in UTM_TOKEN.sub("", text):
        raise ValueError(f"{text!r}: nothing is filled in but {{{{ variant }}}}")
    return text


def parse_selector(text: str) -> str:
    """A selector, which is one label of a name in DNS or several (RFC 6376 3.1). Raises ValueError."""
    if not _SELECTOR.fullmatch(text) or len(text) > LONGEST_SELECTOR:
        raise ValueError(f"{text!r} cannot be a selector, for it is a name in DNS: use letters, digits and hyphens")
    return text.lower()


def _url(given: Given) -> str:
    url = one_line(given)
    if not re.match(r"https://[^/?#{}]+", url):
        raise ValueError("url: one click needs a link that begins with https:// (RFC 8058 3.1)")
    if len(TOKEN.findall(url)) != 1:
        raise ValueError("url: must have {{ token }} in it, once: it says who unsubscribes")
    return _link("url", url)


def _mailto(given: Given) -> str:
    mailbox, question, query = one_line(given).removeprefix("mailto:").partition("?")
    try:
        address = parse_address(mailbox)
    except ValueError as error:
        raise ValueError(f"mailto: {mailbox!r} is not an address: {error}") from None
    return _link("mailto", f"mailto:{address.email}{question}{query}")


def _link(key: str, text: str) -> str:
    if not _LINK.fullmatch(TOKEN.sub("", text)) or "{" in TOKEN.sub("", text) or len(text) > LONGEST_LINK:
        raise ValueError(
            f"{key}: must be ASCII without spaces, < and >, of at most {LONGEST_LINK} characters, and there is nothing "
            "to fill in but {{ token }}"
        )
    return text


def _mapping(given: Given, parts: _Parts, *, required: tuple[str, ...] = (), example: str) -> dict[str, Any]:
    """What the keys of a mapping are. Raises ValueError."""
    if not isinstance(given.value, dict):
        raise ValueError(f"must be keys and values, {example}")
    if missing := [key for key in required if key not in given.value]:
        raise ValueError(f"has no {' and no '.join(missing)}: write it as keys and values, {example}")
    entries = list(given.value.items())
    if unknown := next((key for key, _ in entries if key not in parts), None):
        raise ValueError(f"{unknown!r} is not understood: there are {', '.join(parts)}")
    values = each_of((entry, parts[key]) for key, entry in entries)
    return dict(zip([key for key, _ in entries], values, strict=True))
