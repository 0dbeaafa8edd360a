"""What the user gave, before anything believes it: values with the place each was given at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from yaml.reader import ReaderError

from campaign_cli.model.errors import ConfigError

MAX_SIZE = 1_000_000
"""Bytes in a configuration file; a larger one is not a configuration."""

MAX_VALUES = 100_000
"""Values in a configuration, aliases unfolded; aliases can make a small file have millions."""

Scalar = str | int | float | bool | None
Value = Scalar | list["Given"] | dict[str, "Given"]


@dataclass(frozen=True, slots=True)
class Given:
    """A value and where it stands: `campaign.yaml:12`, or the option's name. `base` is what its paths start from.

    `spelled` is a scalar as the file spells it: `1.10`, where the value is 1.1.
    """

    value: Value
    place: str
    base: Path
    spelled: str | None = field(default=None, compare=False)


def read_yaml(path: Path, findings: list[str]) -> dict[str, Given]:
    """The top level of a YAML mapping, with the line of each key, nested ones too.

    A key that stands there twice is added to `findings`. Raises ConfigError when nothing can be read at all.
    """
    try:
        octets = path.read_bytes()
        if len(octets) > MAX_SIZE:
            raise ConfigError([f"{path}: has more than {MAX_SIZE} bytes, so it is not a configuration"])
        text = octets.decode("utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}; name another with --config"]) from None
    except RecursionError:
        raise ConfigError([f"{path}: is nested too deep"]) from None
    except UnicodeDecodeError as error:
        line = octets.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}:{line}: is not UTF-8 text; save it as UTF-8"]) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = f"the character U+{error.character:04X} cannot stand in it; take it out"
        raise ConfigError([f"{path}:{line}: is not YAML: {what}"]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise ConfigError([f"{path}{where}: is not YAML: {problem}"]) from None
    if root is None or (isinstance(root, yaml.ScalarNode) and root.tag == "tag:yaml.org,2002:null"):
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError([f"{path}:1: is not a list of keys and values: write lines such as 'template: hello.html'"])
    return _Reader(path, findings).mapping(root)


class _Reader:
    """Turns YAML's nodes into Given, collecting nothing but plain values, and which keys are repeated."""

    def __init__(self, path: Path, findings: list[str]) -> None:
        self._path = path
        self._findings = findings
        self._constructor = yaml.SafeLoader("")
        self._values = 0

    def mapping(self, node: yaml.MappingNode, depth: int = 0) -> dict[str, Given]:
        given: dict[str, Given] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value)
            place = f"{self._path}:{key_node.start_mark.line + 1}"
            if key in given:
                self._findings.append(f"{place}: {key!r} stands here a second time, first at {given[key].place}")
                continue
            given[key] = self._given(value_node, place, depth)
        return given

    def _given(self, node: yaml.Node, place: str, depth: int) -> Given:
        spelled = str(node.value) if isinstance(node, yaml.ScalarNode) else None
        return Given(self._value(node, depth), place, self._path.parent, spelled)

    def _value(self, node: yaml.Node, depth: int) -> Value:
        place = f"{self._path}:{node.start_mark.line + 1}"
        # Aliases can make a small file unfold without end; no setting is nested this deep.
        self._values += 1
        if depth > 4 or self._values > MAX_VALUES:
            raise ConfigError([f"{place}: is nested too deep"])
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, depth + 1)
        if isinstance(node, yaml.SequenceNode):
            return [self._given(item, f"{self._path}:{item.start_mark.line + 1}", depth + 1) for item in node.value]
        try:
            constructed = self._constructor.construct_object(node)
        except (yaml.YAMLError, ValueError, LookupError, AttributeError):
            # PyYAML's own constructors fail in all these ways, such as on `!!bool maybe` and `!!timestamp x`.
            return str(node.value)
        return constructed if isinstance(constructed, Scalar) else str(node.value)


def from_command_line(options: Mapping[str, Scalar | tuple[str, ...]]) -> dict[str, Given]:
    """The options that were given, under their keys; paths start from the current folder."""
    given: dict[str, Given] = {}
    for key, value in options.items():
        place = f"--{key.replace('_', '-')}"
        if isinstance(value, tuple):
            if value:
                given[key] = Given([Given(item, place, Path()) for item in value], place, Path())
        elif value is not None and value is not False:
            given[key] = Given(value, place, Path())
    return given
