"""The report as CSV: one line for each row of the list, in list order."""

from __future__ import annotations

import csv
import os
import re
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from campaign_cli.model.errors import StateError
from campaign_cli.model.result import Result

COLUMNS = tuple(field.name for field in fields(Result))

FORMULA_STARTS = ("=", "+", "-", "@")
"""What a spreadsheet takes for the start of a formula (OWASP, "CSV Injection"); tab and CR do not get this far."""

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
        writer.writerow(cell(getattr(result, column), column) for column in COLUMNS)
        rows += 1
    return rows


def cell(value: str | float | None, column: str) -> str:
    """A value as it stands in the report: on one line, and with a leading apostrophe where it would be a formula."""
    if value is None:
        return ""
    if column.endswith("_at"):
        return datetime.fromtimestamp(float(value), UTC).isoformat(timespec="seconds")
    text = _CONTROL.sub(" ", str(value)).strip()
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
