"""What single values become: a line of text, a path, and the entries of a list with all that is wrong in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from campaign_cli.config.given import Given

T = TypeVar("T")


class EntriesError(ValueError):
    """What is wrong with the entries of a value, each with its own place."""

    def __init__(self, findings: list[tuple[str, str]]) -> None:
        super().__init__()
        self.findings = findings


def one_line(given: Given) -> str:
    """A text of one line, as it is spelled. Raises ValueError."""
    if isinstance(given.value, list | dict) or not str(given.value).strip():
        raise ValueError("must be a text")
    text = str(given.value) if given.spelled is None else given.spelled
    if re.search(r"[\r\n\0]", text):
        raise ValueError("must be one line")
    return text


def file_path(given: Given) -> Path:
    """A path, from where it was given. Raises ValueError."""
    return given.base / Path(one_line(given)).expanduser()


def each_of(entries: Iterable[tuple[Given, Callable[[Given], T]]]) -> list[T]:
    """What each entry is. Raises EntriesError with all that are wrong."""
    found, findings = [], []
    for entry, parse in entries:
        try:
            found.append(parse(entry))
        except EntriesError as error:
            findings += error.findings
        except ValueError as error:
            findings.append((entry.place, str(error)))
    if findings:
        raise EntriesError(findings)
    return found
