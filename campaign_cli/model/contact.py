"""What a list gives: one value for each of its rows."""

from __future__ import annotations

from dataclasses import dataclass
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
