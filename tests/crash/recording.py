"""Start the product such that everything it has on disk, and everything it calls durable, is written to a trace.

    python recording.py TRACE DIE_AFTER send list.csv ...

It kills itself when it has handed over DIE_AFTER messages, unless that is 0.

SQLite's files go through a VFS that notes each write and each sync; `os.fdatasync`, `os.fsync` and `os.mkdir` note
theirs; what the ledger commits, what is called durable and what is handed over is noted beside. `disk` reads it.
"""

from __future__ import annotations

import marshal
import os
import re
import signal
import struct
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any, Protocol

import apsw

from campaign_cli.cli.main import main
from campaign_cli.ledger import ledger
from campaign_cli.ledger.changes import Change
from campaign_cli.ledger.entries import Batch
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.lifecycle import State
from campaign_cli.transport.session import Session

HEAD = struct.Struct("!I")

CHECKPOINT_EVERY = 100
"""Pages in the log, instead of thousands, so that a short run has many checkpoints."""

CONTENT_OF = re.compile(rb"^To: [^\r]*?([^\s<]+@[^\s>]+)>?\r$", re.MULTILINE)

Proxied = Any


class Notes(Protocol):
    """Where records go, in the order in which things happen."""

    def note(self, *record: Any) -> None:
        """Add a record."""

    def token(self) -> int:
        """Ties the beginning of something to its end."""


