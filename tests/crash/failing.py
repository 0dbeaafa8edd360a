"""Start the product such that something happens to it at a named step.

    python failing.py STEP NTH WHAT send list.csv ...

STEP is one of STEPS, NTH the time it comes there, WHAT what happens then: a signal's name, which it sends to itself;
`fill FILE LEFT`, which fills the disk that FILE is on, but for LEFT bytes; `jump SECONDS`, by which the wall clock
goes on or back; or `suspend SECONDS AFTER MOMENT`: the machine was, AFTER seconds later, for so long, and the sessions
that were open did not live through it unless they had nothing to do. MOMENT is the file that is told when (monotonic).
Only the methods that the parts of the product have for each other are wrapped.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any

from campaign_cli.cli.main import main
from campaign_cli.engine import lane
from campaign_cli.engine.composers import Composers
from campaign_cli.ledger.committer import Committer
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.lock import CampaignLock
from campaign_cli.ledger.shared import SharedState
from campaign_cli.transport.session import Session

STEPS = {
    "locked": 1,
    "shared state opened": 1,
    "ledger opened": 1,
    "recovered": 1,
    "enrol batch": 1,
    "enrol batches read": 1,
    "enrolled": 1,
    "claiming": 4,
    "claimed": 4,
    "composing": 4,
    "composed": 4,
    "charging": 25,
    "charged": 25,
    "session opened": 5,
    "marking": 250,
    "marked": 250,
    "committing marks": 25,
    "in the commit of marks": 25,
    "marks committed": 25,
    "syncing": 25,
    "synced": 25,
    "MAIL given": 250,
    "durable": 250,
    "content given": 250,
    "content written": 250,
    "reply come": 30,
    "reply judged": 30,
    "recording": 250,
    "committing results": 25,
    "in the commit of results": 25,
    "results committed": 25,
    "report begun": 1,
    "report row": 250,
    "report syncing": 1,
    "report synced": 1,
    "report renamed": 1,
    "ledger closed": 1,
    "released": 1,
}
"""In the order of a recipient's way; each with how often a run comes there at the least, that sends to 300 recipients
on five connections, under a limit."""


opened: list[Session] = []
"""All sessions there have been."""


class Point:
    """Counts how often each step is come to, and does what was asked for."""

    def __init__(self, step: str, nth: int, what: str) -> None:
        self._step = step
        self._nth = nth
        self._what = what.split()
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def reach(self, step: str) -> None:
        with self._lock:
            self._counts[step] += 1
            here = step == self._step and self._counts[step] == self._nth
        if here:
            match self._what:
                case ["fill", path, left]:
                    fill(path, int(left))
                case ["jump", seconds]:
                    jump(float(seconds))
                case ["suspend", seconds, after, moment]:
                    call_later = asyncio.get_running_loop().call_later
                    call_later(float(after), suspend, float(seconds), Path(moment))
                case [name]:
                    os.kill(os.getpid(), signal.Signals[name])


def fill(path: str, left: int) -> None:
    """Let the disk that `path` is on have no more than `left` bytes free."""
    file = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    size = 0
    for block in (1 << 16, 1 << 12):
        try:
            while True:
                size += os.pwrite(file, bytes(block), size)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    os.ftruncate(file, max(size - left, 0))
    os.close(file)


def jump(seconds: float) -> None:
    """Set the wall clock, as this process sees it."""
    clock = time.time
    time.time = lambda: clock() + seconds


def suspend(seconds: float, moment: Path) -> None:
    """Let the machine have been suspended: of all clocks, only the one that timers go by has stood still."""
    clock_gettime = time.clock_gettime
    passed = {time.CLOCK_BOOTTIME: seconds, time.CLOCK_REALTIME: seconds}
    time.clock_gettime = lambda clock: clock_gettime(clock) + passed.get(clock, 0.0)
    jump(seconds)
    moment.write_text(str(time.monotonic()))
    for session in opened:
        if not session.unused:
            session._transport.abort()


def wrap(owner: Any, name: str, point: Point, before: str = "", after: str = "") -> None:
    """Have `point` reached before and after each call of a method or a function."""
    original = owner.__dict__[name]
    function = original.__func__ if isinstance(original, classmethod) else original

    @wraps(function)
    def wrapped(*arguments: Any, **more: Any) -> Any:
        if before:
            point.reach(before)
        result = function(*arguments, **more)
        if after:
            point.reach(after)
        return result

    setattr(owner, name, classmethod(wrapped) if isinstance(original, classmethod) else wrapped)


def wrap_ledger(point: Point) -> None:
    """The ledger, what is shared, and the lock."""
    enrol, commit, results = Ledger.enrol, Ledger.commit, Ledger.results

    def reaching(rows: Iterable[Any], each: str, end: str) -> Iterator[Any]:
        for row in rows:
            if each:
                point.reach(each)
            yield row
        if end:
            point.reach(end)

    def failing_enrol(self: Ledger, batches: Iterable[Any], *arguments: Any, **more: Any) -> None:
        enrol(self, reaching(batches, "enrol batch", "enrol batches read"), *arguments, **more)
        point.reach("enrolled")

    def failing_commit(self: Ledger, changes: Iterable[Any]) -> None:
        changes = list(changes)
        kinds = [
            kind
            for kind, statement in (("marks", "mark"), ("results", "record"))
            if any(change[0] == statement for change in changes)
        ]
        for kind in kinds:
            point.reach(f"committing {kind}")
        inside: Iterable[Any] = changes
        for kind in kinds:
            inside = reaching(inside, "", f"in the commit of {kind}")
        commit(self, inside)
        for kind in kinds:
            point.reach(f"{kind} committed")

    def failing_results(self: Ledger, **more: Any) -> Iterator[Any]:
        point.reach("report begun")
        return reaching(results(self, **more), "report row", "")

    Ledger.enrol, Ledger.commit, Ledger.results = failing_enrol, failing_commit, failing_results  # type: ignore[method-assign]
    wrap(Ledger, "open", point, after="ledger opened")
    wrap(Ledger, "recover", point, after="recovered")
    wrap(Ledger, "claim", point, before="claiming", after="claimed")
    wrap(Ledger, "sync", point, before="syncing", after="synced")
    wrap(Ledger, "close", point, after="ledger closed")
    wrap(SharedState, "open", point, after="shared state opened")
    wrap(SharedState, "charge", point, before="charging", after="charged")
    wrap(CampaignLock, "__init__", point, after="locked")
    wrap(CampaignLock, "release", point, after="released")


def wrap_run(point: Point) -> None:
    """What makes messages, and what waits for the disk."""
    compose, submit = Composers.compose, Committer.submit

    def failing_compose(self: Composers, recipients: Any, composed: Callable[..., None]) -> None:
        def told(*arguments: Any) -> None:
            composed(*arguments)
            point.reach("composed")

        point.reach("composing")
        compose(self, recipients, told)

    def failing_submit(self: Committer, change: Any, durable: Callable[[], None] | None = None) -> None:
        if change[0] == "mark":
            point.reach("marking")
        submit(self, change, durable)
        if change[0] in ("mark", "record"):
            point.reach("marked" if change[0] == "mark" else "recording")

    Composers.compose, Committer.submit = failing_compose, failing_submit  # type: ignore[method-assign]


class Transport:
    """A session's transport, that sees what is written."""

    def __init__(self, transport: Any, point: Point) -> None:
        self._transport = transport
        self._point = point

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, octets: bytes) -> None:
        content = b"Message-ID:" in octets
        if b"MAIL FROM" in octets:
            self._point.reach("MAIL given")
        if content:
            self._point.reach("content given")
        self._transport.write(octets)
        if content and self._transport.get_write_buffer_size() == 0:
            self._point.reach("content written")
        elif content:
            self._loop_later()

    def _loop_later(self) -> None:
        """The event loop writes at the end of its turn."""
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._point.reach, "content written")


