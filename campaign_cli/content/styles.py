"""Style sheets of a page, put into its elements: most mail programs look there, and some nowhere else."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from campaign_cli.content.shapes import WORDS, words

if TYPE_CHECKING:
    from css_inline import CSSInliner

_SHEET = re.compile(r"<style\b", re.IGNORECASE)
_RULES = re.compile(r"<style\b.*?</style", re.IGNORECASE | re.DOTALL)
_PROLOG = re.compile(r"\s*(?:<\?xml\b[^>]*>\s*)?(?:<!doctype\b[^>]*>)?", re.IGNORECASE)
"""What the library would write anew: and with another doctype browsers lay out tables of images differently."""

_FOR_SOME = re.compile(r"<style\b(?=[^>]*\smedia\s*=\s*[\"']?(?!\s*(?:all|screen)\s*[\"'>]))", re.IGNORECASE)
"""Sheets for some screens only. The library takes them for all others, too, unless it is told not to look."""

UNSEEN = ' data-css-inline="ignore"'
"""What a sheet has that is to stay as it is."""

_EMPTY = re.compile(r"<style\b[^>]*>\s*</style>\s*", re.IGNORECASE)

_BARE_CONDITION = re.compile(r"<!(\[if\b[^>]*\])>", re.IGNORECASE)
_BARE_END = re.compile(r"(?<!<!--)<!\[endif\]>", re.IGNORECASE)
"""Outlook's conditions without hyphens, which HTML does not have; with them they mean the same to Outlook."""

_DECIDING = re.compile(
    rf"""\s(?:class|id)\s*=\s*(?:"[^"]*|'[^']*)?{WORDS.pattern}"""
    rf"""|\sstyle\s*=\s*["']?\s*{WORDS.pattern}"""
    rf"""|\s[^\s="'<>]*{WORDS.pattern}[^\s="'<>]*=""|</?[^\s<>"']*{WORDS.pattern}""",
    re.IGNORECASE,
)


def has_styles(page: str) -> bool:
    """Whether there is a style sheet in it."""
    return _SHEET.search(page) is not None


def inlined(page: str) -> str:
    """The page with its rules in the `style` of each element that they are for.

    What cannot stand there, as `@media` and `:hover`, stays in a `<style>`. A page without one stays as it is, and so
    does one whose styles cannot be read. No other file is read, and nothing asked of the network.
    """
    if not has_styles(page):
        return page
    import css_inline

    prolog = _PROLOG.match(page)
    start = prolog.end() if prolog else 0
    text = _FOR_SOME.sub(rf"\g<0>{UNSEEN}", page[start:])
    text = _BARE_END.sub("<!--<![endif]-->", _BARE_CONDITION.sub(r"<!--\1><!-->", text))
    try:
        made = _inliner().inline(text)
    except css_inline.InlineError:
        return page
    return page[:start] + ("\n" if start else "") + _EMPTY.sub("", made.replace(UNSEEN, "")).lstrip()


def deciding(page: str) -> frozenset[int]:
    """Values by which it is decided what styles an element has, or that are no text and no attribute's value.

    A word may not stand for these while styles are put in.
    """
    if not has_styles(page):
        return frozenset()
    numbers = [number for found in _DECIDING.finditer(page) for number in found.groups() if number]
    return frozenset(map(int, numbers)).union(*map(words, _RULES.findall(page)))


@cache
def _inliner() -> CSSInliner:
    from css_inline import CSSInliner

    return CSSInliner(
        load_remote_stylesheets=False, keep_style_tags=True, keep_link_tags=True, remove_inlined_selectors=True
    )
