"""MJML (documentation.mjml.io) as HTML: mail's own markup, made into tables that every mail program lays out alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from campaign_cli.content.shapes import WORDS
from campaign_cli.content.styles import UNSEEN
from campaign_cli.model.spelling import did_you_mean

ELEMENTS = frozenset(
    [
        "mj-accordion",
        "mj-accordion-element",
        "mj-accordion-text",
        "mj-accordion-title",
        "mj-all",
        "mj-attributes",
        "mj-body",
        "mj-breakpoint",
        "mj-button",
        "mj-carousel",
        "mj-carousel-image",
        "mj-class",
        "mj-column",
        "mj-divider",
        "mj-font",
        "mj-group",
        "mj-head",
        "mj-hero",
        "mj-html-attribute",
        "mj-html-attributes",
        "mj-image",
        "mj-include",
        "mj-navbar",
        "mj-navbar-link",
        "mj-preview",
        "mj-raw",
        "mj-section",
        "mj-selector",
        "mj-social",
        "mj-social-element",
        "mj-spacer",
        "mj-style",
        "mj-table",
        "mj-text",
        "mj-title",
        "mj-wrapper",
    ]
)
"""Those of MJML 4; the library takes any other for HTML."""

VOID = frozenset(["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"])
"""HTML's elements without an end (html.spec.whatwg.org, 13.1.2)."""

_RESETS = '<style type="text/css">\n#outlook a'
"""The library's own sheet: for single mail programs, and in each cell of each table it would be a quarter of a page."""

_TAG = re.compile(
    r"""<!--.*?-->|<!\[CDATA\[.*?\]\]>|<!\[(?:if\b[^>]*|endif)\]>"""
    r"""|<(?P<close>/?)(?P<name>[A-Za-z][\w:.-]*)"""
    r"""(?:\s+[^\s=/>"'<]+(?:\s*=\s*(?:"[^"]*"|'[^']*'))?)*+\s*(?P<alone>/?)>|<""",
    re.DOTALL,
)
_MJ_TAG = re.compile(r"<mj(?:ml|-[a-z-]+)\b[^>]*>")
_MJ_ATTRIBUTE = re.compile(r"""\s([\w-]+)\s*=\s*("[^"]*"|'[^']*')""")
_COUNTS_NOT = frozenset(["alt", "background-url", "href", "lang", "src", "title"])
_INCLUDE = re.compile(r"<mj-include\b(?P<attributes>[^>]*?)/?>(?:\s*</mj-include>)?")
_ATTRIBUTE = re.compile(r"""([\w-]+)\s*=\s*(?:"([^"{}]*)"|'([^'{}]*)')""")
_CODE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)

CONTEXT = (300, 120, 60, 30, 15, 6, 2)
"""Characters around a fault by which its place in a file is found: as many as stand there alike."""


class MjmlError(ValueError):
    """What is wrong with MJML, in words, at `position` in `text`."""

    def __init__(self, what: str, text: str, position: int) -> None:
        super().__init__(what)
        self.text = text
        self.position = position


def compiled(page: str) -> str:
    """The HTML of a page of MJML. Nothing is read but the page. Raises MjmlError."""
    import mrml

    for position, what in faults(page):
        raise MjmlError(what, page, position)
    # Fonts that MJML would have every reader's mail program ask Google for, although the page names none.
    options = mrml.RenderOptions(fonts={})
    try:
        made = mrml.to_html(page, mrml.ParserOptions(include_loader=mrml.noop_loader()), options).content
    except OSError as error:
        found = re.search(r"position (\d+)", str(error))
        position = len(page.encode()[: int(found[1])].decode(errors="ignore")) if found else 0
        raise MjmlError(f"this is not MJML: {error}", page, position) from None
    return made.replace(_RESETS, _RESETS.replace(">", f"{UNSEEN}>", 1), 1)


