"""The report as CSV: one line for each row of the list, in list order."""

from __future__ import annotations

import csv
import os
import re
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TextIO

from campaign_cli.model.errors import StateError
from campaign_cli.model.result import Result

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
        target = Path(os.path.realpath(path))
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with open(handle, "w", encoding="utf-8", newline="") as file:
                rows = write_rows(file, results)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, target)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(name)
            raise
    except OSError as error:
        raise StateError(
            f"the report {path} cannot be written: {error.strerror}; "
            "mend that and run `campaign report`, or name another with --report"
        ) from error
    return rows


def write_rows(file: TextIO, results: Iterable[Result]) -> int:
    """The header line and one line a result; how many results there were."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    rows = 0
    for result in results:
        writer.writerow(_cells(result))
        rows += 1
    return rows


def _cells(result: Result) -> tuple[object, ...]:
    """A result as it stands in the report. What the program itself made needs no looking at."""
    return (
        result.line,
        _text(result.email),
        _text(result.provider),
        result.status,
        result.attempts,
        result.code,
        result.enhanced_code,
        _text(result.reply),
        _text(result.route),
        _text(result.message_id),
        _moment(result.first_attempt_at),
        _moment(result.last_attempt_at),
        _text(result.reason),
    )


def _text(value: str | None) -> str | None:
    """On one line, and with a leading apostrophe where it would be a formula."""
    if not value or (value.isprintable() and value[0] not in HARMFUL_STARTS and value[-1] != " "):
        return value
    text = _CONTROL.sub(" ", value).strip()
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else _iso(int(seconds))


@lru_cache(maxsize=64)
def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
