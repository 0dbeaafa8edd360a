from pathlib import Path

import pytest

from campaign_cli.config.load import load_settings
from campaign_cli.config.replies import replies_of
from campaign_cli.config.settings import Settings
from campaign_cli.model.errors import ConfigError
from campaign_cli.model.outcome import ReplyClass
from campaign_cli.model.reply import Phase, Reply


def settings(folder: Path, rules: str) -> Settings:
    file = folder / "campaign.yaml"
    file.write_text(f"replies:\n{rules}\n")
    return load_settings(file, {})


def test_a_rule_of_the_users_goes_before_the_shipped_ones_of_its_rank(tmp_path: Path) -> None:
    full = Reply(552, "5.2.2", "mailbox full")
    for rules, expected in [
        ("", ReplyClass.MAILBOX_FULL),
        ("- {class: disabled, words: [nothing, mailbox full], code: [552, 4yz], phase: rcpt}", ReplyClass.DISABLED),
        ("- {class: disabled, regex: '^Mailbox', provider: Yahoo}", ReplyClass.MAILBOX_FULL),
        ("- {class: disabled, enhanced: 5.2.*, provider: x.example}", ReplyClass.DISABLED),
        ("- {class: disabled, enhanced: 5.2.2}", ReplyClass.MAILBOX_FULL),
    ]:
        replies = replies_of(settings(tmp_path, rules))
        assert replies.classify(full, Phase.RCPT, "x.example").reply_class == expected, rules


def test_a_rule_without_an_id_is_known_by_its_line(tmp_path: Path) -> None:
    (rule,) = settings(tmp_path, "- {class: rate, words: slow down}").replies
    assert (rule.id, rule.source) == (f"{tmp_path}/campaign.yaml:2", f"{tmp_path}/campaign.yaml:2")


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("  rate", "replies must be a list of rules, such as - {class: rate, words: slow down}"),
        ("- rate", "replies: a rule must be keys and values, such as {class: rate, words: slow down}"),
        ("- {words: slow}", "replies: a rule needs a class: there are unknown-user, disabled, bad-domain, closed, "),
        ("- {class: rates, words: slow}", "replies: 'rates' is no class of reply: there are unknown-user, "),
        ("- {class: delivered, code: 550}", "replies: 'delivered' is no class of reply: there are unknown-user, "),
        ("- {class: rate}", "replies: a rule that fits every reply is none: it needs one of words, regex, provider, "),
        ("- {class: rate, word: slow}", "replies: 'word' is no part of a rule; did you mean 'words'?"),
        ("- {class: rate, words: ''}", "replies: words must be a text"),
        ("- {class: rate, regex: '(slow'}", "replies: '(slow' is no regular expression: "),
        ("- {class: rate, regex: 'x*'}", "replies: 'x*' fits every text"),
        ("- {class: rate, words: a, regex: b}", "replies: a rule has words or a regex, not both"),
        ("- {class: rate, code: 250}", "replies: '250' is no reply code: write it as 550, or 5yz for all that begin"),
        ("- {class: rate, enhanced: 5.1}", "replies: '5.1' is no enhanced code: write it as 5.1.1, 5.7.* or 5.7.606"),
        ("- {class: rate, phase: quit}", "replies: 'quit' is no phase: there are greeting, ehlo, tls, auth, mail, "),
        ("- {class: rate, provider: yaho}", "replies: no provider is named 'yaho': `campaign providers` lists them"),
    ],
)
def test_a_wrong_rule_is_told_with_its_line(tmp_path: Path, rules: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        settings(tmp_path, rules)
    line = 1 if rules.startswith(" ") else 2
    assert any(found.startswith(f"{tmp_path}/campaign.yaml:{line}: {said}") for found in error.value.findings), (
        error.value.findings
    )
