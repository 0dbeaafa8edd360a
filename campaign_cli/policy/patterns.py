"""What a rule looks for in a reply: words of its text, its codes, and what it answers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from campaign_cli.model.reply import Phase, Reply


class Described(Protocol):
    """Says which replies it is about; what is empty fits everything.

    `text` is a regular expression, searched for without regard to case in the reply's text, which has neither codes
    nor line ends. `enhanced` has codes such as `5.1.1`, `5.7.*` and `5.7.606-649`; `codes` such as `550` and `5yz`.
    """

    @property
    def text(self) -> str: ...
    @property
    def enhanced(self) -> tuple[str, ...]: ...
    @property
    def codes(self) -> tuple[str, ...]: ...
    @property
    def phases(self) -> tuple[Phase, ...]: ...


class Pattern(NamedTuple):
    """What is looked for, ready to be found."""

    text: re.Pattern[str] | None
    enhanced: re.Pattern[str] | None
    codes: frozenset[int]
    phases: tuple[Phase, ...]

    @classmethod
    def of(cls, described: Described) -> Pattern:
        """Of a rule whose texts have been checked."""
        return cls(
            _text_pattern(described.text) if described.text else None,
            _enhanced_pattern(described.enhanced) if described.enhanced else None,
            frozenset(code for text in described.codes for code in codes_of(text)),
            described.phases,
        )

    def fits(self, reply: Reply, lowered: str, phase: Phase) -> bool:
        """Whether `reply` to `phase` has it all; `lowered` is its text in lower case."""
        return (
            (not self.codes or reply.code in self.codes)
            and (not self.phases or phase in self.phases)
            and (self.enhanced is None or self.enhanced.fullmatch(reply.enhanced) is not None)
            and (self.text is None or self.text.search(lowered) is not None)
        )


def codes_of(text: str) -> range:
    """The reply codes that `550` or `5yz` stands for. Raises ValueError."""
    if re.fullmatch(r"[45]yz", text):
        return range(int(text[0]) * 100, int(text[0]) * 100 + 100)
    if re.fullmatch(r"[45]\d\d", text):
        return range(int(text), int(text) + 1)
    raise ValueError(f"{text!r} is no reply code: write it as 550, or 5yz for all that begin with 5")


def _text_pattern(text: str) -> re.Pattern[str]:
    """For texts in lower case. Where a pattern can be lowered as well it finds them in a fraction of the time."""
    return re.compile(text, re.IGNORECASE) if re.search(r"\\[A-Z]|\(\?P", text) else re.compile(text.lower())


_ENHANCED = re.compile(r"([45]\.\d{1,3}\.)(?:(\d{1,3})(?:-(\d{1,3}))?|\*)")


def _enhanced_pattern(texts: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(enhanced_regex(text) for text in texts))


def enhanced_regex(text: str) -> str:
    """The enhanced codes that `5.1.1`, `5.7.*` or `5.7.606-649` stands for, as a regular expression.

    Raises ValueError.
    """
    found = _ENHANCED.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no enhanced code: write it as 5.1.1, 5.7.* or 5.7.606-649")
    start, first, last = found.groups()
    if first is None:
        return re.escape(start) + r"\d+"
    details = "|".join(str(detail) for detail in range(int(first), int(last or first) + 1))
    return f"{re.escape(start)}(?:{details})"
