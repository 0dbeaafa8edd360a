"""Start the product such that its disk, or the system, refuses what it asks for at a named place: EIO, or too little.

    python breaking.py PLACE NTH MOMENT send list.csv ...

PLACE is one of PLACES; from its NTH call on, each fails as it would in earnest. The file MOMENT then has a line for
each call that failed, with its time (monotonic seconds).
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Any

import apsw

from campaign_cli.cli.main import main
from campaign_cli.engine.pool import Pool
from campaign_cli.engine.supply import Supply
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.report import csv
from campaign_cli.transport.replies import ReplyParser

FILES = ("ledger.db", "ledger.db-wal", "shared.db", "shared.db-wal")

CALLS = {
    "xRead": apsw.SQLITE_IOERR_READ,
    "xWrite": apsw.SQLITE_IOERR_WRITE,
    "xSync": apsw.SQLITE_IOERR_FSYNC,
}
"""SQLite's calls, and what it is told."""

LOG, REPORT, REPORT_WRITTEN = "the log's fdatasync", "the report's fsync", "the report's write"

DISK = (*(f"{call} of {file}" for file in FILES for call in CALLS), LOG, REPORT, REPORT_WRITTEN)

PROCESS, THREAD = "a process", "a thread"

MEMORY = {
    "memory for a commit": (Ledger, "commit"),
    "memory for a sync": (Ledger, "sync"),
    "memory for a reply": (ReplyParser, "feed"),
    "memory for a message": (Supply, "_composed"),
    "memory for a session": (Pool, "_open_one"),
}
"""Where Python gets no memory: once in the thread that syncs, once in a task, and else in callbacks."""

PLACES = (*DISK, PROCESS, THREAD, *MEMORY)


class Breaking:
    """Counts the calls at its place, and lets them fail from the nth on."""

    def __init__(self, place: str, nth: int, moment: Path) -> None:
        self._place = place
        self._left = nth
        self._moment = moment
        self._lock = threading.Lock()

    def fails(self, place: str) -> bool:
        if place != self._place:
            return False
        with self._lock:
            self._left -= 1
            if self._left > 0:
                return False
            with self._moment.open("a") as lines:
                lines.write(f"{time.monotonic()}\n")
            return True


def break_sqlite(breaking: Breaking) -> apsw.VFS:
    """SQLite's own calls. The VFS lives as long as what is returned."""

    class File(apsw.VFSFile):
        def __init__(self, name: Any, flags: list[int]) -> None:
            path = name.filename() if isinstance(name, apsw.URIFilename) else name
            self._name = os.path.basename(path)
            super().__init__("unix", name, flags)

        def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
            self._check("xRead")
            return super().xRead(amount, offset)

        def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
            self._check("xWrite")
            super().xWrite(data, offset)

        def xSync(self, flags: int) -> None:  # noqa: N802
            self._check("xSync")
            super().xSync(flags)

        def _check(self, call: str) -> None:
            if breaking.fails(f"{call} of {self._name}"):
                error = apsw.exception_for(CALLS[call])
                error.args = ("disk I/O error",)
                raise error

        def excepthook(self, *_: Any) -> None:
            """SQLite itself says nothing of what fails where nobody asks, such as a checkpoint when it is closed."""

    class Failing(apsw.VFS):
        def __init__(self) -> None:
            super().__init__("failing", "unix", makedefault=True)

        def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802
            return File(name, flags) if name else apsw.VFSFile("unix", name, flags)

    return Failing()


def told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An exception that nobody caught; not that of our VFS in a connection let go, which SQLite's own has not."""
    if not any(frame.f_code.co_name == "Connection.tp_dealloc" for frame, _ in walk_tb(trace)):
        sys.__excepthook__(kind, error, trace)


def break_calls(breaking: Breaking) -> None:
    """What the product itself asks the system for."""

    def refused(function: Callable[..., Any], place: str, error: Exception, file: str = "") -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            if (not file or file in _name(arguments[0])) and breaking.fails(place):
                raise error
            return function(*arguments, **more)

        return call

    eio = OSError(errno.EIO, os.strerror(errno.EIO))
    os.fdatasync = refused(os.fdatasync, LOG, eio, "ledger.db-wal")
    os.fsync = refused(os.fsync, REPORT, eio, "-report.csv")
    csv.write_rows = refused(csv.write_rows, REPORT_WRITTEN, eio)
    popen: Any = subprocess.Popen
    popen._execute_child = refused(popen._execute_child, PROCESS, OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)))
    thread: Any = threading.Thread
    thread.start = refused(thread.start, THREAD, RuntimeError("can't start new thread"))
    for place, (owner, name) in MEMORY.items():
        setattr(owner, name, refused(getattr(owner, name), place, MemoryError()))


def _name(file: int) -> str:
    return os.path.basename(os.readlink(f"/proc/self/fd/{file}"))


if __name__ == "__main__":
    place, nth, moment = sys.argv[1:4]
    assert place in PLACES, place
    del sys.argv[1:4]
    breaking = Breaking(place, int(nth), Path(moment))
    sys.excepthook = told
    vfs = break_sqlite(breaking)
    break_calls(breaking)
    main()
