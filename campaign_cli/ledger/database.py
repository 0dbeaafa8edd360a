"""SQLite as the ledger uses it: apsw's own build, WAL, every commit on disk before it counts.

The SQLite that comes with a system is usually in the range 3.7.0 to 3.51.2, which can lose commits in WAL mode
when two connections write or checkpoint at once (sqlite.org/wal.html, "The WAL-reset bug"); apsw brings a fixed one.
"""

from __future__ import annotations

import os
import pwd
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from pathlib import Path

import apsw

from campaign_cli.model.errors import ResourceError, StateError

FIXED_IN = (3, 51, 3)
"""The first SQLite release without the WAL-reset bug. The fix is in 3.50.7 and 3.44.6 too; no apsw that we ask for
comes with those, and they are refused with the rest."""

BUSY_TIMEOUT = 10.0
"""Seconds to wait for another process's transaction, which lasts one fsync."""

BUSY_PAUSE = 0.005
"""Seconds before asking again whether it is over."""

STEPS_BETWEEN = 1_000_000
"""Steps of SQLite's machine between two of Python's: some hundredths of a second."""

WAL_KEPT = 64 * 1024 * 1024
"""Bytes: enrolling a large list makes a large WAL, which is cut back to this afterwards."""

CACHE = 8 * 1024
"""KiB of pages kept in memory."""

ROOMY_CACHE = 24 * 1024
"""KiB of pages kept in memory while a list is enrolled. Addresses come in no order: with less, the pages of their index
are written and read again and again, and a million of them take a third longer."""

NO_MEMORY = (apsw.SQLITE_IOERR_NOMEM, apsw.SQLITE_IOERR_SHMMAP)
"""What SQLite calls an error of the disk, and is one of memory: the second is of mmap(2), for the log's index."""

SCHEMA_VERSIONS = {"ledger-schema": 3, "shared-schema": 5}
"""Kept in SQLite's user_version. A file with a lower one is an earlier release's, and is brought up to date."""


def open_database(path: Path, schema: str) -> apsw.Connection:
    """The database at `path`, made with `sql/<schema>.sql` when it is new. Raises StateError."""
    check_release(apsw.sqlite_lib_version())
    with translated(path):
        file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        owner = os.fstat(file).st_uid
        os.close(file)
        if owner != os.geteuid():
            # What is written beside it would be ours, and whose it is could not send from it any more.
            raise StateError(
                f"{path} belongs to {_name_of(owner)}, not to you: run the command as {_name_of(owner)}, "
                "or name a folder of your own with --state"
            )
        connection = apsw.Connection(
            str(path), flags=apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
        )
        _hear_signals(connection)
        _use_wal(connection)
        connection.pragma("synchronous", "FULL")
        connection.pragma("journal_size_limit", WAL_KEPT)
        connection.pragma("cache_size", -CACHE)
        with transaction(connection):
            if connection.pragma("user_version") == 0:
                connection.execute(_sql(schema))
                connection.pragma("user_version", SCHEMA_VERSIONS[schema])
            _migrate(connection, path, schema)
        return connection


