"""The preheader: what an inbox shows of a message beside its subject. In the page itself it is not seen."""

from __future__ import annotations

import re

_STYLE = "max-height:0;max-width:0;overflow:hidden;opacity:0;font-size:1px;line-height:1px;mso-hide:all"
"""Of no height; the last for Outlook. Filters count what is `display:none`, for spam hides words so (rspamd,
MANY_INVISIBLE_PARTS)."""

_OPENING = re.compile(r"<!--.*?-->|(<body\b[^>]*>)", re.IGNORECASE | re.DOTALL)
_BEFORE = re.compile(
    r"\s*(?:<!doctype\b[^>]*>\s*)?(?:<html\b[^>]*>\s*)?(?:<head\b.*?</head\s*>)?", re.IGNORECASE | re.DOTALL
)
"""What goes before the body of a page that does not say where that begins."""


def with_preheader(page: str, text: str) -> str:
    """The page with `text`, which is HTML, hidden at the start of its body."""
    opening = next((found for found in _OPENING.finditer(page) if found[1]), None) or _BEFORE.match(page)
    at = opening.end() if opening else 0
    return f'{page[:at]}<div style="{_STYLE}">{text}</div>{page[at:]}'
