"""What a list gives: one value for each of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from operator import attrgetter
from typing import NamedTuple

from campaign_cli.model.address import Address


class Contact(NamedTuple):
    """One good row of the list: where it stands, whom it names, and its fields.

    `line` counts from 1 as an editor does (for a spreadsheet: its row), and is where the row begins.
    `fields` is the row's cells under the names a template uses, as JSON.
    """

    line: int
    address: Address
    fields: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that names nobody we can write to. It stays in the report as `invalid`.

    `email` is the address column's text as it was found (cut to 320 characters), `reason` says what is wrong with it.
    """

    line: int
    email: str
    reason: str


Row = Contact | BadRow


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that follow each other in the list: of the good ones what each Contact has, by column; and the bad ones.

    What is worked out for many rows is so column by column: a row by itself costs several times as much.
    """

    lines: Sequence[int]
    local_parts: Sequence[str]
    domains: Sequence[str]
    fields: Sequence[str]
    bad: Sequence[BadRow] = ()

    def __iter__(self) -> Iterator[Row]:
        """Each row, in the order of the list."""
        good = map(Contact, self.lines, map(Address, self.local_parts, self.domains), self.fields)
        rows: Iterator[Row] = merge(good, self.bad, key=attrgetter("line"))
        return rows
