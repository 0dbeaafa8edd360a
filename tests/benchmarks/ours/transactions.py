"""campaign's transport alone: ready messages on open sessions, without a list, composing or a ledger.

`python transactions.py PORT SESSIONS COUNT OCTETS` prints as JSON how many were delivered, and the seconds from the
first connection to the last answer.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import uvloop

from campaign_cli.model.address import Address
from campaign_cli.model.envelope import Envelope
from campaign_cli.model.relay import Relay, Tls
from campaign_cli.model.reply import Reply
from campaign_cli.transport.connect import open_session
from campaign_cli.transport.dialogue import Ending, Transaction
from campaign_cli.transport.session import Session

LINE = b"X" * 78 + b"\r\n"

HEADER = (
    b"From: <news@sender.benchmark.test>\r\nTo: <contact@example.org>\r\n"
    b"Date: Mon, 01 Jan 2024 00:00:00 +0000\r\nMessage-Id: <0123456789abcdef@sender.benchmark.test>\r\n\r\n"
)


class Sender:
    """The client of all sessions: gives them messages until there are no more."""

    def __init__(self, count: int, content: bytes) -> None:
        self.delivered = 0
        self.over = asyncio.Event()
        self._left = self._unanswered = count
        self._content = content
        self._envelope = Envelope(Address("news", "sender.benchmark.test"), Address("contact", "example.org"))

    def next_for(self, session: Session) -> Transaction | None:
        """The next transaction; nothing is written down about it, so it is durable at once."""
        if self._left == 0:
            return None
        self._left -= 1
        return Transaction(self._envelope, self._content, durable=True)

    def ended(self, session: Session, transaction: Transaction, ending: Ending) -> None:
        """Count it."""
        self.delivered += isinstance(ending.answer, Reply) and ending.answer.code == 250
        self._unanswered -= 1
        if self._unanswered == 0:
            self.over.set()

    def idle(self, session: Session) -> None:
        """A session that was lost with nothing left to do is no matter; with something left it ends the run."""
        if not session.usable:
            self.over.set()


async def main(port: int, sessions: int, count: int, octets: int) -> None:
    """Open all sessions, and send."""
    body = (LINE * (octets // len(LINE) + 1))[: octets - 2] + b"\r\n"
    sender = Sender(count, HEADER + body)
    started = time.monotonic()
    relay = Relay("127.0.0.1", port, Tls.OFF)
    opened = await asyncio.gather(*(open_session(relay, None) for _ in range(sessions)))
    for session in opened:
        if not isinstance(session, Session):
            sys.exit(str(session))
        session.client = sender
        session.pump()
    await sender.over.wait()
    seconds = time.monotonic() - started
    await asyncio.gather(*(session.close() for session in opened if isinstance(session, Session)))
    print(json.dumps({"delivered": sender.delivered, "seconds": seconds}))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*map(int, sys.argv[1:])))
