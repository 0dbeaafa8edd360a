"""A mailbox address, and the key by which a recipient is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

key_of = str.casefold
"""The key of the address that is written so. It identifies the recipient: the whole address case-folded, for no large
provider tells `Ann@` from `ann@`, so two spellings are one person."""


class Address(NamedTuple):
    """One mailbox, parsed: `local` as written, `domain` as lower-case A-labels (RFC 5890)."""

    local: str
    domain: str

    @property
    def email(self) -> str:
        """The address as it goes into RCPT TO and the To header."""
        return f"{self.local}@{self.domain}"

    @property
    def key(self) -> str:
        """What identifies the recipient."""
        return key_of(self.email)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address and the name shown with it (RFC 5322 3.4); `name` is "" when there is none."""

    name: str
    address: Address

    def __str__(self) -> str:
        """As a person writes it; not as a header needs it."""
        return f"{self.name} <{self.address.email}>" if self.name else self.address.email
