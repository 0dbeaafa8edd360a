"""Lists as CSV and TSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from io import StringIO
from itertools import chain, compress
from pathlib import Path
from typing import IO

from campaign_cli.audience.columns import check_header, is_address_column
from campaign_cli.audience.encoding import encoding_of
from campaign_cli.audience.records import LONGEST_ROW, Records, Table, together, too_long, under
from campaign_cli.model.errors import ListError

DELIMITERS = (",", ";", "\t", "|")

LONGEST_CELL = 1_000_000
"""Characters in a cell: a longer one is a quote that was never closed."""

CHUNK = 1 << 15
"""Characters read at a time: some hundreds of rows."""

Stretch = tuple[Sequence[int], list[list[str]], str]
"""Rows that follow each other: the line on which each begins, and their cells; or one row and what is wrong with it."""


def delimited_table(path: Path, source: str, delimiter: str | None) -> Table:
    """The table in a file with this delimiter; None: with the one that fits. Raises ListError."""
    encoding, guess = encoding_of(path)
    delimiter = delimiter or _sniffed(path, source, encoding)
    line, header, problem = _first_row(path, source, encoding, delimiter)
    if problem:
        raise ListError(f"{source}:{line}: this line cannot be a header: {problem}")
    columns = check_header(f"{source}:{line}", header)
    records = partial(_records, path, source, encoding, delimiter, columns)
    return Table(tuple(filter(None, columns)), line, records, encoding if guess else "")


def _records(path: Path, source: str, encoding: str, delimiter: str, columns: tuple[str, ...]) -> Iterator[Records]:
    stretches = _stretches(path, source, encoding, delimiter)
    first_lines, first_rows, _ = next(stretches)
    for lines, rows, problem in chain([(first_lines[1:], first_rows[1:], "")], stretches):
        if not problem and all(columns) and {*map(len, rows)} == {len(columns)}:
            yield Records(columns, lines, rows)
        else:
            yield from together(under(line, columns, cells, problem) for line, cells in zip(lines, rows, strict=True))


def _first_row(path: Path, source: str, encoding: str, delimiter: str) -> tuple[int, list[str], str]:
    """The line on which it begins, its cells, and what is wrong with it. Raises ListError."""
    for lines, rows, problem in _stretches(path, source, encoding, delimiter):
        return lines[0], rows[0], problem
    return 1, [], ""


def _stretches(path: Path, source: str, encoding: str, delimiter: str) -> Iterator[Stretch]:
    """All rows that are not blank. Raises ListError."""
    csv.field_size_limit(LONGEST_CELL)
    with path.open(encoding=encoding, newline="") as file:
        yield from _Rows(file, source, delimiter).stretches()


class _Rows:
    """The rows of an open file, read once."""

    def __init__(self, file: IO[str], source: str, delimiter: str) -> None:
        self._file, self._source, self._delimiter = file, source, delimiter
        self._line = 1
        """Where the next row begins."""
        self._endless = False
        """Whether that is a line that no list has."""

    def stretches(self) -> Iterator[Stretch]:
        """All that are not blank. Raises ListError."""
        while text := self._chunk():
            if '"' in text or len(text) > LONGEST_CELL:
                yield from self._quoted(text)
                continue
            # Where nothing is quoted, a row is a line: taking it apart costs a fifth of what the reader takes.
            rows = [line.split(self._delimiter) for line in _lines(text)]
            lines = range(self._line, self._line + len(rows))
            self._line += len(rows)
            yield from _filled(lines, rows)

    def _quoted(self, text: str) -> Iterator[Stretch]:
        """The rows of `text`, which is lines, and of what follows as long as a row goes on there."""
        before = self._line - 1
        further = False

        def chunks() -> Iterator[Iterable[str]]:
            nonlocal further
            began, length, chunk = self._line, 0, text
            while chunk:
                yield StringIO(chunk, newline="")
                if before + reader.line_num < self._line:
                    return
                chunk, further = self._chunk(), True
                began, length = self._line, len(chunk) + (length if self._line == began else 0)
                if length > LONGEST_ROW:
                    raise too_long(self._source, self._line)

        reader = csv.reader(chain.from_iterable(chunks()), delimiter=self._delimiter, strict=True)
        going_on = True
        while going_on:
            lines: list[int] = []
            rows: list[list[str]] = []
            further, wrong = False, None
            try:
                for cells in reader:
                    lines.append(self._line)
                    rows.append(cells)
                    self._line = before + reader.line_num + 1
                    if further:
                        break
                else:
                    going_on = False
            except (csv.Error, ListError) as error:
                # Its traceback would keep all that was read of the row, until somebody looks for garbage.
                wrong = error.with_traceback(None)
            yield from _filled(lines, rows)
            if wrong:
                ends = before + reader.line_num
                yield [self._line], [[]], self._problem(wrong, swallowed=ends > self._line)
                self._line = ends + 1

    def _problem(self, error: csv.Error | ListError, *, swallowed: bool) -> str:
        """What is wrong with a row, if only with that one. Raises ListError."""
        if isinstance(error, ListError):
            raise error
        # What stands after a quote that never closes is part of its cell: no row from here on can be believed.
        # One that closes at the opening quote of another cell has swallowed the rows between.
        place = f"{self._source}:{self._line}"
        if "field larger" in str(error) and not swallowed:
            raise ListError(
                f"{place}: a cell has more than {LONGEST_CELL:,} characters: if a quote opens in this row, close it"
            )
        if swallowed or "unexpected end" in str(error):
            raise ListError(f"{place}: a quote opens in this row and never closes: close it")
        return "a cell goes on after its closing quote: double the quotes inside of a cell"

    def _chunk(self) -> str:
        """The next lines, whole; "" at the end. Raises ListError for one that no list has, before it is in memory."""
        if self._endless:
            raise too_long(self._source, self._line)
        text = self._file.read(CHUNK)
        rest = self._file.readline(LONGEST_ROW + 1)
        if len(rest) > LONGEST_ROW:
            # What comes before it is handed on first.
            self._endless = True
            return text[: max(map(text.rfind, "\r\n")) + 1] or self._chunk()
        return text + rest


def _lines(text: str) -> list[str]:
    """The lines of `text` without their ends, which are as everywhere."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.removesuffix("\n").split("\n")


def _filled(lines: Sequence[int], rows: list[list[str]]) -> Iterator[Stretch]:
    """These rows, without those that are blank."""
    filled = ["".join(cells).strip() for cells in rows]
    if all(filled) and rows:
        yield lines, rows, ""
    elif any(filled):
        yield [*compress(lines, filled)], [*compress(rows, filled)], ""


def _sniffed(path: Path, source: str, encoding: str) -> str:
    """The delimiter with which the first row makes the best header."""

    def worth(delimiter: str) -> tuple[bool, int]:
        try:
            _, cells, _ = _first_row(path, source, encoding, delimiter)
        except ListError:
            # With a delimiter that leaves an address column it may be part of a cell; else it is what is wrong.
            return False, LONGEST_CELL
        return any(map(is_address_column, cells)), len(cells)

    return max(DELIMITERS, key=worth)
