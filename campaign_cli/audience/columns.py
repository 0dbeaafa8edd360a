"""The columns of a list: which one holds the address, and by which names a template knows them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from campaign_cli.model.errors import ListError

ADDRESS_COLUMNS = ("email", "e-mail", "mail", "email address", "e-mail address")
"""Names by which the address column is found, in any case, with spaces, `-` and `_` taken as the same."""


LONGEST_SHOWN, MOST_SHOWN = 80, 40
"""Characters of a column's name, and columns, that an error repeats: a file that is no list may have thousands."""


def address_column(place: str, columns: Sequence[str], wanted: str | None) -> str:
    """The column that holds the address: `wanted`, else the one with a usual name.

    `place` is the header's file and line. Raises ListError, which names the columns there are.
    """
    there = f"its columns are: {_shown(columns)}"
    if wanted is not None:
        alike = [column for column in columns if column.strip().casefold() == wanted.strip().casefold()]
        if alike:
            return wanted if wanted in alike else alike[0]
        raise ListError(f"{place}: there is no column {wanted!r}; {there}")
    found = [column for column in columns if is_address_column(column)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ListError(f"{place}: more than one column may hold the address: say which with --email-column; {there}")
    raise ListError(f"{place}: no column is named email: name the address column with --email-column; {there}")


def _shown(columns: Sequence[str]) -> str:
    """The columns' names as an error says them: on one line, whatever they are made of."""
    names = [name[:LONGEST_SHOWN] for name in columns[:MOST_SHOWN]]
    said = ", ".join(name if name.isprintable() else repr(name) for name in names)
    more = len(columns) - len(names)
    return f"{said} and {more} more" if more else said


def is_address_column(column: str) -> bool:
    """Whether this is a usual name of an address column."""
    return _alike(column) in {_alike(name) for name in ADDRESS_COLUMNS}


def _alike(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name).casefold()


def check_header(place: str, cells: Sequence[str]) -> tuple[str, ...]:
    """The columns' names, trimmed. Raises ListError when this cannot be a header."""
    names = tuple(cell.strip() for cell in cells)
    if not any(names):
        raise ListError(f"{place}: this line cannot be a header: it is empty")
    if any("\0" in name for name in names):
        raise ListError(
            f"{place}: this line cannot be a header: it has NUL bytes in it, so it is no text, or UTF-16 without its "
            "mark; save the list as CSV in UTF-8"
        )
    if contact := next((name for name in names if re.search(r"\S@\S+\.\S", name)), None):
        raise ListError(
            f"{place}: this line cannot be a header: {contact[:LONGEST_SHOWN]!r} is an address; the first line must "
            "name the columns, such as: email,name"
        )
    seen: set[str] = set()
    for name in filter(None, names):
        if name in seen:
            raise ListError(f"{place}: two columns are named {name[:LONGEST_SHOWN]!r}: give one another name")
        seen.add(name)
    return names


def template_names(columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """For each column, the names by which a template reaches it: its own, where that is a name, and in snake case.

    `First Name` is `first_name`; `Company` is both `Company` and `company`. A column's own name goes before
    another's in snake case.
    """
    columns = [column for column in columns if column]
    taken = {column for column in columns if column.isidentifier()}
    names: dict[str, tuple[str, ...]] = {}
    for column in columns:
        own = (column,) if column.isidentifier() else ()
        snake = snake_case(column)
        if snake in taken or not snake.isidentifier():
            names[column] = own
        else:
            taken.add(snake)
            names[column] = (*own, snake)
    return names


def snake_case(column: str) -> str:
    """`First Name` as `first_name`, `2nd line` as `_2nd_line`."""
    words = re.sub(r"\W+", "_", column.strip()).strip("_").lower()
    return f"_{words}" if words[:1].isdigit() else words
