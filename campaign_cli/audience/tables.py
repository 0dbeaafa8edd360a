"""The formats of a list: CSV, TSV, JSON lines and spreadsheets, all as records under named columns."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from campaign_cli.audience.columns import check_header, is_address_column
from campaign_cli.audience.encoding import encoding_of
from campaign_cli.audience.sheets import Sheet, as_text
from campaign_cli.model.errors import ListError

DELIMITERS = (",", ";", "\t", "|")

LONGEST_CELL = 1_000_000
"""Characters in a cell: a longer one is a quote that was never closed."""

LONGEST_ROW = 10_000_000
"""Characters in a row: a longer one is no row, and would not be read without the memory for it."""

OBJECTS_LOOKED_AT = 1000
"""JSON objects at the head of a list whose keys are its columns."""


class Record(NamedTuple):
    """A row by its columns, and the line on which it begins; or what is wrong with it."""

    line: int
    cells: Mapping[str, str]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A list's columns, and its records as often as asked for.

    `uniform` is whether every record has exactly these columns, in their order; `guessed` its encoding, if that is a
    guess.
    """

    columns: tuple[str, ...]
    header_line: int
    records: Callable[[], Iterator[Record]]
    uniform: bool
    guessed: str = ""


def open_table(path: Path, source: str) -> Table:
    """The table in `path`, by its suffix, else by its first bytes. `source` is what messages call it.

    Raises ListError, with file and line.
    """
    try:
        with path.open("rb") as file:
            head = file.read(512)
            while head and not head.strip():
                head = file.read(512)
        if not head.strip():
            raise ListError(f"{source}: is empty: its first line must name the columns, such as: email,name")
        match path.suffix.lower():
            case ".tsv" | ".tab":
                return _delimited(path, source, "\t")
            case ".jsonl" | ".ndjson" | ".json":
                return _json_lines(path, source)
            case ".xlsx" | ".xlsm" | ".xlsb" | ".xls" | ".ods":
                return _spreadsheet(path, source)
        if head.startswith(b"PK\x03\x04"):
            return _spreadsheet(path, source)
        if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            return _json_lines(path, source)
        return _delimited(path, source, None)
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
            raise _too_long(source, number)
        yield line


def _too_long(source: str, line: int) -> ListError:
    return ListError(f"{source}:{line}: this row has more than {LONGEST_ROW:,} characters: this is no list, or damaged")


def _record(line: int, columns: tuple[str, ...], cells: list[str], problem: str) -> Record:
    """A row under its columns; one that has more than they can hold is wrong."""
    if not problem and len(cells) == len(columns) and all(columns):
        return Record(line, dict(zip(columns, cells, strict=True)))
    # A spreadsheet's rows are all as wide as the widest: what counts is up to where something stands.
    wide, named = _filled(cells), _filled(columns)
    if wide > named and not problem:
        problem = f"it has {wide} cells and the header has {named}"
    padded = cells + [""] * (len(columns) - len(cells))
    return Record(line, {column: cell for column, cell in zip(columns, padded, strict=False) if column}, problem)


def _filled(cells: Sequence[str]) -> int:
    """Cells up to the last that is not blank."""
    return next((len(cells) - after for after, cell in enumerate(reversed(cells)) if cell.strip()), 0)


# ---- CSV and TSV ----


def _delimited(path: Path, source: str, delimiter: str | None) -> Table:
    encoding, guess = encoding_of(path)
    csv.field_size_limit(LONGEST_CELL)
    delimiter = delimiter or _sniffed(path, source, encoding)
    rows = _csv_rows(path, source, encoding, delimiter)
    line, header, problem = next(rows, (1, [], ""))
    if problem:
        raise ListError(f"{source}:{line}: this line cannot be a header: {problem}")
    columns = check_header(f"{source}:{line}", header)

    def records() -> Iterator[Record]:
        rows = _csv_rows(path, source, encoding, delimiter)
        next(rows)
        for line, cells, problem in rows:
            yield _record(line, columns, cells, problem)

    return Table(tuple(filter(None, columns)), line, records, True, encoding if guess else "")


def _csv_rows(path: Path, source: str, encoding: str, delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """Each row that is not blank, with the line it begins on and what is wrong with it."""
    with path.open(encoding=encoding, newline="") as file:
        line, length = 1, 0

        def lines() -> Iterator[str]:
            nonlocal length
            while text := file.readline(LONGEST_ROW + 1):
                length += len(text)
                if length > LONGEST_ROW:
                    raise _too_long(source, line)
                yield text

        reader = csv.reader(lines(), delimiter=delimiter, strict=True)
        while True:
            line, length = reader.line_num + 1, 0
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                # What stands after a quote that never closes is part of its cell: no row from here on can be believed.
                # One that closes at the opening quote of another cell has swallowed the rows between.
                swallowed = reader.line_num > line
                if "field larger" in str(error) and not swallowed:
                    raise ListError(
                        f"{source}:{line}: a cell has more than {LONGEST_CELL:,} characters: "
                        "if a quote opens in this row, close it"
                    ) from None
                if swallowed or "unexpected end" in str(error):
                    raise ListError(f"{source}:{line}: a quote opens in this row and never closes: close it") from None
                yield line, [], "a cell goes on after its closing quote: double the quotes inside of a cell"
                continue
            if "".join(cells).strip():
                yield line, cells, ""


def _sniffed(path: Path, source: str, encoding: str) -> str:
    """The delimiter with which the first row makes the best header."""

    def worth(delimiter: str) -> tuple[bool, int]:
        try:
            _, cells, _ = next(_csv_rows(path, source, encoding, delimiter), (1, [], ""))
        except ListError:
            # With a delimiter that leaves an address column it may be part of a cell; else it is what is wrong.
            return False, LONGEST_CELL
        return any(map(is_address_column, cells)), len(cells)

    return max(DELIMITERS, key=worth)


# ---- JSON lines ----


def _json_lines(path: Path, source: str) -> Table:
    encoding, guess = encoding_of(path)

    def records() -> Iterator[Record]:
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
                    yield Record(line, {}, "it is not JSON")
                    continue
                if isinstance(row, dict):
                    yield Record(line, cells)
                else:
                    yield Record(line, {}, 'it is not a JSON object, such as {"email": "ann@example.org"}')

    columns: dict[str, None] = {}
    first_line = 1
    for number, record in enumerate(records()):
        if number == OBJECTS_LOOKED_AT:
            break
        if record.cells and not columns:
            first_line = record.line
        columns |= dict.fromkeys(filter(None, record.cells))
    if not columns:
        raise ListError(
            f'{source}:1: this is not JSON lines: write one object a line, such as {{"email": "ann@example.org"}}'
        )
    return Table(tuple(columns), first_line, records, False, encoding if guess else "")


# ---- spreadsheets ----


def _spreadsheet(path: Path, source: str) -> Table:
    sheet = Sheet(str(path), source)
    line, header = next(sheet.rows(), (1, []))
    columns = check_header(f"{source}:{line}", header)

    def records() -> Iterator[Record]:
        body = sheet.rows()
        next(body)
        for line, cells in body:
            yield _record(line, columns, cells, "")

    return Table(tuple(filter(None, columns)), line, records, True)
