"""A template's pages as they are sent, and the texts that go with them, worked out once for each shape they take.

A template's branches and loops give a page its shape; a contact's values fill it. The libraries that put styles where
mail programs look for them, and that lay out a page as text, cost more than all the rest of a message; so they are
asked once for each shape, with a word in the place of each value, and the values are put in.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from campaign_cli.content.mjml import sizing
from campaign_cli.content.plaintext import plaintext, spaced
from campaign_cli.content.preheader import parted, with_preheader
from campaign_cli.content.shapes import (
    AS_PRINTABLE,
    REMEMBERED,
    Filled,
    Skeleton,
    filled,
    link_word,
    skeleton,
    word,
    words,
)
from campaign_cli.content.styles import deciding

_AT_ONCE = re.compile(r"<|  |\| | \||\|\||\|https?:|\|mailto:", re.IGNORECASE)
"""What no values have between bars that are all plain."""

_IS_LINK = re.compile(r"https?:|mailto:", re.IGNORECASE).match

_LINK = "a link"
"""In the place of a value that is one, which the text shows behind what it is a link of."""

Step = Callable[[str], str]
"""Makes one page of another; what it has nothing to do with stays as it was."""

Kept = tuple[str | None, ...]
"""The values that are part of a shape, each in its place, None in those of the others."""


class _Shape(NamedTuple):
    """What pages of one shape have in common. `text` is None where each is laid out by itself.

    `parts` are the numbers of values that decide how the page looks, as a class does: where there are any, each that
    a contact has makes a shape, and this is none yet.
    """

    html: Skeleton
    text: Skeleton | None
    parts: frozenset[int]


class Pages:
    """The pages of a template, each made by `steps` of what Jinja2 put out."""

    def __init__(self, steps: Sequence[Step] = (), *, with_text: bool = True) -> None:
        """Without text, where that comes from elsewhere."""
        self._steps = steps
        self._laid_out: Step = plaintext if with_text else lambda page: ""
        self._known: dict[object, _Shape] = {}
        self._made = lru_cache(maxsize=REMEMBERED)(self._stepped)

    def page(self, written: Filled) -> tuple[Filled, Filled]:
        """The page that is made of what Jinja2 put out, whose values are HTML, and its text. Raises what steps do."""
        bones, values = written
        kept, all_plain = _kept(values)
        key: object = (bones, kept)
        shape = self._known.get(key) or self._learnt(key, bones, kept, values)
        parts = shape.parts
        while shape.parts:
            key = (bones, kept, tuple([(number, values[number]) for number in sorted(parts)]))
            shape = self._known.get(key) or self._learnt(key, bones, kept, values, parts)
            parts |= shape.parts
        page = written if shape.html is bones else Filled(shape.html, values)
        if shape.text is None:
            return page, Filled((0,), [self._laid_out("".join(filled(*page)))])
        if not all_plain:
            return page, Filled(shape.text, _said(values))
        return page, Filled(shape.text, [html.unescape(value) if "&" in value else value for value in values])

    def _learnt(
        self, key: object, bones: Skeleton, kept: Kept, values: Sequence[str], parts: frozenset[int] = frozenset()
    ) -> _Shape:
        inside = [value if not value or "<" in value or n in parts else None for n, value in enumerate(values)]
        page, more = self._made(bones, tuple(inside))
        shape = self._known[key] = _Shape(page, None if more else self._text(page, kept, values), more)
        if len(self._known) > REMEMBERED:
            # The oldest: if it is still in use, it comes back at the cost of one message.
            del self._known[next(iter(self._known))]
        return shape

    def _stepped(self, bones: Skeleton, inside: Kept) -> tuple[Skeleton, frozenset[int]]:
        """The page that the steps make, with the values `inside` in it; and the numbers of others that should be."""
        text = "".join(filled(bones, [word(n) if value is None else value for n, value in enumerate(inside)]))
        given, preheader = parted(text)
        made = given
        for step in self._steps:
            made = step(made)
        made = with_preheader(made, preheader)
        more = deciding(given) | sizing(given)
        if made == text:
            return bones, more
        return skeleton(made), more | deciding(made) | words(given) - words(made)

    def _text(self, page: Skeleton, kept: Kept, values: Sequence[str]) -> Skeleton | None:
        apart, alike = _worded(kept, range(len(kept))), _worded(kept, [0] * len(kept))
        bones = skeleton(self._laid_out("".join(filled(page, apart))))
        # Where the layout depends on what the values are, each page is laid out by itself: on how long they are, as in
        # a table, or on whether two are the same, as in a link that is named by another value.
        probes: list[tuple[Sequence[str], Sequence[str]]] = [(values, _said(values))]
        if alike != apart:
            probes.append((alike, alike))
        for given, shown in probes:
            if "".join(filled(bones, shown)) != self._laid_out("".join(filled(page, given))):
                return None
        return bones


def _worded(kept: Kept, numbers: Iterable[int]) -> list[str]:
    """The values that take part in the layout, and words of these numbers for the others."""
    return [
        word(number) if value is None else link_word(number) if value is _LINK else value
        for number, value in zip(numbers, kept, strict=True)
    ]


def _said(values: Sequence[str]) -> list[str]:
    """Values that are HTML, as text."""
    return [spaced(html.unescape(value)) for value in values]


def _kept(values: Sequence[str]) -> tuple[Kept, bool]:
    """The values that take part in the layout of the text; and whether all are printable ones that do not."""
    # Most messages have none: that is seen at one look. Where two values meet there is a bar, which may be a value's
    # own: then all are looked at one by one, as they are where any is not plain.
    joined = f"|{'|'.join(values)}|"
    if joined.isprintable() and not _AT_ONCE.search(joined):
        return (None,) * len(values), True
    return tuple([(_LINK if _IS_LINK(value) else None) if _is_plain(value) else value for value in values]), False


def _is_plain(value: str) -> bool:
    """Whether a value, as HTML, is nothing but words: no markup, nothing that a browser would leave out or collapse."""
    value = value.translate(AS_PRINTABLE)
    return value.isprintable() and "<" not in value and "  " not in value and value.strip(" ") == value != ""
