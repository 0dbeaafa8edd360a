"""What a server says, byte by byte: a parser of replies that knows no socket, and the protocol that feeds it."""

from __future__ import annotations

import asyncio
import re
from collections import deque

from campaign_cli.model.reply import Answer, Reply, Silence

MAX_LINE = 4096
"""Bytes in a reply line. RFC 5321 4.5.3.1.5 allows 512; some servers go beyond, none for a good reason beyond this."""

MAX_LINES = 100
"""Lines in a reply: an EHLO answer has about 20, an endless one is hostile."""

_LINE = re.compile(rb"([2-5][0-9][0-9])([ -]?)(.*)", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class ReplyParser:
    """Bytes in, replies out, however the bytes were cut. Once something makes no sense, everything after is lost."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lines: list[tuple[bytes, str]] = []
        self._lost = False

    def feed(self, received: bytes) -> list[Answer]:
        """The replies that `received` completes; a Silence, once, when it is not SMTP."""
        if self._lost:
            return []
        self._buffer += received
        answers: list[Answer] = []
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            answer = self._line(line)
            if answer is not None:
                answers.append(answer)
            if isinstance(answer, Silence):
                return answers
        if len(self._buffer) > MAX_LINE:
            answers.append(self._lose("a reply line that does not end"))
        return answers

    def _line(self, line: bytes) -> Answer | None:
        found = _LINE.fullmatch(line)
        if found is None or len(line) > MAX_LINE:
            return self._lose(f"not an SMTP reply: {plain(line[:80])!r}")
        code, mark, text = found.groups()
        if not mark and text:
            return self._lose(f"not an SMTP reply: {plain(line[:80])!r}")
        if self._lines and self._lines[0][0] != code:
            return self._lose("a reply whose lines have different codes")
        self._lines.append((code, plain(text)))
        if mark == b"-":
            return self._lose("a reply that does not end") if len(self._lines) > MAX_LINES else None
        lines, self._lines = self._lines, []
        return reply_of(int(code), [text for _, text in lines])

    def _lose(self, reason: str) -> Silence:
        self._lost = True
        self._buffer.clear()
        return Silence(f"the server sent {reason}")


def reply_of(code: int, lines: list[str]) -> Reply:
    """One reply of all its lines, each of which may begin with the enhanced code (RFC 2034 4)."""
    enhanced = ""
    texts = []
    for line in lines:
        # Gmail documents `421 5.7.32`: the reply code decides, the enhanced code is kept as it was said.
        if found := _ENHANCED.match(line):
            enhanced = enhanced or found[1]
            line = line[found.end() :]
        texts.append(line.strip())
    return Reply(code, enhanced, " ".join(text for text in texts if text))


def plain(raw: bytes) -> str:
    """Text that cannot move a terminal's cursor: control characters become U+FFFD."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", raw.decode("utf-8", "replace").replace("\t", " "))


class Wire(asyncio.Protocol):
    """An opened connection on which we write commands and await answers."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._parser = ReplyParser()
        self._answers: deque[Answer] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._ended: Silence | None = None

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        self._answers.extend(self._parser.feed(data))
        self._wake()

    def eof_received(self) -> bool:
        """Part of asyncio.Protocol: nothing more can come, so the connection is closed."""
        self._ended = self._ended or Silence("the server closed the connection")
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        reason = f"the connection was lost ({exc})" if exc else "the server closed the connection"
        self._ended = self._ended or Silence(reason)
        self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def silent(self) -> bool:
        """Whether the server neither said something unasked nor ended the connection."""
        return not self._answers and self._ended is None

    def write(self, octets: bytes) -> None:
        """Send; what the server makes of it shows in its answers."""
        if self._ended is None:
            self._transport.write(octets)

    async def answer(self, within: float) -> Answer:
        """The next answer, or Silence when the connection ends or `within` seconds pass first."""
        try:
            async with asyncio.timeout(within):
                while not self._answers:
                    if self._ended:
                        return self._ended
                    self._waiter = asyncio.get_running_loop().create_future()
                    await self._waiter
        except TimeoutError:
            self._ended = Silence(f"the server did not answer for {within:.0f} s")
            return self._ended
        return self._answers.popleft()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def close(self) -> None:
        """End the connection when what was written is out."""
        self._transport.close()
