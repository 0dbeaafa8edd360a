"""The formats of a list: CSV, TSV, JSON lines and spreadsheets, all as records under named columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from campaign_cli.audience.columns import check_header
from campaign_cli.audience.delimited import delimited_table
from campaign_cli.audience.encoding import encoding_of
from campaign_cli.audience.records import LONGEST_ROW, Record, Records, Table, together, too_long, under
from campaign_cli.audience.sheets import Sheet, as_text
from campaign_cli.model.errors import ListError

OBJECTS_LOOKED_AT = 1000
"""JSON objects at the head of a list whose keys are its columns."""


def open_table(path: Path, source: str) -> Table:
    """The table in `path`, by its suffix, else by its first bytes. `source` is what messages call it.

    Raises ListError, with file and line.
    """
    with readable(source):
        with path.open("rb") as file:
            head = file.read(512)
            while head and not head.strip():
                head = file.read(512)
        if not head.strip():
            raise ListError(f"{source}: is empty: its first line must name the columns, such as: email,name")
        match path.suffix.lower():
            case ".tsv" | ".tab":
                return delimited_table(path, source, "\t")
            case ".jsonl" | ".ndjson" | ".json":
                return _json_lines(path, source)
            case ".xlsx" | ".xlsm" | ".xlsb" | ".xls" | ".ods":
                return _spreadsheet(path, source)
        if head.startswith(b"PK\x03\x04"):
            return _spreadsheet(path, source)
        if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            return _json_lines(path, source)
        return delimited_table(path, source, None)


@contextmanager
def readable(source: str) -> Iterator[None]:
    """What goes wrong with the file of the list `source`, as ListError."""
    try:
        yield
    except FileNotFoundError:
        raise ListError(f"{source}: there is no such list") from None
    except UnicodeError as error:
        raise ListError(f"{source}: {error}") from None
    except OSError as error:
        raise ListError(f"{source}: cannot be read: {error.strerror}") from None


def bounded_lines(file: IO[str], source: str) -> Iterator[str]:
    """The lines of `file`. Raises ListError for one that no list has, before it is in memory."""
    number = 0
    while line := file.readline(LONGEST_ROW + 1):
        number += 1
        if len(line) > LONGEST_ROW:
            raise too_long(source, number)
        yield line


# ---- JSON lines ----


def _json_lines(path: Path, source: str) -> Table:
    encoding, guess = encoding_of(path)
    columns: dict[str, None] = {}
    first_line = 1
    for number, record in enumerate(_json_objects(path, source, encoding)):
        if number == OBJECTS_LOOKED_AT:
            break
        if record.columns and not columns:
            first_line = record.line
        columns |= dict.fromkeys(record.columns)
    if not columns:
        raise ListError(
            f'{source}:1: this is not JSON lines: write one object a line, such as {{"email": "ann@example.org"}}'
        )
    return Table(tuple(columns), first_line, partial(_json_records, path, source, encoding), encoding if guess else "")


def _json_records(path: Path, source: str, encoding: str) -> Iterator[Records]:
    return together(_json_objects(path, source, encoding))


def _json_objects(path: Path, source: str, encoding: str) -> Iterator[Record]:
    with path.open(encoding=encoding, newline="\n") as file:
        for line, text in enumerate(bounded_lines(file, source), 1):
            if not text.strip():
                continue
            try:
                row = json.loads(text)
                named = row if isinstance(row, dict) else {}
                cells = {key.strip(): as_text(value) for key, value in named.items() if key.strip()}
                if "\\u" in text:
                    # Half of a surrogate pair is no character (RFC 8259 8.2), and nothing could be written with it.
                    json.dumps(row, ensure_ascii=False).encode()
            except (ValueError, RecursionError):
                yield Record(line, (), [], "it is not JSON")
                continue
            if isinstance(row, dict):
                yield Record(line, tuple(cells), [*cells.values()])
            else:
                yield Record(line, (), [], 'it is not a JSON object, such as {"email": "ann@example.org"}')


# ---- spreadsheets ----


def _spreadsheet(path: Path, source: str) -> Table:
    sheet = Sheet(str(path), source)
    line, header = next(sheet.rows(), (1, []))
    columns = check_header(f"{source}:{line}", header)
    return Table(tuple(filter(None, columns)), line, partial(_sheet_records, sheet, columns))


def _sheet_records(sheet: Sheet, columns: tuple[str, ...]) -> Iterator[Records]:
    body = sheet.rows()
    next(body)
    return together(under(line, columns, cells) for line, cells in body)
