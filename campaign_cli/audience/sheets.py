"""Spreadsheets, read in a process of their own.

The library holds a sheet whole in memory, and a file of a few kilobytes can unfold to more than the machine has: what
reading may take of memory, time and disk has a bound here, and the process that asked is not the one to suffer.
"""

from __future__ import annotations

import json
import marshal
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import IO, Any

from campaign_cli.audience.spool import PREFIX
from campaign_cli.model.errors import ListError

MOST_MEMORY = 2 * 1024**3
"""Bytes of address space: some millions of cells."""

MOST_TEXT = 2 * 1024**3
"""Bytes in the sheet's texts: cells may share one, and are then much more than the file."""

LONGEST = 300
"""Seconds of work: a sheet of a million rows takes a tenth."""

READER = "import sys; sys.path[:] = {path!r}; from campaign_cli.audience.sheets import main; main(sys.argv[1])"
"""What the process's Python runs: it finds what we find, and nothing in the current folder."""

REFUSED = 65
"""Its exit code when it has written what is wrong, in place of rows."""


class Sheet:
    """The first sheet of a spreadsheet: its rows as texts, in a temporary file that goes when this does."""

    def __init__(self, path: str, source: str) -> None:
        self._copy = tempfile.NamedTemporaryFile(prefix=PREFIX)  # noqa: SIM115
        try:
            ended = subprocess.run(  # noqa: S603
                [sys.executable, "-c", READER.format(path=sys.path), path],
                stdin=subprocess.DEVNULL,
                stdout=self._copy,
                stderr=subprocess.DEVNULL,
                check=False,
            )
            if ended.returncode:
                why = _why(ended.returncode, self._copy)
                raise ListError(f"{source}: cannot be read as a spreadsheet: {why}")
        except BaseException:
            self._copy.close()
            raise

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Each row that is not blank, with its number; as often as asked for."""
        with open(self._copy.name, "rb") as file:
            while True:
                try:
                    yield marshal.load(file)  # noqa: S302 (from our own process)
                except EOFError:
                    return


def _why(code: int, said: IO[bytes]) -> str:
    if code == REFUSED:
        said.seek(0)
        return said.read().decode()
    if code == -signal.SIGXCPU:
        return f"it takes more than {LONGEST} s; save the list as CSV"
    return f"it is damaged, or takes more than {MOST_MEMORY / 1024**3:.0f} GB of memory; save the list as CSV"


def as_text(value: Any) -> str:
    """A JSON or spreadsheet value as a template puts it out: whole numbers without a point, dates as ISO 8601."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case int() | float():
            return str(value)
        case datetime() | date() | time():
            return value.isoformat()
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


# ---- in the process of its own ----


def main(path: str) -> None:
    """Write the rows of the first sheet in `path` to standard output, or what is wrong with it."""
    for what, most in (
        (resource.RLIMIT_AS, MOST_MEMORY),
        (resource.RLIMIT_FSIZE, MOST_TEXT),
        (resource.RLIMIT_CPU, LONGEST),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most if what == resource.RLIMIT_CORE else resource.getrlimit(what)[1]))
    from python_calamine import CalamineError

    with open(1, "wb", closefd=False) as output:
        try:
            for row in _rows(path):
                marshal.dump(row, output)
            output.flush()
            return
        except (CalamineError, ValueError) as error:
            why = str(error)
        except OSError as error:
            why = error.strerror or str(error)
    os.ftruncate(1, 0)
    os.pwrite(1, why.encode("utf-8", "replace"), 0)
    sys.exit(REFUSED)


def _rows(path: str) -> Iterator[tuple[int, list[str]]]:
    from python_calamine import CalamineWorkbook

    with CalamineWorkbook.from_path(path) as workbook:
        sheet = workbook.get_sheet_by_index(0)
        for number, cells in enumerate(sheet.iter_rows(), 1):
            texts = [as_text(cell) for cell in cells]
            # All rows are as wide as the widest.
            while texts and not texts[-1].strip():
                texts.pop()
            if texts:
                yield number, texts
