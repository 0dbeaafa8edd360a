"""Start the product such that something happens to it at the nth statement of the migrations of its databases.

    python migrating.py NTH SIGNAL send list.csv ...

And make of a database one that release 1 might have left.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw

from campaign_cli.cli.main import main
from campaign_cli.ledger import database

RELEASE_1 = Path(__file__).parents[1] / "unit/ledger/schema_1"


def age(path: Path) -> None:
    """Make the database at `path` one of schema 1, with what that has room for."""
    old = path.with_suffix(".old")
    with closing(apsw.Connection(str(old))) as connection:
        connection.pragma("journal_mode", "WAL")
        connection.execute((RELEASE_1 / f"{path.stem}.sql").read_text())
        connection.pragma("user_version", 1)
        connection.execute("ATTACH ? AS new", (str(path),))
        tables = [name for (name,) in connection.execute("SELECT name FROM main.sqlite_schema WHERE type = 'table'")]
        for table in tables:
            columns = ", ".join(columns_of(connection, table))
            connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM new.{table}")
    old.replace(path)


def columns_of(connection: apsw.Connection, table: str) -> Iterator[str]:
    """The columns that `table` has in the old schema, but for what is computed."""
    for (name,) in connection.execute("SELECT name FROM pragma_table_info(?, 'main')", (table,)):
        yield name


def statements_of_migrations() -> int:
    """How many there are from schema 1 to today's, in both databases, each with the statements around them."""
    count = 0

    def counted(*_: Any) -> bool:
        nonlocal count
        count += 1
        return True

    for name in ("shared", "ledger"):
        with closing(apsw.Connection("")) as connection:
            connection.execute((RELEASE_1 / f"{name}.sql").read_text())
            connection.pragma("user_version", 1)
            connection.exec_trace = counted
            with database.transaction(connection):
                database._migrate(connection, Path(name), f"{name}-schema")
            # Its beginning comes before a migration is known to be one.
            count -= 1
    return count


def happen_in_migrations(nth: int, number: signal.Signals) -> None:
    """Send ourselves the signal before the nth statement of all migrations; the last is the commit after each."""
    migrate: Any = database._migrate
    left = nth

    def reach(*_: Any) -> bool:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), number)
        return True

    def traced(connection: apsw.Connection, path: Path, schema: str) -> None:
        if connection.pragma("user_version") < database.SCHEMA_VERSIONS[schema]:
            # It sees the commit, too.
            connection.exec_trace = reach
        migrate(connection, path, schema)

    database._migrate = traced  # type: ignore[assignment]


if __name__ == "__main__":
    nth, name = sys.argv[1:3]
    del sys.argv[1:3]
    happen_in_migrations(int(nth), signal.Signals[name])
    main()
