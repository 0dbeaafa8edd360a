"""A text as a skeleton, which many messages have in common, and the values in its places.

Where a library is to make something of the text, a word stands in the place of each value.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import NamedTuple

REMEMBERED = 256
"""Shapes kept: a template with a branch for each of eight columns has as many."""

_WORD = f"x{secrets.token_hex(8)}x"
"""What stands for values begins so: letters and figures that HTML, Markdown and URLs all leave alone."""

WORDS = re.compile(rf"(?:{_WORD}|https://{_WORD}u)(\d+)x")
"""Finds them, with their values' numbers."""

AS_PRINTABLE = str.maketrans("\u00a0\u202f\u061c\u200e\u200f", "  xxx")
"""For what some locales write dates and amounts with, and Python does not call printable: spaces at which no line
breaks, and marks of the direction in which is read."""

Skeleton = tuple[str | int, ...]
"""Text, and the numbers of the values that stand between."""


def word(number: int) -> str:
    """What stands for a value."""
    return f"{_WORD}{number}x"


def link_word(number: int) -> str:
    """What stands for a value that is a link."""
    return f"https://{_WORD}u{number}x"


def words(text: str) -> frozenset[int]:
    """The values for which a word stands in `text`."""
    return frozenset(map(int, WORDS.findall(text)))


def skeleton(text: str) -> Skeleton:
    """`text` with words in it, taken apart."""
    return tuple(int(part) if place % 2 else part for place, part in enumerate(WORDS.split(text)))


class Filled(NamedTuple):
    """A text: its skeleton and the values in its places."""

    bones: Skeleton
    values: Sequence[str]


def filled(bones: Skeleton, values: Sequence[str]) -> list[str]:
    """The text in pieces: a skeleton with the values in their places."""
    return [values[bone] if isinstance(bone, int) else bone for bone in bones]
