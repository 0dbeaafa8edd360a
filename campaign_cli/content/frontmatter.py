"""The YAML block at the head of a template, and where each of its values stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from campaign_cli.model.errors import TemplateError

if TYPE_CHECKING:
    import yaml

_BLOCK = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)


LISTS = ("attachments",)
"""Keys with one value or several, each a text."""


TREES = ("variants",)
"""Keys with values by name, each a text, or keys and texts."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of the front matter and its line in the file, counted from 1.

    `items` are the values of one of `LISTS`, each with its own line, `below` the entries of one of `TREES`; the `text`
    of these is empty.
    """

    key: str
    text: str
    line: int
    items: tuple[tuple[str, int], ...] = ()
    below: tuple[Entry, ...] = ()


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
        # The names of headers are the same in upper and lower case (RFC 5322 1.2.2).
        if first := found.get(key.lower()):
            raise TemplateError(f"{path}:{line}: {key!r} stands here a second time, first on line {first.line}")
        if key in TREES:
            found[key] = Entry(key, "", line, below=_below(path, key, value_node, block, first_line, line))
            continue
        listed = key in LISTS
        nodes = value_node.value if listed and isinstance(value_node, yaml.SequenceNode) else [value_node]
        if not all(isinstance(node, yaml.ScalarNode) for node in nodes):
            what = "one text or several in a list" if listed else "one text"
            raise TemplateError(f"{path}:{line}: {key} must be {what}; {_hint(block, line - first_line)}")
        nodes = [node for node in nodes if node.tag != "tag:yaml.org,2002:null"]
        if listed:
            items = [(node.value, node.start_mark.line + first_line) for node in nodes]
            found[key] = Entry(key, "", line, tuple(items))
        else:
            found[key.lower()] = Entry(key, " ".join(nodes[0].value.split()) if nodes else "", line)
    return tuple(found.values())


def _below(path: Path, key: str, node: yaml.Node, block: str, first_line: int, line: int) -> tuple[Entry, ...]:
    """The entries of a mapping below `key`, which stands on `line`."""
    import yaml

    if not isinstance(node, yaml.MappingNode):
        what = "names with what they stand for, such as a: Hello" if key in TREES else "one text, or keys and texts"
        raise TemplateError(f"{path}:{line}: {key} must be {what}")
    found: dict[str, Entry] = {}
    for name_node, value_node in node.value:
        name, at = str(name_node.value), name_node.start_mark.line + first_line
        if first := found.get(name):
            raise TemplateError(f"{path}:{at}: {key}: {name!r} stands here a second time, first on line {first.line}")
        if isinstance(value_node, yaml.ScalarNode):
            there = value_node.tag != "tag:yaml.org,2002:null"
            found[name] = Entry(name, " ".join(value_node.value.split()) if there else "", at)
        elif key in TREES:
            found[name] = Entry(name, "", at, below=_below(path, name, value_node, block, first_line, at))
        else:
            raise TemplateError(f"{path}:{at}: {key}: {name} must be one text; {_hint(block, at - first_line)}")
    return tuple(found.values())


def _hint(block: str, index: int) -> str:
    lines = block.split("\n")
    written = lines[index] if 0 <= index < len(lines) else ""
    if re.search(r":\s*[{\[]", written):
        return "a value that begins with { or [ must stand in quotes"
    return "write lines such as 'subject: Hello', and put a value with a colon in it in quotes"
