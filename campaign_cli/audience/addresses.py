"""Text becomes an Address. email-validator is the judge; plain ASCII addresses need not wait for it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from campaign_cli.model.address import Address, Mailbox

SPECIAL_ENDINGS = ("invalid", "localhost", "local", "arpa", "onion", "alt", "test")
"""Last labels that are not names of the public DNS (RFC 6761); the judge says which of them are refused."""

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_PLAIN_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*", re.ASCII)
_PLAIN_DOMAIN = re.compile(
    rf"(?:(?!..--){_LABEL}\.)+(?!..--|(?:{'|'.join(SPECIAL_ENDINGS)})\Z)[a-z][a-z0-9-]{{0,61}}[a-z]",
    re.ASCII | re.IGNORECASE,
)
"""Dot-atom @ host name (RFC 5321 4.1.2), every label a usual one: what is left is for the judge."""

DOMAINS_KEPT = 4096
"""Domains whose plainness is remembered: on a list of people's addresses few stand in most of the rows."""

LONGEST_LOCAL, LONGEST_ADDRESS = 64, 254
"""Octets (RFC 5321 4.5.3.1)."""

_NAMED = re.compile(r"\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^<>\"]*?))\s*<([^<>]+)>\s*")


def parse_address(text: str) -> Address:
    """The address in `text`, white space around it ignored. Raises ValueError, with a text fit for the user."""
    (local,), (domain,), problems = parse_addresses([text])
    if problems:
        raise ValueError(problems[0])
    return Address(local, domain)


def parse_addresses(texts: Sequence[str]) -> tuple[list[str], list[str], dict[int, str]]:
    """The local parts and the domains of the addresses in `texts`, each as `parse_address` takes it.

    And by its place what is wrong with a text that is no address: what stands there for it means nothing.
    """
    trimmed = [*map(str.strip, texts)]
    parts = [text.rpartition("@") for text in trimmed]
    local_parts = [local for local, _, _ in parts]
    domains = [_plain_domain(domain) for _, _, domain in parts]
    problems: dict[int, str] = {}
    for place, plain in enumerate(map(_PLAIN_LOCAL.fullmatch, local_parts)):
        short = len(local_parts[place]) <= LONGEST_LOCAL and len(trimmed[place]) <= LONGEST_ADDRESS
        if plain and domains[place] and short:
            continue
        try:
            local_parts[place], domains[place] = _judged(trimmed[place])
        except ValueError as error:
            problems[place] = str(error)
    return local_parts, domains, problems


@lru_cache(maxsize=DOMAINS_KEPT)
def _plain_domain(text: str) -> str:
    """A plain domain in lower case; "" for one that the judge is to see."""
    return text.lower() if _PLAIN_DOMAIN.fullmatch(text) else ""


def _judged(text: str) -> Address:
    from email_validator import EmailNotValidError, validate_email

    if not text:
        raise ValueError("there is no address")
    try:
        # `.test` is for trying things out (RFC 6761 6.2), which people do with this program.
        judged = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(_sentence(str(error))) from None
    if "." not in judged.ascii_domain:
        raise ValueError("its domain has no dot in it")
    return Address(judged.local_part, judged.ascii_domain.lower())


def _sentence(text: str) -> str:
    """The judge's words as part of a line of ours."""
    return text[:1].lower() + text[1:].rstrip(".").replace("\n", " ")


def parse_mailbox(text: str) -> Mailbox:
    """The mailbox in a text such as `Ada Lovelace <ada@example.org>` or `ada@example.org`. Raises ValueError."""
    if found := _NAMED.fullmatch(text):
        name = re.sub(r"\\(.)", r"\1", found[1]) if found[1] is not None else found[2]
        if any(unicodedata.category(character) == "Cc" for character in name):
            raise ValueError(f"{text!r} is not a mailbox: its name holds a line break or another control character")
        return Mailbox(name.strip(), parse_address(found[3]))
    try:
        return Mailbox("", parse_address(text))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a mailbox, such as 'Ada <ada@example.org>': {error}") from None
