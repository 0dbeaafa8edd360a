"""A server's answer. Data, never an exception."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """Which step of a session or transaction a reply answers."""

    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"
    RSET = "rset"


@dataclass(frozen=True, slots=True)
class Reply:
    """One complete reply (RFC 5321 4.2).

    `code` is the three digits; `enhanced` the status code of RFC 3463 (`5.1.1`) or ""; `text` all lines
    joined by spaces, without the codes, with control characters replaced.
    """

    code: int
    enhanced: str
    text: str

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)


@dataclass(frozen=True, slots=True)
class Silence:
    """No well-formed reply came: the connection ended, the time ran out, or what came made no sense."""

    reason: str


Answer = Reply | Silence
