"""MAIL FROM and RCPT TO; never the headers."""

from __future__ import annotations

from typing import NamedTuple

from campaign_cli.model.address import Address


class Envelope(NamedTuple):
    """Who sends and who receives. One recipient a transaction."""

    sender: Address
    recipient: Address

    @property
    def needs_smtputf8(self) -> bool:
        """Whether the transaction must declare SMTPUTF8 (RFC 6531 3.4)."""
        return not (self.sender.local.isascii() and self.recipient.local.isascii())


class Message(NamedTuple):
    """RFC 5322 bytes, with CRLF line ends and not yet dot-stuffed; their Message-ID; their Date, in UTC seconds."""

    message_id: str
    content: bytes
    dated_at: float
