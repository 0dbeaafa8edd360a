"""Replies that servers have said are read as they are meant."""

import tomllib
from pathlib import Path

import pytest

from campaign_cli.config.replies import shipped_rules
from campaign_cli.model.outcome import Outcome
from campaign_cli.model.reply import Phase
from campaign_cli.policy.outcomes import Replies, Rule
from campaign_cli.transport.replies import ReplyParser

FOUND = tomllib.loads(Path(__file__).with_name("replies.toml").read_text("utf-8"))["from"]
TEXTS = [reply for each in FOUND for reply in each["replies"]]
REPLIES = Replies(shipped_rules())


def test_there_are_two_hundred_of_them_each_once_and_each_with_its_source() -> None:
    assert len({(text, provider, phase) for text, provider, phase, *_ in TEXTS}) == len(TEXTS) >= 200
    assert all("https://" in each["source"] for each in FOUND)


@pytest.mark.parametrize(("text", "provider", "phase", "reply_class", "suppress", "radius"), TEXTS)
def test_a_reply_is_read_as_it_is_meant(
    text: str, provider: str, phase: str, reply_class: str, suppress: bool, radius: str
) -> None:
    (reply,) = ReplyParser().feed(f"{text}\r\n".encode())
    verdict = REPLIES.classify(reply, Phase(phase), provider)
    assert (verdict.reply_class, verdict.suppress, verdict.radius) == (reply_class, suppress, radius), verdict.rule
    bounced = reply_class in ("unknown-user", "disabled", "bad-domain", "closed", "mailbox-full", "refused", "too-big")
    bounced = bounced or reply_class == "refused-message"
    assert (verdict.outcome is Outcome.BOUNCED) == (bounced and text[0] == "5")


def test_every_rule_has_an_id_of_its_own_a_source_and_something_to_fit() -> None:
    rules = shipped_rules()
    assert len({rule.id for rule in rules}) == len(rules)
    assert [rule.id for rule in rules if not rule.source] == []
    assert [rule.id for rule in rules if not (rule.text or rule.enhanced or rule.codes)] == []


def test_no_rule_of_a_provider_is_named_after_one_that_is_not_there() -> None:
    from campaign_cli.config.providers import shipped_providers

    assert {rule.provider for rule in shipped_rules()} - {"", *shipped_providers()} == set()


def rule(name: str, **fits: object) -> Rule:
    return Rule(name, "rate", "here", **fits)  # type: ignore[arg-type]


ORDER = [
    rule("provider and text", provider="acme", text="no"),
    rule("provider and enhanced code", provider="acme", enhanced=("5.1.1",)),
    rule("text", text="no"),
    rule("enhanced code", enhanced=("5.1.1",)),
    rule("code with phase", codes=("550",), phases=(Phase.RCPT,)),
]


@pytest.mark.parametrize("first", range(len(ORDER)))
def test_what_says_more_of_who_said_it_goes_before_what_says_less(first: int) -> None:
    (reply,) = ReplyParser().feed(b"550 5.1.1 no\r\n")
    assert Replies(reversed(ORDER[first:])).classify(reply, Phase.RCPT, "acme").rule == ORDER[first].id
