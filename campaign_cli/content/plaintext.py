"""HTML as text: what a reader sees who does not want HTML."""

from __future__ import annotations

import re
from functools import cache
from itertools import islice

from inscriptis import Inscriptis
from inscriptis.css_profiles import CSS_PROFILES
from inscriptis.model.config import ParserConfig
from lxml import etree, html

_BLANK_LINES = re.compile(r"\n{3,}")
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that lxml reads but does not write (XML 1.0 2.2)."""


_TABLE = ("table", "thead", "tbody", "tfoot", "tr", "td", "th")


@cache
def _config() -> ParserConfig:
    return ParserConfig(css=CSS_PROFILES["strict"].copy())


def spaced(text: str) -> str:
    """With any space for one at which no line breaks, as the layout has it but for preformatted text."""
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def plaintext(source: str) -> str:
    """The text of an HTML page, laid out as a browser would; links as `text <address>`, pictures by their `alt`."""
    source = spaced(_NOT_XML.sub("", source))
    if not source.strip():
        return ""
    try:
        # As bytes: lxml refuses a str that names its encoding, as the first line of XHTML does.
        tree = html.document_fromstring(source.encode(), parser=html.HTMLParser(encoding="utf-8"))
    except etree.ParserError:
        # Nothing but comments.
        return ""
    _without_layout_tables(tree)
    # What Outlook is told to hide is not to be seen anywhere: a preheader.
    for hidden in tree.xpath("//*[contains(@style, 'mso-hide')]"):
        hidden.drop_tree()
    for picture in tree.iter("img"):
        picture.tail = picture.get("alt", "").strip() + (picture.tail or "")
    for link in tree.iter("a"):
        target = link.get("href", "").strip()
        if target.lower().startswith(("http:", "https:", "mailto:")) and target not in link.text_content():
            _append(link, f" <{target}>")
    for element in tree.iter():
        # Inscriptis unescapes what lxml has unescaped already: of an address's `&section=`, it would make `§ion=`.
        element.text = element.text and element.text.replace("&", "&amp;")
        element.tail = element.tail and element.tail.replace("&", "&amp;")
    lines = (line.rstrip() for line in Inscriptis(tree, _config()).get_text().splitlines())
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip("\n") + "\n"


def _without_layout_tables(tree: html.HtmlElement) -> None:
    """Make blocks of tables that only lay out (WAI-ARIA: presentation): one below the other, as they are read out; and
    of one that is a button, a paragraph."""
    parts = [(part, next(part.iterancestors("table"), None)) for part in tree.iter(*_TABLE)]
    for part, around in parts:
        table = part if part.tag == "table" else around
        if table is not None and table.get("role") in ("presentation", "none"):
            part.tag = "p" if part is table and _is_button(part) else "div"


def _is_button(table: html.HtmlElement) -> bool:
    """Whether a link is all that is in it: mail programs colour and pad a cell, and no link."""
    links = list(islice(table.iter("a"), 2))
    return len(links) == 1 and links[0].text_content().strip() == table.text_content().strip()


def _append(element: html.HtmlElement, text: str) -> None:
    """Put `text` into the element, behind all that is in it."""
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text
