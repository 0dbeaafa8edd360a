"""One message on its way to one recipient, what a server offers for it, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from campaign_cli.model.envelope import Envelope
from campaign_cli.model.reply import Answer, Phase, Reply


@dataclass(frozen=True, slots=True)
class Offers:
    """What the server's EHLO offers, as far as transactions ask. `size` is None without SIZE, 0 without a limit."""

    pipelining: bool = False
    chunking: bool = False
    eight_bit: bool = False
    smtputf8: bool = False
    size: int | None = None

    def refusal(self, envelope: Envelope, content: bytes) -> Ending | None:
        """What this server would refuse, refused before it is asked; None when the transaction may start."""
        if not self.smtputf8 and envelope.needs_smtputf8:
            text = "the relay does not offer SMTPUTF8, which this address needs"
            return Ending(Phase.RCPT, Reply(553, "5.6.7", text))
        if self.size and len(content) > self.size:
            text = f"the message has {len(content)} bytes and the relay takes {self.size}"
            return Ending(Phase.MAIL, Reply(552, "5.3.4", text))
        if not (self.eight_bit or content.isascii()):
            text = "the message has 8-bit text and the relay does not offer 8BITMIME"
            return Ending(Phase.RCPT, Reply(554, "5.6.3", text))
        return None

    def mail(self, envelope: Envelope, content: bytes) -> str:
        """The MAIL command, with the parameters that are needed and offered (RFC 1870, 6152, 6531)."""
        size = f" SIZE={len(content)}" if self.size is not None else ""
        body = "" if content.isascii() else " BODY=8BITMIME"
        utf8 = " SMTPUTF8" if self.smtputf8 and envelope.needs_smtputf8 else ""
        return f"MAIL FROM:<{envelope.sender.email}>{size}{body}{utf8}\r\n"


class Ending(NamedTuple):
    """The answer that ended a transaction, and what it answered."""

    phase: Phase
    answer: Answer


@dataclass(slots=True, eq=False)
class Transaction:
    """One message on its way to one recipient, and how far it has come.

    `content` is RFC 5322 bytes. No final dot is written before `durable`. From `handed_over` on the server may have
    the whole content; `ended` when its ending has been told.
    """

    envelope: Envelope
    content: bytes
    durable: bool = False
    invited: bool = False
    """354 has come."""
    handed_over: bool = False
    refusal: Ending | None = None
    ended: bool = False
    behind: bool = False
    """The session ended in another transaction's turn, before this one had its own."""


def rcpt(envelope: Envelope) -> str:
    """The RCPT command."""
    return f"RCPT TO:<{envelope.recipient.email}>\r\n"


def dot_stuffed(content: bytes) -> bytes:
    """`content` as it goes after DATA: leading dots doubled, and the final dot (RFC 5321 4.5.2)."""
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")
