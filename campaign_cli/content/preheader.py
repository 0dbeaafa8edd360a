"""The preheader: what an inbox shows of a message beside its subject. In the page itself it is not seen."""

from __future__ import annotations

import re
import secrets
from functools import lru_cache
from html import escape

from campaign_cli.content.shapes import REMEMBERED, Filled, Skeleton

_MARK = f"x{secrets.token_hex(8)}preheader"
"""What stands between a page and its preheader, until that goes to its place."""

_STYLE = "max-height:0;max-width:0;overflow:hidden;opacity:0;font-size:1px;line-height:1px;mso-hide:all"
"""Of no height; the last for Outlook. Filters count what is `display:none`, for spam hides words so (rspamd,
MANY_INVISIBLE_PARTS)."""

_OPENING = re.compile(r"<!--.*?-->|(<body\b[^>]*>)", re.IGNORECASE | re.DOTALL)
_BEFORE = re.compile(
    r"\s*(?:<!doctype\b[^>]*>\s*)?(?:<html\b[^>]*>\s*)?(?:<head\b.*?</head\s*>)?", re.IGNORECASE | re.DOTALL
)
"""What goes before the body of a page that does not say where that begins."""


def followed(page: Filled, preheader: Filled) -> Filled:
    """What Jinja2 put out as a page, and behind it a preheader, which is text."""
    values = [*page.values, *[escape(value) for value in preheader.values]]
    return Filled((*page.bones, *_behind(preheader.bones, len(page.values))), values)


@lru_cache(maxsize=REMEMBERED)
def _behind(bones: Skeleton, number: int) -> Skeleton:
    return (_MARK, *[escape(bone) if isinstance(bone, str) else bone + number for bone in bones])


def parted(text: str) -> tuple[str, str]:
    """The page and the preheader, "" where there is none, of a text of both."""
    page, _, preheader = text.partition(_MARK)
    return page, preheader.strip()


def with_preheader(page: str, text: str) -> str:
    """The page with `text`, which is HTML, hidden at the start of its body; without any, as it was."""
    if not text:
        return page
    opening = next((found for found in _OPENING.finditer(page) if found[1]), None) or _BEFORE.match(page)
    at = opening.end() if opening else 0
    return f'{page[:at]}<div style="{_STYLE}">{text}</div>{page[at:]}'