def _name_of(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def check_release(release: str) -> None:
    """That this SQLite, which may be the system's in the place of apsw's own, loses no commits. Raises StateError."""
    if tuple(map(int, release.split("."))) < FIXED_IN:
        raise StateError(
            f"SQLite {release} can lose what is committed when two programs write at once, and then people get a "
            f"message twice: campaign needs {'.'.join(map(str, FIXED_IN))} or later, which apsw's wheels bring: "
            "pip install --force-reinstall --only-binary apsw apsw"
        )


def _migrate(connection: apsw.Connection, path: Path, schema: str) -> None:
    """Bring what an earlier release has made up to date, in the caller's transaction. Raises StateError."""
    version = connection.pragma("user_version")
    if version > SCHEMA_VERSIONS[schema]:
        raise StateError(f"{path} was written by a later release of campaign (schema {version}): upgrade campaign")
    for number in range(version + 1, SCHEMA_VERSIONS[schema] + 1):
        connection.execute(_sql(f"{schema}-{number}"))
        connection.pragma("user_version", number)


def _hear_signals(connection: apsw.Connection) -> None:
    """Python hears a signal between two steps of its own, so it gets some while SQLite works or waits for long."""
    connection.set_busy_handler(_wait)
    connection.set_progress_handler(_go_on, STEPS_BETWEEN)


def _go_on() -> bool:
    # A function of Python's own: one in C would hear nothing either.
    return False


def _wait(tried: int) -> bool:
    """Whether to ask again for another process's transaction to be over."""
    time.sleep(BUSY_PAUSE)
    return tried * BUSY_PAUSE < BUSY_TIMEOUT


def _use_wal(connection: apsw.Connection) -> None:
    """Two processes that make a new database at once: for this one lock SQLite does not wait by itself."""
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.pragma("journal_mode", "WAL")
        except apsw.BusyError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def open_for_reading(path: Path, schema: str) -> apsw.Connection:
    """The database at `path`, without changing a byte in its folder. Raises StateError.

    One that an earlier release has made is read from a temporary copy that is brought up to date.
    """
    with translated(path):
        connection = apsw.Connection(reading_uri(path), flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        _hear_signals(connection)
        if connection.pragma("user_version") in (0, SCHEMA_VERSIONS[schema]):
            return connection
        copy = apsw.Connection("")
        with copy.backup("main", connection, "main") as backup:
            backup.step()
        connection.close()
        with transaction(copy):
            _migrate(copy, path, schema)
        return copy


def reading_uri(path: Path) -> str:
    """How SQLite opens `path` for reading only.

    Without a WAL beside it nobody is writing, and SQLite is told that the file is immutable, or it would create one.
    """
    quiet = not Path(f"{path.resolve()}-wal").exists()
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if quiet else ''}"


@contextmanager
def transaction(connection: apsw.Connection) -> Iterator[None]:
    """One write transaction: committed at the end, undone by an exception."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def roomy(connection: apsw.Connection) -> Iterator[None]:
    """More pages are kept in memory inside; afterwards it is given back."""
    connection.pragma("cache_size", -ROOMY_CACHE)
    try:
        yield
    finally:
        connection.pragma("cache_size", -CACHE)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """SQLite's and the system's errors as StateError, with what to do."""
    try:
        yield
    except apsw.FullError as error:
        raise StateError(f"the disk is full: {path} cannot be written; make room and run again") from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise StateError(f"{path} is damaged ({error}): restore it from a backup; do not send without it") from error
    except apsw.BusyError as error:
        raise StateError(f"{path} is locked by another program: end it, or use another --state folder") from error
    except (apsw.IOError, apsw.NoMemError) as error:
        if isinstance(error, apsw.IOError) and getattr(error, "extendedresult", 0) not in NO_MEMORY:
            raise disk_failed(path, str(error)) from error
        raise ResourceError(f"{path}: memory is short; make room and run again") from error
    except (apsw.Error, OSError) as error:
        raise StateError(f"{path} cannot be used: {error}") from error


def disk_failed(path: Path, why: str | None) -> StateError:
    """The disk below `path` does not do what it is asked for; it is not asked again."""
    return StateError(
        f"{path} cannot be read or written ({why}): look at what the system's log says of the disk, then run again"
    )


def _sql(name: str) -> str:
    return resources.files("campaign_cli.ledger").joinpath(f"sql/{name}.sql").read_text("utf-8")


@cache
def statements(name: str) -> dict[str, str]:
    """The statements of `sql/<name>.sql`, by the name that stands above each, without comments and indentation: apsw
    looks a statement up by all its text, for every row of an `executemany`."""
    parts = re.split(r"^-- name: (\w+)\n", _sql(name), flags=re.MULTILINE)
    return {
        key: " ".join(re.sub(r"^--.*", "", text, flags=re.MULTILINE).split())
        for key, text in zip(parts[1::2], parts[2::2], strict=True)
    }


@cache
def of_rows(statement: str, count: int) -> str:
    """An INSERT of one row of VALUES, as one of `count` rows."""
    head, row, tail = re.split(r"(?<=VALUES )(\(.*?\))", statement, maxsplit=1)
    return head + ", ".join([row] * count) + tail
