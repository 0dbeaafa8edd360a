"""What rules about replies have in common, however they are written: which replies they are about."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from functools import partial
from importlib import resources
from typing import Any

from campaign_cli.config.given import Given
from campaign_cli.model.reply import Phase
from campaign_cli.model.spelling import did_you_mean
from campaign_cli.policy.patterns import codes_of, enhanced_regex
from campaign_cli.policy.providers import Providers

Complain = Callable[[str, str], None]
"""Takes a place and what is wrong there."""

MATCHED = ("words", "regex", "provider", "enhanced", "code", "phase")
"""The parts that say which replies a rule is about."""

LISTS = frozenset({"words", "enhanced", "code", "phase", "class"})
"""The parts that may be a list."""

PHASES = tuple(phase for phase in Phase if phase not in (Phase.CONNECT, Phase.RSET))
"""What a reply may answer."""


def shipped(file: str) -> list[dict[str, Any]]:
    """The rules in one of the package's files, in their order."""
    tables: list[dict[str, Any]] = tomllib.loads(resources.files("campaign_cli").joinpath(file).read_text("utf-8"))[
        "rule"
    ]
    return tables


def checked(
    entry: Given,
    parts: Collection[str],
    wrong: Callable[[str, str], str | None],
    complain: Complain,
    *,
    such: str,
) -> dict[str, Any]:
    """The entry's plain values, each of which has been complained about if it is `wrong`; `such` is a good one."""
    if not isinstance(entry.value, dict):
        complain(entry.place, f"a rule must be keys and values, such as {such}")
        return {}
    table: dict[str, Any] = {}
    for key, given in entry.value.items():
        if key not in parts:
            hint = did_you_mean(key, parts) or f"there are: {', '.join(parts)}"
            complain(given.place, f"{key!r} is no part of a rule; {hint}")
            continue
        items = given.value if isinstance(given.value, list) else [given]
        texts = ["" if isinstance(item.value, list | dict) else item.spelled or "" for item in items]
        for item, text in zip(items, texts, strict=True):
            if finding := wrong(key, text) or (None if text.strip() else f"{key} must be a text"):
                complain(item.place, finding)
        table[key] = texts if key in LISTS else texts[0] if len(texts) == 1 else ""
        if not table[key]:
            complain(given.place, f"{key} must be one text")
    if "words" in table and "regex" in table:
        complain(entry.place, "a rule has words or a regex, not both")
    if "provider" in table:
        table["provider"] = table["provider"].lower()
    return table


def user_tables(
    key: str, given: Given, check: Callable[[Given, Complain], dict[str, Any]], complain: Complain, *, such: str
) -> list[dict[str, Any]]:
    """The plain values of the user's rules under `key`, in their order; of those that `check` complains about none.

    A rule without an id or a source is known by its place.
    """
    if given.value is None:
        return []
    if not isinstance(given.value, list):
        complain(given.place, f"{key} must be a list of rules, such as - {such}")
        return []
    tables = []
    for entry in given.value:
        findings: list[tuple[str, str]] = []
        table = check(entry, partial(_note, findings))
        for place, what in findings:
            complain(place, f"{key}: {what}")
        if not findings:
            tables.append({"id": entry.place, "source": entry.place} | table)
    return tables


def _note(findings: list[tuple[str, str]], place: str, what: str) -> None:
    findings.append((place, what))


def mismatched(key: str, text: str, providers: Providers) -> str | None:
    """What is wrong with one text of a part in MATCHED; None: nothing is."""
    try:
        match key:
            case "phase" if text not in PHASES:
                return f"{text!r} is no phase: there are {', '.join(PHASES)}"
            case "code":
                codes_of(text)
            case "enhanced":
                enhanced_regex(text)
            case "regex":
                if re.compile(text).search(""):
                    return f"{text!r} fits every text"
            case "provider" if "." not in text and text.lower() not in providers.by_name:
                return f"no provider is named {text!r}: `campaign providers` lists them"
    except (ValueError, re.error) as error:
        return str(error) if isinstance(error, ValueError) else f"{text!r} is no regular expression: {error}"
    return None


def described(table: Mapping[str, Any]) -> dict[str, Any]:
    """What a rule has in common with all others (`policy.patterns.Described`), from its plain values."""
    return {
        "id": table["id"],
        "source": table["source"],
        "text": table.get("regex") or "|".join(re.escape(words) for words in texts(table.get("words"))),
        "provider": table.get("provider", ""),
        "enhanced": texts(table.get("enhanced")),
        "codes": texts(table.get("code")),
        "phases": tuple(Phase(phase) for phase in texts(table.get("phase"))),
    }


def texts(value: Any) -> tuple[str, ...]:
    """The texts of a part that may be a list."""
    return () if value is None else tuple(map(str, value)) if isinstance(value, list) else (str(value),)
