"""The YAML block at the head of a template, and where each of its values stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from campaign_cli.model.errors import TemplateError

_BLOCK = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


LISTS = ("attachments",)
"""Keys with one value or several, each a text."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of the front matter and its line in the file, counted from 1.

    `items` are the values of one of `LISTS`, each with its own line; its `text` is empty.
    """

    key: str
    text: str
    line: int
    items: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Split:
    """A template's file, taken apart. `body_line` is the line on which the body begins."""

    entries: tuple[Entry, ...]
    body: str
    body_line: int


def split(path: Path, source: str) -> Split:
    """The front matter's entries and the body; no entries when the file does not begin with a line `---`.

    Raises TemplateError, with file and line, for a block that is not keys and one-line values.
    """
    found = _BLOCK.match(source)
    if found is None:
        if re.match(r"---[ \t]*\n", source):
            raise TemplateError(f"{path}:1: the front matter does not end: close it with a line ---")
        return Split((), source, 1)
    return Split(entries(path, found[1], first_line=2), source[found.end() :], source.count("\n", 0, found.end()) + 1)


def entries(path: Path, block: str, *, first_line: int) -> tuple[Entry, ...]:
    """The keys and values of YAML that begins on `first_line` of its file. Raises TemplateError, with file and line."""
    # Only who loads a template needs it, not those who are given one to fill in.
    import yaml

    try:
        root = yaml.compose(block, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + first_line if mark else 1
        raise TemplateError(f"{path}:{line}: the front matter is not YAML; {_hint(block, line - first_line)}") from None
    if root is None:
        return ()
    if not isinstance(root, yaml.MappingNode):
        raise TemplateError(f"{path}:{first_line}: the front matter is not keys and values, such as 'subject: Hello'")
    found: dict[str, Entry] = {}
    for key_node, value_node in root.value:
        line = key_node.start_mark.line + first_line
        key = str(key_node.value)
        listed = key in LISTS
        nodes = value_node.value if listed and isinstance(value_node, yaml.SequenceNode) else [value_node]
        if not all(isinstance(node, yaml.ScalarNode) for node in nodes):
            what = "one text or several in a list" if listed else "one text"
            raise TemplateError(f"{path}:{line}: {key} must be {what}; {_hint(block, line - first_line)}")
        # The names of headers are the same in upper and lower case (RFC 5322 1.2.2).
        if first := found.get(key.lower()):
            raise TemplateError(f"{path}:{line}: {key!r} stands here a second time, first on line {first.line}")
        nodes = [node for node in nodes if node.tag != "tag:yaml.org,2002:null"]
        if listed:
            items = [(node.value, node.start_mark.line + first_line) for node in nodes]
            found[key] = Entry(key, "", line, tuple(items))
        else:
            found[key.lower()] = Entry(key, " ".join(nodes[0].value.split()) if nodes else "", line)
    return tuple(found.values())


def _hint(block: str, index: int) -> str:
    lines = block.split("\n")
    written = lines[index] if 0 <= index < len(lines) else ""
    if re.search(r":\s*[{\[]", written):
        return "a value that begins with { or [ must stand in quotes"
    return "write lines such as 'subject: Hello', and put a value with a colon in it in quotes"
