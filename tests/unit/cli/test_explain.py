import json
import re
from pathlib import Path
from typing import Any

import pytest

from campaign_cli.cli.explain import PHASES
from campaign_cli.cli.main import run
from campaign_cli.config.rules import PHASES as RULED_PHASES


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def explained(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["explain", *arguments, "--json"]) == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


def test_all_is_said_that_follows_from_a_reply_and_by_which_rule(capsys: pytest.CaptureFixture[str]) -> None:
    reply = "550 5.1.1 The email account that you tried to reach does not exist."
    assert explained(capsys, reply, "--provider", "gmail") == {
        "outcome": "bounced",
        "class": "unknown-user",
        "suppress": True,
        "radius": "recipient",
        "action": "suppress the address",
        "rule": "unknown-user",
    }
    assert run(["explain", reply]) == 0
    assert re.findall(r"^\w+", capsys.readouterr().out, re.MULTILINE) == [
        *("outcome", "class", "suppress", "radius", "action", "rule")
    ]


def test_the_phase_and_the_provider_make_a_difference(capsys: pytest.CaptureFixture[str]) -> None:
    frequency = "550 Mailbox unavailable or access denied"
    assert explained(capsys, "550 5.1.1 no", "--phase", "mail")["class"] == "sender"
    assert explained(capsys, "250 2.0.0 ok")["outcome"] == "delivered"
    assert explained(capsys, frequency, "--provider", "qq")["class"] == "rate"
    assert explained(capsys, frequency, "--provider", "vip.qq.com")["class"] == "rate"
    assert explained(capsys, frequency)["class"] != "rate"


def test_the_lines_of_a_reply_are_read_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(capsys, "550-5.0.0 the mailbox\n550 5.0.0 does not exist")["class"] == "unknown-user"


def test_a_single_line_of_a_longer_reply_is_read_as_a_reply(capsys: pytest.CaptureFixture[str]) -> None:
    said = [explained(capsys, text, "--provider", "gmail") for text in ("421-4.7.28 slow down", "421 4.7.28 slow down")]
    assert said[0] == said[1]


def test_a_rule_of_the_users_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("campaign.yaml").write_text("replies:\n- {class: rate, words: zu viele}\n")
    assert explained(capsys, "550 Zu viele Mails")["rule"] == "campaign.yaml:2"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["hello"], "'hello' is no SMTP reply: write it with its code, as in '550 5.1.1 no such user'"),
        (["550 no\n250 yes"], "'550 no\\n250 yes' is no SMTP reply: write it with its code, as in "),
        (["550 no", "--provider", "gmial"], "no provider is named 'gmial': `campaign providers` lists them"),
    ],
)
def test_what_is_no_reply_and_who_is_no_provider_is_told(
    arguments: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", *arguments]) == 64
    assert f"Error: {error}" in capsys.readouterr().err


def test_the_phases_are_those_that_rules_have() -> None:
    assert list(PHASES) == list(RULED_PHASES)