class Trace:
    """Records in the order in which they happened; each is in the file when `note` returns, whoever is killed then."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._lock = threading.Lock()
        self._tokens = 0

    def note(self, *record: Any) -> None:
        octets = marshal.dumps(record)
        with self._lock:
            os.write(self._file, HEAD.pack(len(octets)) + octets)

    def token(self) -> int:
        """Ties the beginning of something to its end."""
        with self._lock:
            self._tokens += 1
            return self._tokens


def register(trace: Notes) -> apsw.VFS:
    """Make the noting VFS the default. It lives as long as what is returned."""

    class File(apsw.VFSFile):
        def __init__(self, name: Any, flags: list[int]) -> None:
            self._path = name.filename() if isinstance(name, apsw.URIFilename) else name
            new = not os.path.exists(self._path)
            journal = flags[0] & (apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL)
            # The first sync of a new journal or log syncs its folder as well (os_unix.c, UNIXFILE_DIRSYNC).
            self._folder_too = bool(new and journal)
            super().__init__("unix", name, flags)
            if new:
                trace.note("create", self._path)

        def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
            trace.note("write", self._path, offset, bytes(data))
            super().xWrite(data, offset)

        def xTruncate(self, newsize: int) -> None:  # noqa: N802
            trace.note("truncate", self._path, newsize)
            super().xTruncate(newsize)

        def xSync(self, flags: int) -> None:  # noqa: N802
            token = trace.token()
            trace.note("sync", self._path, token)
            super().xSync(flags)
            trace.note("synced", token)
            if self._folder_too:
                self._folder_too = False
                trace.note("folder synced", os.path.dirname(self._path))

    class Noting(apsw.VFS):
        def __init__(self) -> None:
            super().__init__("noting", "unix", makedefault=True)

        def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802
            # A file without a name is a temporary one.
            return File(name, flags) if name else apsw.VFSFile("unix", name, flags)

        def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
            super().xDelete(filename, syncdir)
            trace.note("delete", filename)
            if syncdir:
                trace.note("folder synced", os.path.dirname(filename))

    return Noting()


def note_system_calls(trace: Notes) -> None:
    """What the product itself asks the system for."""
    mkdir, fsync, fdatasync, open_file = os.mkdir, os.fsync, os.fdatasync, os.open

    def noted_mkdir(path: Any, *arguments: Any, **more: Any) -> None:
        mkdir(path, *arguments, **more)
        trace.note("create folder", os.path.abspath(path))

    def noted_open(path: Any, flags: int, *arguments: Any, **more: Any) -> int:
        new = flags & os.O_CREAT and isinstance(path, str | os.PathLike) and not os.path.exists(path)
        descriptor = open_file(path, flags, *arguments, **more)
        if new:
            trace.note("create", os.path.abspath(path))
        return descriptor

    def noted(sync: Callable[[int], None]) -> Callable[[int], None]:
        def synced(file: Any) -> None:
            descriptor = file if isinstance(file, int) else file.fileno()
            path = os.readlink(f"/proc/self/fd/{descriptor}")
            token = trace.token()
            trace.note("sync", path, token)
            sync(descriptor)
            trace.note("synced", token)
            if os.path.isdir(path):
                trace.note("folder synced", path)

        return synced

    os.mkdir, os.open = noted_mkdir, noted_open
    os.fsync, os.fdatasync = noted(fsync), noted(fdatasync)


def _plain(value: Any) -> Any:
    """As marshal takes it."""
    return str(value) if isinstance(value, State) else value


def note_promises(trace: Trace) -> None:
    """What the ledger commits, and from when on it is durable."""
    commit, sync, enrol, recover = Ledger.commit, Ledger.sync, Ledger.enrol, Ledger.recover

    @wraps(commit)
    def noted_commit(self: Ledger, changes: Iterable[Change]) -> None:
        changes = list(changes)
        trace.note("committing", "changes", [(statement, [*map(_plain, values)]) for statement, values in changes])
        commit(self, changes)
        trace.note("committed")

    @wraps(sync)
    def noted_sync(self: Ledger) -> None:
        token = trace.token()
        trace.note("promising", token)
        sync(self)
        trace.note("promised", token)

    @wraps(enrol)
    def noted_enrol(self: Ledger, batches: Iterable[Batch], **more: Any) -> None:
        emails: list[str] = []

        def read() -> Iterator[Batch]:
            for entries, invalid in batches:
                emails.extend(f"{local}@{domain}" for _, local, domain, *_ in entries)
                yield entries, invalid
            # SQLite writes what does not fit its cache before the end; nothing of that counts before the commit.
            trace.note("committing", "enrol", emails)

        enrol(self, read(), **more)
        promise_all()

    @wraps(recover)
    def noted_recover(self: Ledger) -> int:
        trace.note("committing", "recover", None)
        uncertain = recover(self)
        promise_all()
        return uncertain

    def promise_all() -> None:
        trace.note("committed")
        token = trace.token()
        trace.note("promising", token)
        trace.note("promised", token)

    Ledger.commit, Ledger.sync = noted_commit, noted_sync  # type: ignore[method-assign]
    Ledger.enrol, Ledger.recover = noted_enrol, noted_recover  # type: ignore[method-assign]

    charge = SharedState.charge

    @wraps(charge)
    def noted_charge(self: SharedState, wanted: Iterable[Any]) -> list[int]:
        granted = charge(self, wanted)
        trace.note("charged", granted)
        return granted

    SharedState.charge = noted_charge  # type: ignore[method-assign]


class Transport:
    """A session's transport, that notes whose content is handed over."""

    def __init__(self, transport: Proxied, handed_over: Callable[[list[str]], None]) -> None:
        self._transport = transport
        self._handed_over = handed_over

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, octets: bytes) -> None:
        if emails := [email.decode() for email in CONTENT_OF.findall(octets)]:
            self._handed_over(emails)
        self._transport.write(octets)


def note_contents(trace: Trace, die_after: int) -> None:
    """What leaves the process."""
    init = Session.__init__
    count = 0

    def handed_over(emails: list[str]) -> None:
        nonlocal count
        trace.note("handed over", emails)
        count += len(emails)
        if 0 < die_after <= count:
            os.kill(os.getpid(), signal.SIGKILL)

    @wraps(init)
    def noted_init(self: Session, transport: Any, **more: Any) -> None:
        init(self, Transport(transport, handed_over), **more)  # type: ignore[arg-type]

    Session.__init__ = noted_init  # type: ignore[method-assign]


if __name__ == "__main__":
    trace = Trace(sys.argv[1])
    die_after = int(sys.argv[2])
    del sys.argv[1:3]
    apsw.connection_hooks.append(lambda connection: connection.wal_autocheckpoint(CHECKPOINT_EVERY))
    ledger.CHECKPOINTED_AT_ONCE = CHECKPOINT_EVERY
    vfs = register(trace)
    note_system_calls(trace)
    note_promises(trace)
    note_contents(trace, die_after)
    trace.note("run")
    main()
