"""What a check finds: data, as a reply is."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """An error is refused, or cannot be sent at all; a warning costs readers or reputation."""

    ERROR = "error"
    WARNING = "warning"


class Finding(NamedTuple):
    """One thing that is wrong. `rule` is its stable id, `place` where it is, `what` says it in words.

    `rows` counts the rows of the list that it holds for, `line` is the first of them; 0 where it is not about rows.
    """

    rule: str
    place: str
    what: str
    rows: int = 0
    line: int = 0
