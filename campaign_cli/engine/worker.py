"""A process that composes messages, seen from the run: batches of recipients go in, their messages come back."""

from __future__ import annotations

import asyncio
import marshal
import pickle
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from campaign_cli.content.composer import Composer
from campaign_cli.content.worker import Order, answered
from campaign_cli.engine.process import program, spawned
from campaign_cli.model.envelope import Message
from campaign_cli.model.frames import HEAD, framed
from campaign_cli.model.recipient import Recipient

WORKER = program("campaign_cli.content.worker")

BUFFER = 1024 * 1024
"""Bytes that can be received from a worker at once: a batch of usual messages. It grows for larger ones."""

Composed = Callable[[Sequence[Recipient], Sequence[Message | str]], None]
"""Told of recipients and what was made for each: its message, or in words why it cannot be made."""


@dataclass(slots=True)
class Batch:
    """Recipients composed together. `deaths` counts the workers that died of it."""

    recipients: Sequence[Recipient]
    composed: Composed
    now: float
    message_ids: Sequence[str]
    deaths: int = 0


class Worker(asyncio.BufferedProtocol):
    """One worker process and our end of its socket."""

    def __init__(
        self,
        composer: Composer,
        answered: Callable[[Batch, Sequence[bytes | str]], None],
        died: Callable[[Worker], None],
    ) -> None:
        self.batches: deque[Batch] = deque()
        """What it has to do, oldest first."""
        self.started = False
        """Whether it has what it needs: what it dies of from then on is a message."""
        self._answered = answered
        self._died = died
        self._buffer = bytearray(BUFFER)
        self._received = 0
        self._process, ours = spawned(WORKER)
        ours.setblocking(False)
        self._unsent = [framed(pickle.dumps(composer))]
        self._transport: asyncio.WriteTransport | None = None
        self._ours = ours
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    async def _connect(self) -> None:
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: self, sock=self._ours)
        self._transport = transport
        for octets in self._unsent:
            transport.write(octets)

    def order(self, batch: Batch) -> None:
        """Have `batch` composed."""
        self.batches.append(batch)
        orders: list[Order] = [
            (each.address.local, each.address.domain, each.fields, message_id, each.dated_at or batch.now)
            for each, message_id in zip(batch.recipients, batch.message_ids, strict=True)
        ]
        try:
            octets = marshal.dumps(orders)
        except ValueError:
            # That is what it says when it gets no memory: texts and numbers it can all take.
            raise MemoryError from None
        self._send(framed(octets))

    def end(self) -> None:
        """End it now."""
        self._connecting.cancel()
        self._process.kill()
        self._process.wait()
        if self._transport:
            self._transport.abort()
        else:
            self._ours.close()

    def _send(self, octets: bytes) -> None:
        if self._transport:
            self._transport.write(octets)
        else:
            self._unsent.append(octets)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Part of asyncio.BufferedProtocol."""
        return memoryview(self._buffer)[self._received :]

    def buffer_updated(self, nbytes: int) -> None:
        """Part of asyncio.BufferedProtocol."""
        self._received += nbytes
        start = 0
        while self._received - start >= HEAD.size:
            (length,) = HEAD.unpack_from(self._buffer, start)
            end = start + HEAD.size + length
            if end > self._received:
                if end - start > len(self._buffer):
                    self._buffer = self._buffer[start : self._received] + bytes(end - self._received)
                    self._received -= start
                    return
                break
            if self.started:
                batch = self.batches.popleft()
                frame = memoryview(self._buffer)[start + HEAD.size : end]
                self._answered(batch, answered(frame, len(batch.recipients)))
            self.started = True
            start = end
        if start:
            self._buffer[: self._received - start] = self._buffer[start : self._received]
            self._received -= start

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol: it died."""
        self._process.kill()
        self._process.wait()
        self._died(self)
