"""Lists in: one Contact or BadRow for each row, streamed, in the order and with the lines of the file."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from hashlib import file_digest
from itertools import chain, compress
from pathlib import Path
from typing import BinaryIO, TypeVar

from campaign_cli.audience.addresses import parse_address, parse_addresses
from campaign_cli.audience.columns import address_column, template_names
from campaign_cli.audience.encoding import encoding_of
from campaign_cli.audience.fields import EMAIL, form_of
from campaign_cli.audience.records import Records
from campaign_cli.audience.spool import shown_source, spooled, without_comments
from campaign_cli.audience.tables import bounded_lines, open_table, readable
from campaign_cli.model.address import Address
from campaign_cli.model.contact import BadRow, Row, Rows
from campaign_cli.model.errors import ListError

LONGEST_SHOWN = 320
"""Characters of what stands in an address column that are kept of a bad row: the longest an address can be."""


T = TypeVar("T")


class ContactList:
    """A list whose header is good. May be iterated as often as one likes; memory does not grow with it.

    It may be pickled, for another process that reads the same file, as long as it is kept here.
    """

    def __init__(self, path: Path, source: str, email_column: str | None) -> None:
        self._path = path
        self.source = shown_source(source)
        """What messages call it: its path, or `standard input`."""
        with readable(self.source):
            self.octets = path.stat().st_size
            """How large its file is."""
        table = open_table(path, self.source)
        self.encoding = table.guessed
        """Its encoding, when that is a guess; else ""."""
        self._table = table
        self._address_column = address_column(f"{self.source}:{table.header_line}", table.columns, email_column)
        names = template_names(table.columns)
        self.columns = frozenset(name for its in names.values() for name in its) | {EMAIL}
        """The names a template may use."""

    def digest(self) -> str:
        """A hash of its file's bytes. Raises ListError."""
        with readable(self.source), self._path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()

    def __iter__(self) -> Iterator[Row]:
        return chain.from_iterable(self.together())

    def together(self) -> Iterator[Rows]:
        """Its rows, many at a time."""
        with readable(self.source):
            yield from map(self._rows, self._table.records())

    def _rows(self, records: Records) -> Rows:
        columns, lines, rows, problem = records
        form = form_of(columns, self._address_column, self._table.columns)
        cells: list[Sequence[str]] = [*zip(*rows, strict=True)]
        texts = [""] * len(rows) if form.address_place is None else cells[form.address_place]
        local_parts, domains, problems = parse_addresses(texts)
        if problem:
            problems = {0: problem}
        bad = [BadRow(lines[place], texts[place].strip()[:LONGEST_SHOWN], why) for place, why in problems.items()]
        if len(bad) == len(rows):
            return Rows((), (), (), (), bad)
        if bad:
            good = [place not in problems for place in range(len(rows))]
            lines, local_parts, domains = _kept(lines, good), _kept(local_parts, good), _kept(domains, good)
            cells = [_kept(column, good) for column in cells]
        emails = [f"{local}@{domain}" for local, domain in zip(local_parts, domains, strict=True)]
        return Rows(lines, local_parts, domains, form.fields(cells, emails), bad)


def _kept(values: Sequence[T], good: Sequence[bool]) -> list[T]:
    return [*compress(values, good)]


def open_list(source: str, *, email_column: str | None = None, stdin: BinaryIO | None = None) -> ContactList:
    """The list in the file `source`, or on standard input when that is `-`. Raises ListError, with file and line.

    What can be read but once, such as a pipe, is copied first, to a file that goes when the list does.
    """
    spool = spooled(source, stdin)
    try:
        found = ContactList(Path(spool.name if spool else source), source, email_column)
    except BaseException:
        if spool:
            spool.close()
        raise
    if spool:
        weakref.finalize(found, spool.close)
    return found


def read_addresses(
    source: str, *, email_column: str | None = None, stdin: BinaryIO | None = None
) -> Iterator[Address | BadRow]:
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
                    found = ContactList(path, source, email_column)
                except ListError:
                    # It may be for the comments before the header.
                    file.seek(0)
                    bare = without_comments(file, first, path.suffix)
                    if bare is None:
                        raise
                    found = ContactList(Path(copies.enter_context(bare).name), source, email_column)
                for row in found:
                    yield row if isinstance(row, BadRow) else row.address


def _plain_addresses(entries: Iterator[tuple[int, str]]) -> Iterator[Address | BadRow]:
    for line, text in entries:
        try:
            yield parse_address(text)
        except ValueError as error:
            yield BadRow(line, text.strip()[:LONGEST_SHOWN], str(error))
