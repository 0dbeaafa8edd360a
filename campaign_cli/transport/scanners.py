"""Asking spam filters what they hold against a message: rspamd by HTTP, SpamAssassin's spamd by its own protocol."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

TIMEOUT = 60.0
"""Seconds: a filter may ask a hundred others."""

HARMLESS = ("no action", "greylist")
"""What rspamd does with a message that it holds nothing serious against."""


class ScanError(Exception):
    """The filter did not say, and why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a filter says: its score, whether it takes the message for spam, and the rules that raise the score."""

    filter: str
    score: float
    action: str
    spam: bool
    rules: tuple[str, ...]

    def __str__(self) -> str:
        """In words."""
        rules = f": {', '.join(self.rules)}" if self.rules else ""
        return f"{self.filter} says {self.action}, score {self.score:.1f}{rules}"


def ask_rspamd(url: str, content: bytes, *, sender: str, recipient: str) -> Verdict:
    """What rspamd at `url` says (rspamd.com/doc/developers/protocol.html). Raises ScanError."""
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
        try:
            connection.request("POST", "/checkv2", content, {"From": sender, "Rcpt": recipient})
            said = json.loads(connection.getresponse().read())
            raising = {name: float(found["score"]) for name, found in said["symbols"].items() if found["score"] > 0}
            action = str(said["action"])
            rules = tuple(
                f"{name} {raising[name]:g}" for name in sorted(raising, key=raising.__getitem__, reverse=True)
            )
            return Verdict("rspamd", float(said["score"]), action, action not in HARMLESS, rules)
        finally:
            connection.close()
    except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
        raise ScanError(f"rspamd at {url} does not say: {error}") from None


def ask_spamassassin(host: str, port: int, content: bytes) -> Verdict:
    """What spamd says: SYMBOLS of its protocol (SpamAssassin's spamd/PROTOCOL). Raises ScanError."""
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT) as connection:
            connection.sendall(b"SYMBOLS SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % len(content) + content)
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as said:
                head, _, body = said.read().decode("utf-8", "replace").partition("\r\n\r\n")
        (verdict,) = [line for line in head.splitlines() if line.lower().startswith("spam:")]
        spam, _, scores = verdict.partition(":")[2].partition(";")
        score = float(scores.partition("/")[0])
        is_spam = spam.strip().lower() in ("true", "yes")
        rules = tuple(each for each in body.strip().split(",") if each)
        return Verdict("SpamAssassin", score, "spam" if is_spam else "no spam", is_spam, rules)
    except (OSError, ValueError) as error:
        raise ScanError(f"SpamAssassin at {host}:{port} does not say: {error}") from None
