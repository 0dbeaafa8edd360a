"""What single values become: a line of text, a number, a path; and a list's entries, with all that is wrong in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from campaign_cli.audience.addresses import parse_address
from campaign_cli.config.given import Given
from campaign_cli.model.duration import parse_duration

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


def flag(given: Given) -> bool:
    """Yes or no. Raises ValueError."""
    if not isinstance(given.value, bool):
        raise ValueError("must be true or false")
    return given.value


def duration(given: Given) -> float:
    """Seconds, of `90s`, `5m`, `2h` or `1d`. Raises ValueError."""
    return parse_duration(one_line(given))


def length_of_time(given: Given) -> float:
    """The same, and more than none. Raises ValueError."""
    seconds = duration(given)
    if not seconds:
        raise ValueError("must be longer than nothing: write 55m or 2h, or leave it out")
    return seconds


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


def number_in(allowed: range) -> Callable[[Given], int]:
    """Reads a whole number in `allowed`. Raises ValueError."""

    def parse(given: Given) -> int:
        value = given.value
        if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
            raise ValueError(f"must be a number from {allowed[0]} to {allowed[-1]}, not {value!r}")
        return value

    return parse


def parse_domain(text: str) -> str:
    """A domain, in lower case and as A-labels. Raises ValueError."""
    try:
        return parse_address(f"a@{text.strip()}").domain
    except ValueError as error:
        raise ValueError(f"{text!r} is not a domain: {error}") from None
