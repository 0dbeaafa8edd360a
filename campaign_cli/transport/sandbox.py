"""The sandbox: an SMTP server on loopback that keeps what it receives, and plays failures by local part."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from pathlib import Path
from typing import Self

from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"

LARGEST_MESSAGE = 50_000_000
"""Bytes: more than any provider takes."""

SLOWNESS = 2.0
"""Seconds that `slow+` takes to answer: long enough to see, short enough to wait for."""

REFUSED_RECIPIENTS = {
    "bounce": "550 5.1.1 The mailbox does not exist",
    "full": "552 5.2.2 The mailbox is full",
    "busy": "450 4.2.1 The mailbox is busy; try again later",
}
"""Answers to RCPT TO, every time, by the local part's beginning up to its `+`."""

REFUSED_CONTENT = {"blocked": "550 5.0.0 The message is refused"}
"""Answers to the content, every time."""

DEFERRED = "451 4.7.1 Greylisted; try again later"
LATER = "451 4.3.0 Try again later"
TAKEN = "250 2.0.0 Taken by the sandbox"


class Sandbox:
    """Serves while its `async with` block runs. Each message is one `.eml` file in `folder`, readable by its owner."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = HOST
        self.port = 0
        self.received = 0
        """Messages kept."""
        self._seen: Counter[str] = Counter()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.received = sum(1 for _ in self.folder.glob("*.eml"))
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server:
            self._server.close()

    def _connection(self) -> SMTP:
        return SMTP(
            self, hostname="sandbox", ident="campaign sandbox", data_size_limit=LARGEST_MESSAGE, enable_SMTPUTF8=True
        )

    # ---- what aiosmtpd calls ----

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Refuse, put off, or take one recipient."""
        failure = _failure(address)
        if failure == "slow":
            await asyncio.sleep(SLOWNESS)
        if failure in REFUSED_RECIPIENTS:
            return REFUSED_RECIPIENTS[failure]
        if failure == "defer" and self._first(address):
            return DEFERRED
        if failure == "reset" and self._first(address):
            _cut(server)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient taken"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Refuse, put off, lose, or keep one message."""
        address = envelope.rcpt_tos[0]
        failure = _failure(address)
        if failure in REFUSED_CONTENT:
            return REFUSED_CONTENT[failure]
        if failure == "later" and self._first(address):
            return LATER
        try:
            self._keep(address, envelope.original_content or b"")
        except OSError as error:
            return f"452 4.3.1 The sandbox cannot keep the message: {error.strerror}"
        if failure == "drop":
            _cut(server)
        return TAKEN

    def _first(self, address: str) -> bool:
        self._seen[address] += 1
        return self._seen[address] == 1

    def _keep(self, address: str, content: bytes) -> None:
        safe = "".join(letter if letter.isalnum() or letter in "@.+-_" else "_" for letter in address)[:100]
        path = self.folder / f"{self.received + 1:06d}-{safe}.eml"
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(file, "wb") as kept:
                kept.write(content)
        except OSError:
            path.unlink()
            raise
        self.received += 1


def _failure(address: str) -> str:
    """Which failure the address asks for: what stands before the `+` in its local part; "" for none."""
    local = address.partition("@")[0]
    return local.partition("+")[0].lower() if "+" in local else ""


def _cut(server: SMTP) -> None:
    """End the connection without an answer."""
    if isinstance(server.transport, asyncio.Transport):
        server.transport.abort()
