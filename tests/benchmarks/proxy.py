"""A server far away: hands on what it is given, both ways, some time later; in a process of its own.

`python proxy.py TARGET_PORT ONE_WAY_SECONDS` prints its port on a line and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from typing import cast


class End(asyncio.Protocol):
    """One end of a connection: what it receives leaves at the other end `delay` seconds later, in its order.

    There is no backpressure, as there is none in a long wire: what is on its way is bounded by what the two at its
    ends are willing to have unanswered.
    """

    def __init__(self, delay: float) -> None:
        self.transport: asyncio.Transport
        self.other: End
        self._delay = delay
        self._under_way: deque[bytes] = deque()
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        self._send(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol: the news takes as long as everything else."""
        self._send(b"")

    def _send(self, data: bytes) -> None:
        self._under_way.append(data)
        self._loop.call_later(self._delay, self._arrive)

    def _arrive(self) -> None:
        # By place and not by timer: two timers of the same millisecond may fire in any order.
        if data := self._under_way.popleft():
            self.other.transport.write(data)
        else:
            self.other.transport.close()


class Near(End):
    """The client's end: opens the far one, and reads nothing before that is there."""

    def __init__(self, delay: float, target: int) -> None:
        super().__init__(delay)
        self._target = target

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        super().connection_made(transport)
        self.transport.pause_reading()
        self._reaching = self._loop.create_task(self._reach())

    async def _reach(self) -> None:
        far = End(self._delay)
        far.other, self.other = self, far
        try:
            await self._loop.create_connection(lambda: far, "127.0.0.1", self._target)
        except OSError:
            self.transport.abort()
            return
        self.transport.resume_reading()


async def serve(target: int, delay: float) -> None:
    """Until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Near(delay, target), "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), float(sys.argv[2])))
