"""The text that goes with a page, worked out once for each shape that a template's pages take.

A template's branches and loops give a page its shape; a contact's values fill it. The library that lays out a page as
text costs more than all the rest of a message; so it is asked once for each shape, with a word in the place of each
value, and the values are put in.
"""

from __future__ import annotations

import html
import re
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from campaign_cli.content.plaintext import plaintext

REMEMBERED = 256
"""Shapes kept: a template with a branch for each of eight columns has as many."""

_WORD = f"x{secrets.token_hex(8)}x"
"""What stands for values begins so: letters and figures that HTML, Markdown and URLs all leave alone."""

_WORDS = re.compile(rf"{_WORD}(\d+)x")

_AT_ONCE = re.compile(r"<|  |\| | \||\|\|")
"""What no values have between bars that are all plain."""

Skeleton = tuple[str | int, ...]
"""Text, and the numbers of the values that stand between."""


def word(number: int) -> str:
    """What stands for a value."""
    return f"{_WORD}{number}x"


def skeleton(text: str) -> Skeleton:
    """`text` with words in it, taken apart."""
    return tuple(int(part) if place % 2 else part for place, part in enumerate(_WORDS.split(text)))


class Filled(NamedTuple):
    """A text: its skeleton and the values in its places."""

    bones: Skeleton
    values: Sequence[str]


def filled(bones: Skeleton, values: Sequence[str]) -> list[str]:
    """The text in pieces: a skeleton with the values in their places."""
    return [values[bone] if isinstance(bone, int) else bone for bone in bones]


class Texts:
    """The texts of a template's pages."""

    def __init__(self) -> None:
        self._known: dict[tuple[Skeleton, tuple[str | None, ...]], Skeleton | None] = {}

    def text(self, page: Skeleton, values: Sequence[str]) -> Filled:
        """The text of the page that `page` makes of `values`, which are HTML."""
        key = page, _kept(values)
        bones = self._known[key] if key in self._known else self._learnt(key, values)
        if bones is None:
            return Filled((0,), [plaintext("".join(filled(page, values)))])
        return Filled(bones, [html.unescape(value) if "&" in value else value for value in values])

    def _learnt(self, key: tuple[Skeleton, tuple[str | None, ...]], values: Sequence[str]) -> Skeleton | None:
        page, kept = key
        words = [word(number) if value is None else value for number, value in enumerate(kept)]
        bones: Skeleton | None = skeleton(plaintext("".join(filled(page, words))))
        self._known[key] = bones
        # Where the layout depends on how long the values are, as in a table, each page is laid out by itself.
        if "".join(filled(*self.text(page, values))) != plaintext("".join(filled(page, values))):
            bones = self._known[key] = None
        if len(self._known) > REMEMBERED:
            # The oldest: if it is still in use, it comes back at the cost of one message.
            del self._known[next(iter(self._known))]
        return bones


def _kept(values: Sequence[str]) -> tuple[str | None, ...]:
    """The values that take part in the layout, each in its place, None in those of the others."""
    # Most messages have none: that is seen at one look. Where two values meet there is a bar, which may be a value's
    # own: then all are looked at one by one, as they are where any is not plain.
    joined = f"|{'|'.join(values)}|"
    if joined.isprintable() and not _AT_ONCE.search(joined):
        return (None,) * len(values)
    return tuple([None if _is_plain(value) else value for value in values])


def _is_plain(value: str) -> bool:
    """Whether a value, as HTML, is nothing but words: no markup, nothing that a browser would leave out or collapse."""
    return value.isprintable() and "<" not in value and "  " not in value and value.strip(" ") == value != ""
