"""Lists in: one Contact or BadRow for each row, streamed, in the order and with the lines of the file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from campaign_cli.audience.addresses import parse_address
from campaign_cli.audience.columns import address_column, template_names
from campaign_cli.audience.tables import Record, Table, open_table
from campaign_cli.model.address import Address
from campaign_cli.model.contact import BadRow, Contact, Row
from campaign_cli.model.errors import ListError

STANDARD_INPUT = "-"

LONGEST_SHOWN = 320
"""Characters of what stands in an address column that are kept of a bad row: the longest an address can be."""

EMAIL = "email"
"""The name by which a template always reaches the address."""


class ContactList:
    """A list whose header is good. May be iterated as often as one likes; memory does not grow with it."""

    def __init__(self, source: str, table: Table, email_column: str | None, spool: object = None) -> None:
        self.source = source
        """What it was opened by: a path, or `-`."""
        self.encoding = table.guessed
        """Its encoding, when that is a guess; else ""."""
        self._table = table
        # A temporary file lives as long as something refers to it.
        self._spool = spool
        self._address_column = address_column(f"{source}:{table.header_line}", table.columns, email_column)
        self._names = template_names(table.columns)
        self.columns = frozenset(name for names in self._names.values() for name in names) | {EMAIL}
        """The names a template may use."""

    def __iter__(self) -> Iterator[Row]:
        for record in self._table.records():
            yield self._row(record)

    def _row(self, record: Record) -> Row:
        email = record.cells.get(self._address_column, "")
        if record.problem:
            return BadRow(record.line, email.strip()[:LONGEST_SHOWN], record.problem)
        try:
            address = parse_address(email)
        except ValueError as error:
            return BadRow(record.line, email.strip()[:LONGEST_SHOWN], str(error))
        return Contact(record.line, address, self._fields(record, address))

    def _fields(self, record: Record, address: Address) -> dict[str, str]:
        fields: dict[str, str] = {}
        for column, cell in record.cells.items():
            if column not in self._names:
                # A key that no JSON object at the head had: it takes no name from those that are known.
                (names,) = template_names([column]).values()
                self._names[column] = tuple(name for name in names if name not in self.columns)
            value = address.email if column == self._address_column else cell.strip()
            fields |= dict.fromkeys(self._names[column], value)
        # Last, for another column may be named so.
        return fields | {EMAIL: address.email}


def open_list(source: str, *, email_column: str | None = None, stdin: BinaryIO | None = None) -> ContactList:
    """The list in the file `source`, or on standard input when that is `-`. Raises ListError, with file and line."""
    if source != STANDARD_INPUT:
        return ContactList(source, open_table(Path(source), source), email_column)
    if stdin is None:
        raise ListError("-: there is no standard input to read a list from")
    spool = tempfile.NamedTemporaryFile(prefix="campaign-list-")  # noqa: SIM115
    shutil.copyfileobj(stdin, spool)
    spool.flush()
    return ContactList(source, open_table(Path(spool.name), "standard input"), email_column, spool)


def read_addresses(source: str) -> Iterator[Address | BadRow]:
    """The addresses in a list, or in a file with nothing but an address on each line. Raises ListError."""
    try:
        with Path(source).open(encoding="utf-8-sig", errors="replace") as file:
            first = next(filter(_is_entry, file), "")
    except OSError as error:
        raise ListError(f"{source}: cannot be read: {error.strerror}") from None
    if "@" not in first or any(mark in first for mark in "{,;\t\0"):
        for row in open_list(source):
            yield row if isinstance(row, BadRow) else row.address
        return
    with Path(source).open(encoding="utf-8-sig", errors="replace") as file:
        for line, text in enumerate(file, 1):
            if not _is_entry(text):
                continue
            try:
                yield parse_address(text)
            except ValueError as error:
                yield BadRow(line, text.strip()[:LONGEST_SHOWN], str(error))


def _is_entry(text: str) -> bool:
    """Whether a line of a file of addresses is neither blank nor a comment."""
    return bool(text.strip()) and not text.startswith("#")
