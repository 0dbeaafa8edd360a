"""Unsubscribing with one click (RFC 8058): a link for each recipient, with a token that nobody else can make."""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from campaign_cli.model.address import Address

VARIABLE = "unsubscribe_url"
"""What templates call the link."""

TOKEN = re.compile(r"\{\{ *token *\}\}")
"""Where the token goes in a link."""

PLACEHOLDER = "dry-run-token"
"""What stands in a token's place while there is no key."""

MAC = 16
"""Octets of the HMAC that a token has: half of it, which is as hard to guess (RFC 2104 5), and a shorter link."""


class Link(NamedTuple):
    """A recipient's: the URL, None where there is only a mailbox, and the header fields."""

    url: str | None
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """The links of one campaign, with `{{ token }}` where it goes. Without a key its place is held."""

    campaign: str
    url: str | None
    mailto: str | None
    key: bytes | None = field(repr=False)

    def link(self, address: Address) -> Link:
        """The recipient's, the same in every message of the campaign."""
        token = self.token(address)
        url, mailto = [each and TOKEN.sub(token, each) for each in (self.url, self.mailto)]
        headers = [("List-Unsubscribe", ", ".join([f"<{each}>" for each in (url, mailto) if each]))]
        if url:
            headers.append(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
        return Link(url, tuple(headers))

    def token(self, address: Address) -> str:
        """What the link says of campaign and recipient, and the proof that we said it; docs/dkim.md reads it again."""
        if self.key is None:
            return PLACEHOLDER
        said = f"{self.campaign}\n{address.key}".encode()
        return f"{_base64(said)}.{_base64(hmac.digest(self.key, said, 'sha256')[:MAC])}"

    def made_of(self) -> list[object]:
        """All that makes its links what they are, as JSON can say it; of the key a hash."""
        key = sha256(self.key).hexdigest() if self.key else None
        return [self.campaign, self.url, self.mailto, key]


def _base64(octets: bytes) -> str:
    """For URLs, and without the padding (RFC 4648 5)."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode()
