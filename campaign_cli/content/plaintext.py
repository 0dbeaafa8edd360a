"""HTML as text: what a reader sees who does not want HTML."""

from __future__ import annotations

import re
from functools import cache

from inscriptis import Inscriptis
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig
from lxml import html

_BLANK_LINES = re.compile(r"\n{3,}")


@cache
def _config() -> ParserConfig:
    return ParserConfig(css=CSS_PROFILES["strict"].copy())


def plaintext(source: str) -> str:
    """The text of an HTML page, laid out as a browser would; links as `text <address>`, pictures by their `alt`."""
    if not source.strip():
        return ""
    tree = html.document_fromstring(source)
    for picture in tree.iter("img"):
        _append(picture, picture.get("alt", "").strip())
    for link in tree.iter("a"):
        target = link.get("href", "").strip()
        if target.startswith(("http:", "https:", "mailto:")) and target not in link.text_content():
            _append(link[-1] if len(link) else link, f" <{target}>", after=bool(len(link)))
    lines = (line.rstrip() for line in Inscriptis(tree, _config()).get_text().splitlines())
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip("\n") + "\n"


def _append(element: html.HtmlElement, text: str, *, after: bool = True) -> None:
    """Put `text` behind the element, or at the end of its own text."""
    if after:
        element.tail = text + (element.tail or "")
    else:
        element.text = (element.text or "") + text
