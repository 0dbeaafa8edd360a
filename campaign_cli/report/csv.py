"""The report as CSV: one line for each row of the list, in list order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TextIO

from campaign_cli.model.errors import StateError
from campaign_cli.model.result import Result
from campaign_cli.report.replacing import replaced

COLUMNS = Result._fields

FORMULA_STARTS = ("=", "+", "-", "@")
"""What a spreadsheet takes for the start of a formula (OWASP, "CSV Injection"); tab and CR do not get this far."""

HARMFUL_STARTS = (*FORMULA_STARTS, " ")
"""With what a cell must not begin as it is."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def write_report(path: Path, results: Iterable[Result]) -> int:
    """Write the report, all of it or nothing: what was at `path` stays until the new one is on disk.

    A symbolic link stays one; a device or a pipe is written to. Returns the number of rows. Raises StateError when it
    cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("w", encoding="utf-8", newline="") as file:
                return write_rows(file, results)
        with replaced(path) as descriptor, open(descriptor, "w", encoding="utf-8", newline="", closefd=False) as text:
            return write_rows(text, results)
    except OSError as error:
        raise StateError(
            f"the report {path} cannot be written: {error.strerror}; "
            "mend that and run `campaign report`, or name another with --report"
        ) from error


def write_rows(file: TextIO, results: Iterable[Result]) -> int:
    """The header line and one line a result; how many results there were."""
    file.write(",".join(COLUMNS) + "\n")
    rows = 0
    for line in map(_line, results):
        file.write(line)
        rows += 1
    return rows


def _line(result: Result) -> str:
    """A result as it stands in the report. It is put together here: Python's writer takes twice as long a line."""
    line, email, provider, status, attempts, code, enhanced_code, reply, route, tls = result[:10]
    message_id, revision, variant, first, last, reason = result[10:]
    return (
        f"{_number(line)},{_cell(email)},{_often(provider)},{status},{attempts},{_number(code)},"
        f"{_often(enhanced_code)},{_often(reply)},{_often(route)},{_often(tls)},{_cell(message_id)},"
        f"{_number(revision)},{variant or ''},{_moment(first)},{_moment(last)},{_often(reason)}\n"
    )


def _cell(value: str | None) -> str:
    """On one line, with a leading apostrophe where it would be a formula, and in quotes where it needs them."""
    if not value:
        return ""
    if not (value.isprintable() and value[0] not in HARMFUL_STARTS and value[-1] != " "):
        value = _CONTROL.sub(" ", value).strip()
        value = f"'{value}" if value.startswith(FORMULA_STARTS) else value
    if "," in value or '"' in value:
        return '"' + value.replace('"', '""') + '"'
    return value


_often = lru_cache(maxsize=256)(_cell)
"""A cell that is the same in many lines."""


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _moment(seconds: float | None) -> str:
    return "" if seconds is None else _iso(int(seconds))


@lru_cache(maxsize=256)
def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