def faults(page: str, *, whole: bool = True) -> Iterator[tuple[int, str]]:
    """Where tags cannot be read, or name no element of MJML; and, of a `whole` page, where they are not closed."""
    opened: list[tuple[str, int]] = []
    for tag in _TAG.finditer(page):
        name = tag["name"]
        if name is None:
            if tag[0] == "<":
                yield tag.start(), "this < begins no tag: write &lt;, or put values of attributes in quotes"
            continue
        if name.startswith("mj-") and name not in ELEMENTS:
            hint = did_you_mean(name, ELEMENTS)
            yield tag.start(), f"<{name}> is no element of MJML{hint and f'; {hint}'}"
        if name in VOID or tag["alone"] or not whole:
            continue
        if not tag["close"]:
            opened.append((name, tag.start()))
        elif opened and opened[-1][0] == name:
            opened.pop()
        else:
            inside = f"inside <{opened[-1][0]}>" if opened else "where nothing is open"
            yield tag.start(), f"</{name}> stands {inside}: close what is open first, or take it out"
            return
    if opened:
        yield opened[-1][1], f"<{opened[-1][0]}> is not closed"


def sizing(page: str) -> frozenset[int]:
    """Values of MJML's own attributes but for addresses, words and colours: with sizes it reckons how wide all is."""
    numbers = [
        number
        for tag in _MJ_TAG.findall(page)
        for name, value in _MJ_ATTRIBUTE.findall(tag)
        if name not in _COUNTS_NOT and not name.endswith("color")
        for number in WORDS.findall(value)
    ]
    return frozenset(map(int, numbers))


def with_includes(source: str) -> str:
    """MJML in which `<mj-include path="x.mjml"/>` is Jinja2's own include, which finds it as any other file."""
    return _INCLUDE.sub(_include, source)


def _include(tag: re.Match[str]) -> str:
    attributes = {name: double or single for name, double, single in _ATTRIBUTE.findall(tag["attributes"])}
    path = attributes.get("path", "").removeprefix("./")
    if not path or '"' in path:
        return tag[0]
    made = f'{{% include "{path}" %}}' + "\n" * tag[0].count("\n")
    kind = attributes.get("type")
    if kind == "css":
        inline = ' inline="inline"' if attributes.get("css-inline") == "inline" else ""
        return f"<mj-style{inline}>{made}</mj-style>"
    return f"<mj-raw>{made}</mj-raw>" if kind == "html" else made


def unrendered_faults(source: str, *, whole: bool) -> Iterator[tuple[int, str]]:
    """`faults` of MJML with Jinja2 in it: each with its line, counted from 1."""
    # As long as it was, so that every place stays what it is.
    text = _CODE.sub(lambda code: re.sub(r"[^\n]", " " if code[0][1] != "{" else "x", code[0]), source)
    for position, what in faults(text, whole=whole):
        yield text.count("\n", 0, position) + 1, what


def place_of(error: MjmlError, sources: Mapping[str, str]) -> tuple[str, int] | None:
    """The file and the line from which what is wrong comes; None where that cannot be told."""
    start, end = 0, len(error.text)
    for value in WORDS.finditer(error.text):
        if value.end() <= error.position:
            start = value.end()
        elif value.start() > error.position:
            end = value.start()
            break
    for many in CONTEXT:
        before = max(start, error.position - many)
        around = error.text[before : min(end, error.position + many)]
        for name, source in sources.items():
            if (at := source.find(around)) >= 0:
                return name, source.count("\n", 0, at + error.position - before) + 1
    # In what a contact's fields say: by the nearest tag before it that stands in one place.
    for tag in reversed(list(_TAG.finditer(error.text, 0, error.position))):
        found = [(name, source) for name, source in sources.items() if tag[0] in source]
        if len(found) == 1 and found[0][1].count(tag[0]) == 1:
            name, source = found[0]
            return name, source.count("\n", 0, source.find(tag[0])) + 1
    return None
