"""The rules for reading replies: the package's own file, and the user's."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Mapping
from functools import cache, partial
from importlib import resources
from typing import TYPE_CHECKING, Any

from campaign_cli.config.given import Given
from campaign_cli.model.outcome import ReplyClass
from campaign_cli.model.reply import Phase
from campaign_cli.policy.outcomes import Replies, Rule, codes_of, enhanced_regex
from campaign_cli.policy.providers import Providers

if TYPE_CHECKING:
    from campaign_cli.config.settings import Settings

Complain = Callable[[str, str], None]
"""Takes a place and what is wrong there."""

KEYS = ("id", "class", "words", "regex", "provider", "enhanced", "code", "phase", "source")
"""What a rule may have."""

MATCHED = ("words", "regex", "provider", "enhanced", "code", "phase")
"""What a rule must have one of."""

PHASES = tuple(phase for phase in Phase if phase not in (Phase.CONNECT, Phase.RSET))
"""What a reply may answer."""


def replies_of(settings: Settings) -> Replies:
    """The user's rules, and after them the shipped ones."""
    return Replies((*settings.replies, *shipped_rules()))


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """The package's `replies.toml`, in its order."""
    tables = tomllib.loads(resources.files("campaign_cli").joinpath("replies.toml").read_text("utf-8"))
    return tuple(_rule(table) for table in tables["rule"])


def user_rules(given: Given, providers: Providers, complain: Complain) -> tuple[Rule, ...]:
    """The rules under `replies:`, in their order; what is wrong with one is told with its line."""
    if given.value is None:
        return ()
    if not isinstance(given.value, list):
        complain(given.place, "replies must be a list of rules, such as - {class: rate, words: slow down}")
        return ()
    rules = []
    for entry in given.value:
        findings: list[tuple[str, str]] = []
        table = _checked(entry, providers, partial(_note, findings))
        for place, what in findings:
            complain(place, f"replies: {what}")
        if not findings:
            rules.append(_rule({"id": entry.place, "source": entry.place} | table))
    return tuple(rules)


def _note(findings: list[tuple[str, str]], place: str, what: str) -> None:
    findings.append((place, what))


def _rule(table: Mapping[str, Any]) -> Rule:
    return Rule(
        id=table["id"],
        reply_class=ReplyClass(table["class"]),
        source=table["source"],
        text=table.get("regex") or "|".join(re.escape(words) for words in _texts(table.get("words"))),
        provider=table.get("provider", ""),
        enhanced=_texts(table.get("enhanced")),
        codes=_texts(table.get("code")),
        phases=tuple(Phase(phase) for phase in _texts(table.get("phase"))),
    )


def _texts(value: Any) -> tuple[str, ...]:
    return () if value is None else tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def _checked(entry: Given, providers: Providers, complain: Complain) -> dict[str, Any]:
    """The entry's plain values, each of which has been complained about if it is wrong."""
    if not isinstance(entry.value, dict):
        complain(entry.place, "a rule must be keys and values, such as {class: rate, words: slow down}")
        return {}
    table: dict[str, Any] = {}
    for key, given in entry.value.items():
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(KEYS)}"
            complain(given.place, f"{key!r} is no part of a rule; {hint}")
            continue
        items = given.value if isinstance(given.value, list) else [given]
        texts = ["" if isinstance(item.value, list | dict) else item.spelled or "" for item in items]
        for item, text in zip(items, texts, strict=True):
            if wrong := _wrong(key, text, providers):
                complain(item.place, wrong)
        table[key] = texts if key in ("words", "enhanced", "code", "phase") else texts[0] if len(texts) == 1 else ""
        if not table[key]:
            complain(given.place, f"{key} must be one text")
    if "class" not in entry.value:
        complain(entry.place, f"a rule needs a class: there are {', '.join(RULED)}")
    if "words" in table and "regex" in table:
        complain(entry.place, "a rule has words or a regex, not both")
    if not any(key in table for key in MATCHED):
        complain(entry.place, f"a rule that fits every reply is none: it needs one of {', '.join(MATCHED)}")
    if "provider" in table:
        table["provider"] = table["provider"].lower()
    return table


def _wrong(key: str, text: str, providers: Providers) -> str | None:
    """What is wrong with one text of `key`; None: nothing is."""
    try:
        match key:
            case "class" if text not in RULED:
                return f"{text!r} is no class of reply: there are {', '.join(RULED)}"
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
    return None if text.strip() else f"{key} must be a text"


RULED = tuple(each for each in ReplyClass if each not in (ReplyClass.DELIVERED, ReplyClass.LOST))
"""The classes that a rule may read a reply as; the others no text decides."""