def wrap_sessions(point: Point) -> None:
    """What is said."""
    init, data_received = Session.__init__, Session.data_received

    def failing_init(self: Session, transport: Any, **more: Any) -> None:
        init(self, Transport(transport, point), **more)  # type: ignore[arg-type]
        opened.append(self)
        point.reach("session opened")

    def failing_data_received(self: Session, data: bytes) -> None:
        final = b"taken\r\n" in data
        if final:
            point.reach("reply come")
        data_received(self, data)
        if final:
            point.reach("reply judged")

    Session.__init__, Session.data_received = failing_init, failing_data_received  # type: ignore[method-assign]
    wrap(Session, "durable", point, before="durable")


def wrap_report(point: Point) -> None:
    """What the report asks the system for."""
    fsync, replace = os.fsync, os.replace

    def failing_fsync(file: int) -> None:
        name = ""
        with suppress(OSError):
            name = os.path.basename(os.readlink(f"/proc/self/fd/{file}"))
        report = name.startswith(".") and "-report.csv" in name
        if report:
            point.reach("report syncing")
        fsync(file)
        if report:
            point.reach("report synced")

    def failing_replace(source: Any, target: Any) -> None:
        replace(source, target)
        point.reach("report renamed")

    os.fsync, os.replace = failing_fsync, failing_replace  # type: ignore[assignment]


if __name__ == "__main__":
    step, nth, what = sys.argv[1:4]
    assert step in STEPS, step
    del sys.argv[1:4]
    point = Point(step, int(nth), what)
    lane.LONGEST_REST = 1.0
    wrap_ledger(point)
    wrap_run(point)
    wrap_sessions(point)
    wrap_report(point)
    main()
