"""Lists in: one Contact or BadRow for each row, streamed, in the order and with the lines of the file."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import ExitStack, nullcontext
from hashlib import file_digest
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from campaign_cli.audience.addresses import parse_address
from campaign_cli.audience.columns import address_column, template_names
from campaign_cli.audience.encoding import encoding_of
from campaign_cli.audience.spool import shown_source, spooled, without_comments
from campaign_cli.audience.tables import Record, Table, bounded_lines, open_table
from campaign_cli.model.address import Address
from campaign_cli.model.contact import BadRow, Contact, Row
from campaign_cli.model.errors import ListError

LONGEST_SHOWN = 320
"""Characters of what stands in an address column that are kept of a bad row: the longest an address can be."""

EMAIL = "email"
"""The name by which a template always reaches the address."""


class ContactList:
    """A list whose header is good. May be iterated as often as one likes; memory does not grow with it."""

    def __init__(self, path: Path, source: str, table: Table, email_column: str | None) -> None:
        self._path = path
        self.source = source
        """What messages call it: its path, or `standard input`."""
        self.encoding = table.guessed
        """Its encoding, when that is a guess; else ""."""
        self._table = table
        self._address_column = address_column(f"{source}:{table.header_line}", table.columns, email_column)
        self._names = template_names(table.columns)
        self.columns = frozenset(name for names in self._names.values() for name in names) | {EMAIL}
        """The names a template may use."""
        # The usual list, whose every column has one name, and the address's is `email`.
        plain = [names[0] for names in self._names.values() if len(names) == 1]
        usual = table.uniform and len(plain) == len(self._names) and self._names[self._address_column] == (EMAIL,)
        self._plain = plain if usual else None

    def digest(self) -> str:
        """A hash of its file's bytes. Raises ListError."""
        try:
            with self._path.open("rb") as file:
                return file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ListError(f"{self.source}: cannot be read: {error.strerror}") from None

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
        if self._plain is not None:
            plain = dict(zip(self._plain, [cell.strip() for cell in record.cells.values()], strict=True))
            plain[EMAIL] = address.email
            return plain
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
    """The list in the file `source`, or on standard input when that is `-`. Raises ListError, with file and line.

    What can be read but once, such as a pipe, is copied first, to a file that goes when the list does.
    """
    spool = spooled(source, stdin)
    try:
        found = _list_in(Path(spool.name if spool else source), source, email_column)
    except BaseException:
        if spool:
            spool.close()
        raise
    if spool:
        weakref.finalize(found, spool.close)
    return found


def read_addresses(source: str, *, stdin: BinaryIO | None = None) -> Iterator[Address | BadRow]:
    """The addresses in a list, or in a file with nothing but an address on each line. Raises ListError.

    Lines that begin with `#` are comments: before a list's header, and anywhere among plain addresses.
    """
    name = shown_source(source)
    spool = spooled(source, stdin)
    with spool or nullcontext():
        path = Path(spool.name if spool else source)
        try:
            encoding, _ = encoding_of(path)
            file = path.open(encoding=encoding, newline="")
        except UnicodeError as error:
            raise ListError(f"{name}: {error}") from None
        except OSError as error:
            raise ListError(f"{name}: cannot be read: {error.strerror}") from None
        with file:
            lines = enumerate(bounded_lines(file, name), 1)
            entries = ((line, text) for line, text in lines if text.strip() and not text.startswith("#"))
            first, head = next(entries, (0, ""))
            if not head:
                raise ListError(f"{name}: there is no address in it: write one on each line")
            if "@" in head and not any(mark in head for mark in "{,;\t\0"):
                yield from _plain_addresses(chain([(first, head)], entries))
                return
            with ExitStack() as copies:
                try:
                    found = _list_in(path, source, None)
                except ListError:
                    # It may be for the comments before the header.
                    file.seek(0)
                    bare = without_comments(file, first, path.suffix)
                    if bare is None:
                        raise
                    found = _list_in(Path(copies.enter_context(bare).name), source, None)
                for row in found:
                    yield row if isinstance(row, BadRow) else row.address


def _list_in(path: Path, source: str, email_column: str | None) -> ContactList:
    name = shown_source(source)
    return ContactList(path, name, open_table(path, name), email_column)


def _plain_addresses(entries: Iterator[tuple[int, str]]) -> Iterator[Address | BadRow]:
    for line, text in entries:
        try:
            yield parse_address(text)
        except ValueError as error:
            yield BadRow(line, text.strip()[:LONGEST_SHOWN], str(error))
