"""The rules for what follows from a provider's displeasure: the package's own file, and the user's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from campaign_cli.config.given import Given
from campaign_cli.config.rules import MATCHED, Complain, checked, described, mismatched, shipped, texts, user_tables
from campaign_cli.model.duration import SECONDS, parse_duration
from campaign_cli.model.outcome import ReplyClass
from campaign_cli.policy.limits import parse_pace
from campaign_cli.policy.providers import Providers
from campaign_cli.policy.shaping import Shaping, ShapingRule

if TYPE_CHECKING:
    from campaign_cli.config.settings import Settings

ACTIONS = ("suspend", "rate", "connections")
"""What a rule may do; it does one of them at least."""

KEYS = ("id", *MATCHED, "class", "after", *ACTIONS, "for", "off", "source")
"""What a rule may have."""

SUCH = "{provider: yahoo, words: slow down, after: 2/h, suspend: 1h}"
"""A rule as it is written."""

_AFTER = re.compile(r"([1-9]\d{0,5})\s*/\s*(s|min|m|h|d)")


def shaping_of(settings: Settings) -> Shaping:
    """The user's rules, and the shipped ones whose ids these do not have."""
    return Shaping(_rules_of(settings))


def _rules_of(settings: Settings) -> Iterator[ShapingRule]:
    # Read when the first refusal is: most runs have none.
    taken = {rule.id for rule in settings.shaping} | set(settings.shaping_off)
    yield from settings.shaping
    yield from (rule for rule in shipped_shaping() if rule.id not in taken)


@cache
def shipped_shaping() -> tuple[ShapingRule, ...]:
    """The package's `shaping.toml`, in its order."""
    return tuple(map(_rule, shipped("shaping.toml")))


def user_shaping(
    given: Given, providers: Providers, complain: Complain
) -> tuple[tuple[ShapingRule, ...], tuple[str, ...]]:
    """The rules under `shaping:`, and the ids of the shipped ones that are off; what is wrong is told with its line."""
    check = partial(_checked, providers=providers)
    tables = user_tables("shaping", given, check, complain, such=SUCH)
    off = tuple(table["id"] for table in tables if "off" in table)
    return tuple(_rule(table) for table in tables if "off" not in table), off


def _checked(entry: Given, complain: Complain, providers: Providers) -> dict[str, Any]:
    table = checked(entry, KEYS, partial(_wrong, providers=providers), complain, such=SUCH)
    if not isinstance(entry.value, dict):
        return table
    if "off" in table:
        if table.get("id") not in [rule.id for rule in shipped_shaping()]:
            complain(entry.place, "off: which? It needs the id of a rule as shipped (docs/shaping.md lists them)")
        return table
    if not any(key in table for key in (*MATCHED, "class")):
        complain(entry.place, f"a rule that fits every reply is none: it needs one of {', '.join((*MATCHED, 'class'))}")
    if not any(key in table for key in ACTIONS):
        complain(entry.place, f"a rule does something: it needs one of {', '.join(ACTIONS)}")
    if ("rate" in table or "connections" in table) != ("for" in table):
        complain(entry.place, "rate and connections hold for some time, and only they: for: 1h")
    return table


def _wrong(key: str, text: str, providers: Providers) -> str | None:
    """What is wrong with one text of `key`; None: nothing is."""
    try:
        match key:
            case "class" if text not in tuple(ReplyClass):
                return f"{text!r} is no class of reply: there are {', '.join(ReplyClass)}"
            case "after" if not _AFTER.fullmatch(text.strip()):
                return f"{text!r} is not understood: write so many in so long, such as 2/h"
            case "suspend" | "for":
                if not parse_duration(text):
                    return f"{key} must be longer than nothing, such as 30m"
            case "rate":
                if parse_pace(text).rate is None:
                    return f"{text!r} is no pace: write it as 1/min or 100/h"
            case "connections" if not text.isdecimal() or not int(text):
                return f"connections must be a number from 1 on, not {text!r}"
            case "off" if text != "true":
                return "off must be true, or left out"
    except ValueError as error:
        return str(error)
    return mismatched(key, text, providers)


def _rule(table: Mapping[str, Any]) -> ShapingRule:
    count, _, unit = str(table.get("after", "1/s")).partition("/")
    return ShapingRule(
        **described(table),
        classes=tuple(ReplyClass(each) for each in texts(table.get("class"))),
        count=int(count),
        period=SECONDS[unit.strip()],
        suspend=parse_duration(table["suspend"]) if "suspend" in table else 0.0,
        rate=parse_pace(table["rate"]).rate if "rate" in table else None,
        connections=int(table["connections"]) if "connections" in table else None,
        duration=parse_duration(table["for"]) if "for" in table else 0.0,
    )
