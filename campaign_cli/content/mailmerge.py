"""Templates written for mailmerge (github.com/awdeorio/mailmerge): a header block, an empty line, and the body.

Such a file says by its header block what others say by front matter and by their name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_string
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from campaign_cli.content.frontmatter import Entry, Split
from campaign_cli.model.errors import TemplateError

SUFFIXES = {"text/plain": ".txt", "text/html": ".html", "text/markdown": ".md"}
"""What a template's name would end in whose body is of that type."""

_BLOCK = re.compile(r"\A(?:[!-9;-~]+:.*\n(?:[ \t]+\S.*\n)*)+(?=[ \t]*(?:\n|\Z))")
_FIELD = re.compile(r"([!-9;-~]+):(.*\n(?:[ \t]+\S.*\n)*)")
_TO = re.compile(r"(?:[^<>]*<\s*)?\{\{\s*email\s*\}\}\s*>?", re.IGNORECASE)
_OWN_NAMES = {"subject": "subject", "from": "from", "reply-to": "reply_to"}
_MADE_ANYWAY = ("mime-version", "content-transfer-encoding")
_COPIES = ("cc", "bcc")


class _Field(NamedTuple):
    name: str
    text: str
    line: int


class Body(NamedTuple):
    """A text, and the line of the file on which it begins."""

    text: str
    line: int


class Mailmerge(NamedTuple):
    """Such a file, taken apart.

    `suffix` is what its name would end in by the type of its body, `text` the plain text that it has beside HTML, and
    `notes` are for a person to know.
    """

    parts: Split
    suffix: str
    text: Body | None
    notes: tuple[str, ...]


def taken_apart(path: Path, source: str) -> Mailmerge | None:
    """None where the file does not begin with a header block that has TO and FROM in it.

    Raises TemplateError, with file and line, for what would not be sent as it is meant.
    """
    block = _BLOCK.match(source)
    if block is None:
        return None
    fields = list(_fields(block[0]))
    if not {"to", "from"} <= {field.name.lower() for field in fields}:
        return None
    kind = "Content-Type: text/plain"
    entries: dict[str, Entry] = {}
    files: list[tuple[str, int]] = []
    notes = []
    for name, text, line in fields:
        known = name.lower()
        if known == "to":
            if not _TO.fullmatch(text):
                raise TemplateError(
                    f"{path}:{line}: {name}: everybody gets a message of their own: write {{{{email}}}}, which is the "
                    "list's address column, whatever that is called"
                )
        elif known in _COPIES:
            notes.append(f"{path}:{line}: {name} is left out: everybody gets a message of their own, and nobody a copy")
        elif known == "attachment":
            files.append((text, line))
        elif known == "content-type":
            kind = f"Content-Type: {text}"
        elif known not in _MADE_ANYWAY:
            if first := entries.get(known):
                raise TemplateError(f"{path}:{line}: {name!r} stands here a second time, first on line {first.line}")
            key = _OWN_NAMES.get(known, name if name[:1].isupper() else name.title())
            entries[known] = Entry(key, text, line)
    if files:
        entries["attachments"] = Entry("attachments", "", files[0][1], tuple(files))
    bodies = _bodies(path, kind, source, block.end())
    suffix = next((each for each in (".html", ".md", ".txt") if each in bodies), "")
    if not suffix:
        raise TemplateError(f"{path}: {kind}: there are {', '.join(SUFFIXES)}, and multipart/alternative of these")
    parts = Split(tuple(entries.values()), *bodies.pop(suffix))
    return Mailmerge(parts, suffix, bodies.get(".txt"), tuple(notes))


def _fields(block: str) -> Iterator[_Field]:
    for field in _FIELD.finditer(block):
        yield _Field(field[1], " ".join(field[2].split()), block.count("\n", 0, field.start()) + 1)


def _bodies(path: Path, kind: str, source: str, end: int) -> dict[str, Body]:
    """The text of each body, by what its name would end in. The header block ends at `end`."""
    head = message_from_string(f"{kind}\n\n")
    if head.get_content_type() != "multipart/alternative":
        return {SUFFIXES.get(head.get_content_type(), ""): _behind_empty_line(source, end, len(source))}
    delimiter = re.compile(rf"^--{re.escape(head.get_boundary() or '')}(--)?[ \t]*(?:\n|\Z)", re.MULTILINE)
    places = [*delimiter.finditer(source, end)]
    bodies = {}
    for place, following in pairwise([*places, None]):
        if place is None or place[1]:
            break
        # The line end before a delimiter is the delimiter's (RFC 2046 5.1.1).
        until = following.start() - 1 if following else len(source)
        part = message_from_string(source[place.end() : until])
        if part.get("Content-Transfer-Encoding", "7bit").lower() not in ("7bit", "8bit"):
            line = source.count("\n", 0, place.end()) + 1
            raise TemplateError(f"{path}:{line}: write the part as it is, without Content-Transfer-Encoding")
        bodies[SUFFIXES.get(part.get_content_type(), "")] = _behind_empty_line(source, place.end() - 1, until)
    return bodies


def _behind_empty_line(source: str, start: int, until: int) -> Body:
    """What stands behind the next line that is empty."""
    gap = re.compile(r"^[ \t]*\n", re.MULTILINE).search(source, start, until)
    end = gap.end() if gap else until
    return Body(source[end:until], source.count("\n", 0, end) + 1)
