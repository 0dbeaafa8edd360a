"""The rows of a list before anybody looks at what they say: cells under columns, many rows together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from campaign_cli.model.errors import ListError

ROWS_TOGETHER = 1000
"""Rows that are handed on together: what is done with them is done column by column."""

LONGEST_TOGETHER = 1_000_000
"""Characters after which no more rows are put together: memory has a bound whatever stands in the cells."""

LONGEST_ROW = 10_000_000
"""Characters in a row: a longer one is no row, and would not be read without the memory for it."""


class Records(NamedTuple):
    """Rows that follow each other, under the same columns: the line on which each begins, a cell for each column.

    `problem` is what is wrong with a row that is by itself for it.
    """

    columns: tuple[str, ...]
    lines: Sequence[int]
    rows: Sequence[Sequence[str]]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A list's columns, and its records as often as asked for. `guessed` is its encoding, if that is a guess.

    It may be pickled, for another process that reads the same file, as long as it is kept here.
    """

    columns: tuple[str, ...]
    header_line: int
    records: Callable[[], Iterator[Records]]
    guessed: str = ""


class Record(NamedTuple):
    """One row, as `Records` has many."""

    line: int
    columns: tuple[str, ...]
    cells: Sequence[str]
    problem: str = ""


def under(line: int, columns: tuple[str, ...], cells: list[str], problem: str = "") -> Record:
    """A row under its columns, some of which may have no name; one that has more than they can hold is wrong."""
    if not problem and len(cells) == len(columns) and all(columns):
        return Record(line, columns, cells)
    # A spreadsheet's rows are all as wide as the widest: what counts is up to where something stands.
    wide, named = _filled(cells), _filled(columns)
    if wide > named and not problem:
        problem = f"it has {wide} cells and the header has {named}"
    padded = cells + [""] * (len(columns) - len(cells))
    named_cells = [cell for column, cell in zip(columns, padded, strict=False) if column]
    return Record(line, tuple(filter(None, columns)), named_cells, problem)


def _filled(cells: Sequence[str]) -> int:
    """Cells up to the last that is not blank."""
    return next((len(cells) - after for after, cell in enumerate(reversed(cells)) if cell.strip()), 0)


def together(records: Iterable[Record]) -> Iterator[Records]:
    """The same rows: those that follow each other under the same columns, and are right, are put together."""
    found: list[Record] = []
    length = 0
    for record in records:
        full = len(found) == ROWS_TOGETHER or length > LONGEST_TOGETHER
        if found and (full or record.problem or found[0].problem or record.columns != found[0].columns):
            yield _one(found)
            found, length = [], 0
        found.append(record)
        length += sum(map(len, record.cells))
    if found:
        yield _one(found)


def _one(records: Sequence[Record]) -> Records:
    first = records[0]
    return Records(first.columns, [each.line for each in records], [each.cells for each in records], first.problem)


def too_long(source: str, line: int) -> ListError:
    """What is said of a row that no list has."""
    return ListError(f"{source}:{line}: this row has more than {LONGEST_ROW:,} characters: this is no list, or damaged")
