"""What a check has found so far, and what it says in the end: what holds for many rows is one finding."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from campaign_cli.model.errors import (
    AlignmentError,
    AttachmentError,
    CampaignError,
    ColumnError,
    ConfigError,
    ImageError,
    IncludeError,
    ListError,
    StateError,
    TemplateError,
    UsageError,
)
from campaign_cli.model.finding import Finding, Severity
from campaign_cli.policy.rules import RULES

RULE_OF: dict[type[CampaignError], str] = {
    ColumnError: "template.column",
    IncludeError: "template.include",
    ImageError: "images.missing",
    AttachmentError: "attachments.missing",
    TemplateError: "template.unusable",
    ListError: "list.unreadable",
    AlignmentError: "auth.alignment",
    ConfigError: "config.wrong",
    StateError: "state.unusable",
    UsageError: "command.wrong",
}
"""What an error is called; of two that fit, the first."""

TOLD = 20
"""Findings of one rule that are told one by one."""

_PLACED = re.compile(r"(.+?:\d+|[^\s:]+): (.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what was found, errors first. `notes` are for a person to know, and no fault."""

    source: str
    rows: int
    invalid: int
    duplicates: int
    rendered: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    def count(self, severity: Severity) -> int:
        """How many findings are that severe."""
        return sum(RULES[each.rule].severity is severity for each in self.findings)


class Findings:
    """Gathers what is found, what holds for many rows as one."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._single: list[Finding] = []
        self._by_row: dict[tuple[str, str], Finding] = {}
        self.notes: list[str] = []
        self.rows = self.invalid = self.duplicates = self.rendered = 0

    def add(self, findings: Iterable[Finding]) -> None:
        """What holds for the campaign."""
        self._single += findings

    def of_row(self, line: int, finding: Finding) -> None:
        """What holds for the row on `line`; the first row's words stand for all."""
        key = (finding.rule, finding.place)
        known = self._by_row.get(key)
        rows, first = (known.rows, known.line) if known else (0, line)
        if known is None or line < known.line:
            known, first = finding, line
        self._by_row[key] = known._replace(rows=rows + 1, line=first)

    def checked(self) -> Checked:
        """All of it, errors first; of one rule so many, and how many more there are."""
        everything = [*dict.fromkeys(self._single), *self._by_row.values()]
        order = list(RULES)
        everything.sort(key=lambda each: (RULES[each.rule].severity, order.index(each.rule), each.line))
        told: list[Finding] = []
        for rule in dict.fromkeys(each.rule for each in everything):
            those = [each for each in everything if each.rule == rule]
            told += those[:TOLD]
            if more := those[TOLD:]:
                told.append(Finding(rule, self.source, f"and {len(more):,} more", sum(each.rows for each in more)))
        return Checked(
            self.source,
            self.rows,
            self.invalid,
            self.duplicates,
            self.rendered,
            tuple(told),
            tuple(dict.fromkeys(self.notes)),
        )


def said(error: CampaignError) -> Iterator[Finding]:
    """An error as findings: one for each of its lines."""
    for single in error.singles():
        rule = next((rule for kind, rule in RULE_OF.items() if isinstance(single, kind)), "config.wrong")
        for line in str(single).splitlines():
            placed = _PLACED.fullmatch(line)
            place, what = (placed[1], placed[2]) if placed else ("campaign", line)
            yield Finding(rule, place, what)
