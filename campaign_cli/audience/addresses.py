"""Text becomes an Address. email-validator is the judge; plain ASCII addresses need not wait for it."""

from __future__ import annotations

import re
import unicodedata

from campaign_cli.model.address import Address, Mailbox

SPECIAL_ENDINGS = ("invalid", "localhost", "local", "arpa", "onion", "alt", "test")
"""Last labels that are not names of the public DNS (RFC 6761); the judge says which of them are refused."""

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PLAIN = re.compile(
    r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@"
    rf"((?:(?!..--){_LABEL}\.)+(?!..--|(?:{'|'.join(SPECIAL_ENDINGS)})\Z)[a-z][a-z0-9-]{{0,61}}[a-z])",
    re.ASCII | re.IGNORECASE,
)
"""Dot-atom @ host name (RFC 5321 4.1.2), every label a usual one: what is left is for the judge."""

LONGEST_LOCAL, LONGEST_ADDRESS = 64, 254
"""Octets (RFC 5321 4.5.3.1)."""

_NAMED = re.compile(r"\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^<>\"]*?))\s*<([^<>]+)>\s*")


def parse_address(text: str) -> Address:
    """The address in `text`, white space around it ignored. Raises ValueError, with a text fit for the user."""
    trimmed = text.strip()
    found = _PLAIN.fullmatch(trimmed)
    if found and len(trimmed) <= LONGEST_ADDRESS and len(found[1]) <= LONGEST_LOCAL:
        return Address(found[1], found[2].lower())
    return _judged(trimmed)


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
