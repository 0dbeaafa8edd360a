"""A row's cells as the fields that a template knows, in JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from json.encoder import encode_basestring

from campaign_cli.audience.columns import template_names

EMAIL = "email"
"""The name by which a template always reaches the address."""

FORMS_KEPT = 16
"""Rows of a CSV file all have the same columns; JSON objects may have other keys each, and long ones."""


class Form:
    """What the rows under the same columns have in common: where the address is, and the JSON around the cells."""

    def __init__(self, columns: tuple[str, ...], address_column: str, head: tuple[str, ...]) -> None:
        self.address_place = columns.index(address_column) if address_column in columns else None
        """Which cell is the address; None: these rows have none."""
        known = template_names(head)
        taken = {name for names in known.values() for name in names} | {EMAIL}
        places: dict[str, int] = {}
        for place, column in enumerate(columns):
            if column in known:
                names = known[column]
            else:
                # A key that no JSON object at the head had: it takes no name from those that are known.
                (own,) = template_names([column]).values()
                names = tuple(name for name in own if name not in taken)
            places |= dict.fromkeys(names, place)
        # Last, for another column may be named so.
        places[EMAIL] = self.address_place or 0
        self._values = [
            (("{" if not number else '",') + f'"{name}":"', place)
            for number, (name, place) in enumerate(places.items())
        ]
        """What stands before each value, and which cell it is."""

    def fields(self, columns: Sequence[Sequence[str]], emails: Sequence[str]) -> list[str]:
        """The fields of rows whose cells these are, column by column, and whose addresses are `emails`."""
        values = [_escaped(cells) for cells in columns]
        values[self.address_place or 0] = _escaped(emails)
        pieces: list[Iterable[str]] = []
        for opening, place in self._values:
            pieces += repeat(opening), values[place]
        return [*map("".join, zip(*pieces, repeat('"}'), strict=False))]


def _escaped(cells: Sequence[str]) -> Sequence[str]:
    """Trimmed, as they stand between the quotes of JSON."""
    text = "".join(cells)
    if text.isprintable() and '"' not in text and "\\" not in text:
        return [*map(str.strip, cells)]
    return [encode_basestring(cell.strip())[1:-1] for cell in cells]


@lru_cache(maxsize=FORMS_KEPT)
def form_of(columns: tuple[str, ...], address_column: str, head: tuple[str, ...]) -> Form:
    """The form of rows under `columns`, in a list whose own columns are `head`."""
    return Form(columns, address_column, head)
