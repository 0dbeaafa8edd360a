"""A row's cells as the fields that a template knows, in JSON."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from operator import itemgetter

from campaign_cli.audience.columns import template_names
from campaign_cli.model.address import Address

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
        self._text = "{" + ",".join(f'"{name}":%s' for name in places) + "}"
        self._picked = itemgetter(*places.values())

    def fields(self, cells: Sequence[str], address: Address) -> str:
        """The fields of the row that has these cells and names `address`."""
        quoted = [*map(encode_basestring, map(str.strip, cells))]
        quoted[self.address_place or 0] = encode_basestring(address.email)
        fields: str = self._text % self._picked(quoted)
        return fields


@lru_cache(maxsize=FORMS_KEPT)
def form_of(columns: tuple[str, ...], address_column: str, head: tuple[str, ...]) -> Form:
    """The form of rows under `columns`, in a list whose own columns are `head`."""
    return Form(columns, address_column, head)
