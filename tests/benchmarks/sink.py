"""A fast SMTP server that takes everything and keeps nothing, in a process of its own.

`python sink.py [--no-chunking]` prints its port on a line, serves until SIGTERM, and prints what it has seen as JSON.
It is there because Postfix's smtp-sink does not offer CHUNKING and does not say when the first MAIL came.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from dataclasses import asdict, dataclass
from typing import cast

END = b"\r\n.\r\n"


@dataclass(slots=True)
class Seen:
    """What came. Times are those of the monotonic clock, which all processes of a machine share."""

    sessions: int = 0
    messages: int = 0
    octets: int = 0
    first_mail: float = 0.0
    last_message: float = 0.0

    def take(self, octets: int) -> None:
        """Count one message."""
        self.messages += 1
        self.octets += octets
        self.last_message = time.monotonic()


class Connection(asyncio.Protocol):
    """One client's. A transaction must come in the order of RFC 5321, or it is refused and not counted."""

    def __init__(self, seen: Seen, greeting: bytes) -> None:
        self._seen = seen
        self._greeting = greeting
        self._buffer = b""
        self._in_data = False
        self._chunk: int | None = None
        """Octets of a BDAT chunk that are still to come."""
        self._last = False
        self._size = 0
        self._mail = self._rcpt = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)
        self._seen.sessions += 1
        self._transport.write(b"220 sink.benchmark.test\r\n")

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol: everything that is whole is answered, in one write."""
        buffer = self._buffer + data if self._buffer else data
        at, replies = 0, []
        while True:
            if self._chunk is not None:
                taken = min(self._chunk, len(buffer) - at)
                at += taken
                self._chunk -= taken
                if self._chunk:
                    break
                self._chunk = None
                replies.append(self._content_ended() if self._last else b"250 2.0.0 Ok\r\n")
            elif self._in_data:
                end = buffer.find(END, at)
                if end < 0:
                    break
                self._in_data = False
                self._size = end - at
                at = end + len(END)
                replies.append(self._content_ended())
            else:
                end = buffer.find(b"\r\n", at)
                if end < 0:
                    break
                replies.append(self._answer(buffer[at:end]))
                # The end of the line of DATA may be the beginning of the final dot's.
                at = end if self._in_data else end + 2
        self._buffer = buffer[at:]
        if replies:
            self._transport.write(b"".join(replies))

    def _answer(self, line: bytes) -> bytes:
        verb = line[:4].upper()
        if verb == b"MAIL" and not self._mail:
            self._mail = True
            self._seen.first_mail = self._seen.first_mail or time.monotonic()
            return b"250 2.1.0 Ok\r\n"
        if verb == b"RCPT" and self._mail:
            self._rcpt = True
            return b"250 2.1.5 Ok\r\n"
        if verb == b"DATA" and self._rcpt:
            self._in_data = True
            return b"354 End data with <CR><LF>.<CR><LF>\r\n"
        if verb == b"BDAT":
            return self._bdat(line.upper().split())
        if verb == b"RSET":
            self._reset()
            return b"250 2.0.0 Ok\r\n"
        if verb == b"NOOP":
            return b"250 2.0.0 Ok\r\n"
        if verb in (b"EHLO", b"HELO"):
            self._reset()
            return self._greeting if verb == b"EHLO" else b"250 sink.benchmark.test\r\n"
        if verb == b"QUIT":
            asyncio.get_running_loop().call_soon(self._transport.close)
            return b"221 2.0.0 Bye\r\n"
        return b"503 5.5.1 Bad sequence of commands\r\n"

    def _bdat(self, words: list[bytes]) -> bytes:
        self._chunk, self._last = int(words[1]), words[-1] == b"LAST"
        self._size += self._chunk
        # The answer follows the octets.
        return b""

    def _content_ended(self) -> bytes:
        complete, size = self._mail and self._rcpt, self._size
        self._reset()
        if not complete:
            return b"503 5.5.1 Bad sequence of commands\r\n"
        self._seen.take(size)
        return b"250 2.0.0 Ok\r\n"

    def _reset(self) -> None:
        self._mail = self._rcpt = False
        self._size = 0


async def serve(*, chunking: bool) -> None:
    """Until SIGTERM."""
    seen, over = Seen(), asyncio.Event()
    offers = ["sink.benchmark.test", "PIPELINING", "SIZE 0", "8BITMIME", "ENHANCEDSTATUSCODES"]
    if chunking:
        offers.append("CHUNKING")
    greeting = "".join(f"250-{offer}\r\n" for offer in offers[:-1]) + f"250 {offers[-1]}\r\n"
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    server = await loop.create_server(lambda: Connection(seen, greeting.encode()), "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await over.wait()
    print(json.dumps(asdict(seen)), flush=True)


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(chunking="--no-chunking" not in sys.argv))
