from pathlib import Path

import pytest

from campaign_cli.config.load import load_settings
from campaign_cli.config.providers import shipped_providers
from campaign_cli.config.replies import replies_of
from campaign_cli.config.settings import Settings
from campaign_cli.config.shaping import shaping_of, shipped_shaping
from campaign_cli.model.errors import ConfigError
from campaign_cli.model.outcome import ReplyClass
from campaign_cli.model.reply import Phase, Reply
from campaign_cli.policy.providers import Providers
from campaign_cli.policy.shaping import ShapingRule, displeases


def settings(folder: Path, rules: str) -> Settings:
    file = folder / "campaign.yaml"
    file.write_text(f"shaping:\n{rules}\n")
    return load_settings(file, {})


def ids(settings: Settings, reply: Reply, provider: str) -> list[str]:
    verdict = replies_of(settings).classify(reply, Phase.DOT, provider)
    rules = shaping_of(settings).rules_for(reply, Phase.DOT, provider, verdict.reply_class)
    return [rule.id for rule in rules]


AS_SHIPPED = Settings(providers=Providers.of(shipped_providers().values()))

UNUSUAL = Reply(421, "4.7.28", "Gmail has detected an unusual rate of mail")


def test_every_shipped_rule_is_for_a_provider_there_is_and_has_a_source_and_an_id_of_its_own() -> None:
    rules = shipped_shaping()
    assert {rule.provider for rule in rules} <= {"", *shipped_providers()}
    assert len({rule.id for rule in rules}) == len(rules)
    assert all(rule.source for rule in rules)
    assert all(rule.suspend or (rule.duration and (rule.rate or rule.connections)) for rule in rules)


@pytest.mark.parametrize(
    ("provider", "reply", "expected"),
    [
        ("gmail", UNUSUAL, ["gmail-rate"]),
        ("yahoo", Reply(421, "4.7.0", "[TSS04] Messages from 192.0.2.7 temporarily deferred"), ["yahoo-deferred"]),
        ("hotmail", Reply(451, "4.7.650", "The mail server [::1] has been temporarily rate limited"), ["hotmail-rate"]),
        ("qq", Reply(550, "", "Ip frequency limited"), ["qq-limited"]),
        ("x.example", Reply(554, "5.7.1", "Client host blocked using zen.spamhaus.org"), ["reputation"]),
        ("x.example", Reply(451, "4.7.1", "try again later"), []),
    ],
)  # fmt: skip
def test_what_the_shipped_rules_are_for(provider: str, reply: Reply, expected: list[str]) -> None:
    assert ids(AS_SHIPPED, reply, provider) == expected


def test_the_users_rules_are_beside_the_shipped_ones_or_in_the_place_of_one_with_their_id(tmp_path: Path) -> None:
    for rules, expected in [
        ("- {provider: gmail, words: [no, unusual], suspend: 1h}", [f"{tmp_path}/campaign.yaml:2", "gmail-rate"]),
        ("- {id: gmail-rate, class: rate, suspend: 1m}", ["gmail-rate"]),
        ("- {id: gmail-rate, off: true}", []),
        ("- {id: mine, provider: yahoo, class: [rate, busy], suspend: 1m}", ["gmail-rate"]),
    ]:
        assert ids(settings(tmp_path, rules), UNUSUAL, "gmail") == expected, rules


def test_a_rule_becomes_what_it_says(tmp_path: Path) -> None:
    text = "- {id: a, class: rate, enhanced: 4.7.*, code: 4yz, phase: [rcpt, dot], after: 3/10h, suspend: 1h}"
    with pytest.raises(ConfigError):
        settings(tmp_path, text)
    text = "- {id: a, class: rate, phase: dot, after: 3/h, rate: 60/h, connections: 2, for: 90m, source: me}"
    assert settings(tmp_path, text).shaping == (
        ShapingRule(
            "a",
            "me",
            classes=(ReplyClass.RATE,),
            phases=(Phase.DOT,),
            count=3,
            period=3600.0,
            rate=1 / 60,
            connections=2,
            duration=5400.0,
        ),
    )


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("  x", "shaping must be a list of rules, such as - {provider: yahoo, words: slow down, after: 2/h, suspend"),
        ("- x", "shaping: a rule must be keys and values, such as {provider: yahoo"),
        ("- {suspend: 1h}", "shaping: a rule that fits every reply is none: it needs one of words, regex, provider"),
        ("- {class: rate}", "shaping: a rule does something: it needs one of suspend, rate, connections"),
        ("- {class: rat, suspend: 1h}", "shaping: 'rat' is no class of reply: there are delivered, unknown-user"),
        ("- {class: rate, rate: 1/min}", "shaping: rate and connections hold for some time, and only they: for: 1h"),
        ("- {class: rate, suspend: 1h, for: 1h}", "shaping: rate and connections hold for some time, and only they"),
        ("- {class: rate, rate: 5000/d, for: 1h}", "shaping: '5000/d' is no pace: write it as 1/min or 100/h"),
        ("- {class: rate, rate: fast, for: 1h}", "shaping: 'fast' is not a limit: write it as 1000/h"),
        ("- {class: rate, connections: 0, for: 1h}", "shaping: connections must be a number from 1 on, not '0'"),
        ("- {class: rate, suspend: soon}", "shaping: 'soon' is not a length of time: write it as 90s, 55m, 2h or 4d"),
        ("- {class: rate, suspend: 0s}", "shaping: suspend must be longer than nothing, such as 30m"),
        ("- {class: rate, suspend: 1h, after: often}", "shaping: 'often' is not understood: write so many in so long"),
        ("- {provider: yaho, suspend: 1h}", "shaping: no provider is named 'yaho': `campaign providers` lists them"),
        ("- {words: slow, suspends: 1h}", "shaping: 'suspends' is no part of a rule; did you mean 'suspend'?"),
        ("- {id: gmail-rat, off: true}", "shaping: off: which? It needs the id of a rule as shipped"),
        ("- {id: gmail-rate, off: maybe}", "shaping: off must be true, or left out"),
    ],
)
def test_a_wrong_rule_is_told_with_its_line(tmp_path: Path, rules: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        settings(tmp_path, rules)
    line = 1 if rules.startswith(" ") else 2
    assert f"campaign.yaml:{line}: {said}" in str(error.value)


def test_every_refusal_that_slows_a_provider_is_about_pace_or_reputation() -> None:
    verdicts = [
        replies_of(AS_SHIPPED).classify(Reply(451, code, ""), Phase.RCPT) for code in ("4.7.28", "4.7.650", "4.2.1")
    ]
    assert [displeases(each) for each in verdicts] == [True, True, False]
