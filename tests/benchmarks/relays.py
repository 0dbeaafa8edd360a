"""What mail is sent to, on loopback: Postfix's sink, our own, and either of them far away."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Protocol

from figures import BenchmarkError
from postfix import Postfix
from processes import GRACE, HERE, PYTHON, Daemon
from sink import Seen

SETTLES = 0.05
"""Seconds for a sink to count a message that it has already answered."""


class Relay(Protocol):
    """A running sink."""

    port: int

    def stop(self) -> Seen:
        """End it; what it has seen."""


class PostfixSink:
    """smtp-sink. It offers PIPELINING and 8BITMIME, and of what it sees it counts the messages only."""

    def __init__(self, postfix: Postfix, out: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._daemon = Daemon(postfix.sink_command(self.port), out, postfix.env)
        deadline = time.monotonic() + GRACE
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if not self._daemon.running or time.monotonic() > deadline:
                raise BenchmarkError(f"smtp-sink did not start: {self._daemon.stop().strip()}")
            time.sleep(0.01)

    def stop(self) -> Seen:
        """End it; how many messages it has taken."""
        time.sleep(SETTLES)
        counted = re.findall(r"mesg=(\d+)", self._daemon.stop()[-200:])
        return Seen(messages=int(counted[-1]) if counted else 0)


class OwnSink:
    """Our own (`sink.py`). It offers CHUNKING as well, when asked to."""

    def __init__(self, out: Path, *, chunking: bool) -> None:
        options = [] if chunking else ["--no-chunking"]
        self._daemon = Daemon([PYTHON, HERE / "sink.py", *options], out)
        self.port = int(self._daemon.first_line())

    def stop(self) -> Seen:
        """End it; what it has seen."""
        time.sleep(SETTLES)
        said = self._daemon.stop().splitlines()[1:]
        if len(said) != 1:
            raise BenchmarkError(f"the sink broke: {' / '.join(said[-3:]) or 'it said nothing'}")
        return Seen(**json.loads(said[0]))


@contextmanager
def serving(relay: Relay) -> Iterator[Relay]:
    """`relay`, stopped in the end, whatever happens; it may be stopped before."""
    try:
        yield relay
    finally:
        with suppress(BenchmarkError):
            relay.stop()


@contextmanager
def distant(relay: Relay, one_way: float, out: Path) -> Iterator[int]:
    """A port by which `relay` is `one_way` seconds away."""
    proxy = Daemon([PYTHON, HERE / "proxy.py", str(relay.port), str(one_way)], out)
    try:
        yield int(proxy.first_line())
    finally:
        proxy.stop()


def round_trip(port: int) -> float:
    """Seconds from a command to its answer, the median of ten."""
    with closing(socket.create_connection(("127.0.0.1", port), 5)) as connection:
        connection.settimeout(5)
        connection.recv(1000)
        times = []
        for _ in range(10):
            before = time.monotonic()
            connection.sendall(b"NOOP\r\n")
            connection.recv(1000)
            times.append(time.monotonic() - before)
        connection.sendall(b"QUIT\r\n")
        return median(times)
