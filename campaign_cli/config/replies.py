"""The rules for reading replies: the package's own file, and the user's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from campaign_cli.config.given import Given
from campaign_cli.config.rules import MATCHED, Complain, checked, described, mismatched, shipped, user_tables
from campaign_cli.model.outcome import ReplyClass
from campaign_cli.policy.outcomes import Replies, Rule
from campaign_cli.policy.providers import Providers

if TYPE_CHECKING:
    from campaign_cli.config.settings import Settings

KEYS = ("id", "class", "words", "regex", "provider", "enhanced", "code", "phase", "source")
"""What a rule may have."""

SUCH = "{class: rate, words: slow down}"
"""A rule as it is written."""


def replies_of(settings: Settings) -> Replies:
    """The user's rules, and after them the shipped ones."""
    return Replies(_rules_of(settings))


def _rules_of(settings: Settings) -> Iterator[Rule]:
    # Read when the first refusal is: most runs of most commands have none.
    yield from settings.replies
    yield from shipped_rules()


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """The package's `replies.toml`, in its order."""
    return tuple(map(_rule, shipped("replies.toml")))


def user_rules(given: Given, providers: Providers, complain: Complain) -> tuple[Rule, ...]:
    """The rules under `replies:`, in their order; what is wrong with one is told with its line."""
    check = partial(_checked, providers=providers)
    return tuple(map(_rule, user_tables("replies", given, check, complain, such=SUCH)))


def _rule(table: Mapping[str, Any]) -> Rule:
    return Rule(reply_class=ReplyClass(table["class"]), **described(table))


def _checked(entry: Given, complain: Complain, providers: Providers) -> dict[str, Any]:
    """The entry's plain values, each of which has been complained about if it is wrong."""
    table = checked(entry, KEYS, partial(_wrong, providers=providers), complain, such=SUCH)
    if isinstance(entry.value, dict):
        if "class" not in entry.value:
            complain(entry.place, f"a rule needs a class: there are {', '.join(RULED)}")
        if not any(key in table for key in MATCHED):
            complain(entry.place, f"a rule that fits every reply is none: it needs one of {', '.join(MATCHED)}")
        if table.get("class"):
            table["class"] = table["class"][0]
    return table


def _wrong(key: str, text: str, providers: Providers) -> str | None:
    """What is wrong with one text of `key`; None: nothing is."""
    if key == "class" and text not in RULED:
        return f"{text!r} is no class of reply: there are {', '.join(RULED)}"
    return mismatched(key, text, providers)


RULED = tuple(each for each in ReplyClass if each not in (ReplyClass.DELIVERED, ReplyClass.LOST))
"""The classes that a rule may read a reply as; the others no text decides."""
