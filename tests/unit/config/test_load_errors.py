from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign_cli.config.load import KEYS, load_settings
from campaign_cli.model.errors import ConfigError, UsageError


def findings(folder: Path, text: str, **options: Any) -> list[str]:
    """What is said about a campaign.yaml with this text, its path as FILE."""
    file = folder / "campaign.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        load_settings(file, options)
    assert str(error.value) == "\n".join(error.value.findings)
    return [finding.replace(str(file), "FILE") for finding in error.value.findings]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("relly", "relay"),
        ("max-runtime", "max_runtime"),
        ("templates", "template"),
        ("rates", "rate"),
        ("Name", "name"),
        ("sender_from", "from"),
        ("log", "log_file"),
    ],
)
def test_a_wrong_key_is_told_with_its_line_and_the_nearest_right_one(tmp_path: Path, key: str, meant: str) -> None:
    said = findings(tmp_path, f"# wrong\n\n{key}: 1\n")
    assert said == [f"FILE:3: {key!r} is not a setting; did you mean {meant!r}?"]


def test_a_key_that_is_near_to_none_is_told_with_all_there_are(tmp_path: Path) -> None:
    said = findings(tmp_path, "xyzzy: 1\n")
    assert said == [f"FILE:1: 'xyzzy' is not a setting; there are: {', '.join(sorted(KEYS))}"]


def test_everything_that_is_wrong_is_told_at_once_in_the_files_order(tmp_path: Path) -> None:
    text = """
yes: perhaps
patience: soon
relay: smtp://ann:hunter2@mail.example.org
limit: many
rate:
  yahoo: often
  hotmial: 5/h
froom: me
name: [a, b]
retry: {base: 1m, bas: 2m}
providers:
  gmail:
    color: red
    connections: 0
reply_to: nobody
max_connections: 1001
"""
    assert findings(tmp_path, text) == [
        "FILE:2: yes: must be true or false",
        "FILE:3: patience: 'soon' is not a length of time: write it as 90s, 55m, 2h or 4d",
        "FILE:4: relay: the relay's URL has a password in it, where other users of this machine can read it: "
        "take it out and give it as CAMPAIGN_SMTP_PASSWORD, password_file or password_command",
        "FILE:5: limit: must be a number from 1 to 1000000000, not 'many'",
        "FILE:7: 'often' is not a limit: write it as 1000/h, 20/min, 10000/d or 50/10s, with max_burst=N if you "
        "like, or none",
        "FILE:8: no provider is named 'hotmial'; did you mean 'hotmail'?",
        "FILE:9: 'froom' is not a setting; did you mean 'from'?",
        "FILE:10: name: must be a text",
        "FILE:11: retry: bas: 2m is not understood: there are base, factor, longest, lifetime and jitter",
        "FILE:14: 'color' is no setting of a provider: there are rate, warmup, connections, connection_rate, "
        "messages_per_connection, retry, tls, domains and mx_suffixes",
        "FILE:15: connections must be a number from 1 to 1000",
        "FILE:16: reply_to: 'nobody' is not a mailbox, such as 'Ada <ada@example.org>': an email address must have an "
        "@-sign",
        "FILE:17: max_connections: must be a number from 1 to 1000, not 1001",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limit: 0", "limit: must be a number from 1 to 1000000000, not 0"),
        ("dns: {dnssec: on}", "dns: dnssec: must be trusted or off, not True"),
        ("dns: {dnsec: off}", "dns: 'dnsec' is not understood: there are nameservers, timeout, concurrency and dnssec"),
        ("limit: true", "limit: must be a number from 1 to 1000000000, not True"),
        ("limit: 1.5", "limit: must be a number from 1 to 1000000000, not 1.5"),
        ("connections: 1001", "connections: must be a number from 1 to 1000, not 1001"),
        ("quiet: 1", "quiet: must be true or false"),
        ("quiet: 'true'", "quiet: must be true or false"),
        ('subject: ""', "subject: must be a text"),
        ("subject: {a: b}", "subject: must be a text"),
        ('subject: "a\\nb"', "subject: must be one line"),
        ('template: "a\\0b"', "template: must be one line"),
        ("max_runtime: 0s", "max_runtime: must be longer than nothing: write 55m or 2h, or leave it out"),
        (
            "retry: {factor: true}",
            "retry: factor: True is not understood: there are base, factor, longest, lifetime and jitter",
        ),
        ("max_runtime: 55", "max_runtime: '55' is not a length of time: write it as 90s, 55m, 2h or 4d"),
        ("relay: mail.example.org", "relay: 'mail.example.org' is not a relay: write it as smtps://user@host or "),
        ("relay: [smtp://a, 5]", "relay: '5' is not a relay: write it as smtps://user@host or smtp://user@host:587"),
        ("return_path: Ada <ada@example.org>", "return_path: "),
        ("from: Ada", "from: 'Ada' is not a mailbox, such as 'Ada <ada@example.org>': "),
        ("retry: 5m", "retry: must be keys and values, such as {base: 1m, factor: 3, longest: 3h, lifetime: 4d}"),
        (
            "retry: {factor: 0.5}",
            "retry: factor: 0.5 is not understood: there are base, factor, longest, lifetime and jitter",
        ),
        ("retry: {base: 5}", "retry: '5' is not a length of time: write it as 90s, 55m, 2h or 4d"),
        ("rate: 500/h", "'500/h' names no provider: write it as yahoo=500/h"),
        ("rate: [yahoo=1/h, gmail]", "'gmail' names no provider: write it as yahoo=500/h"),
        ("providers: [yahoo]", "providers must be keys and values, such as {rate: 500/h, connections: 3}"),
    ],
)
def test_a_wrong_value_is_told_with_what_would_be_right(tmp_path: Path, text: str, said: str) -> None:
    (found,) = findings(tmp_path, f"{text}\n")
    assert found.startswith(f"FILE:1: {said}")


def test_what_is_wrong_below_a_key_is_told_with_its_own_line_and_with_all_else(tmp_path: Path) -> None:
    text = """
relay:
  - smtp://mail.example.org
  - mail.example.org
  - http://mail.example.org
retry:
  bas: 1m
  lifetime: long
limit: 5
limit: 6
"""
    assert [finding.partition(";")[0] for finding in findings(tmp_path, text)] == [
        "FILE:4: relay: 'mail.example.org' is not a relay: write it as smtps://user@host or smtp://user@host:587",
        "FILE:5: relay: http:// is not a relay: write smtps:// or smtp://",
        "FILE:7: retry: bas: 1m is not understood: there are base, factor, longest, lifetime and jitter",
        "FILE:8: retry: 'long' is not a length of time: write it as 90s, 55m, 2h or 4d",
        "FILE:10: 'limit' stands here a second time, first at FILE:9",
    ]


def test_errors_of_the_command_line_alone_are_a_usage_error_under_the_options_names(tmp_path: Path) -> None:
    file = tmp_path / "campaign.yaml"
    file.write_text("name: spring\n")
    with pytest.raises(UsageError) as error:
        load_settings(
            file, {"max_runtime": "soon", "relay": ("smtp://a", "x"), "rate": ("yaho=1/h", "5/h"), "from": "me"}
        )
    assert sorted(str(error.value).splitlines()) == [
        "--from: 'me' is not a mailbox, such as 'Ada <ada@example.org>': an email address must have an @-sign",
        "--max-runtime: 'soon' is not a length of time: write it as 90s, 55m, 2h or 4d",
        "--rate: '5/h' names no provider: write it as yahoo=500/h",
        "--rate: no provider is named 'yaho'; did you mean 'yahoo'?",
        "--relay: 'x' is not a relay: write it as smtps://user@host or smtp://user@host:587",
    ]


def test_errors_of_both_are_a_configuration_error_the_command_lines_first(tmp_path: Path) -> None:
    assert findings(tmp_path, "limit: x\nfoo: 1\nquiet: 3\n", max_runtime="soon") == [
        "--max-runtime: 'soon' is not a length of time: write it as 90s, 55m, 2h or 4d",
        "FILE:1: limit: must be a number from 1 to 1000000000, not 'x'",
        "FILE:2: 'foo' is not a setting; did you mean 'from'?",
        "FILE:3: quiet: must be true or false",
    ]


def test_a_wrong_value_that_the_command_line_overrides_is_not_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "campaign.yaml"
    file.write_text("limit: many\n")
    assert load_settings(file, {"limit": 5}).limit == 5


@pytest.mark.parametrize(
    "url", ["smtp://ann:hunter2@h", "smtps://:hunter2@h:1", "http://ann:hunter2@h", "smtp://a:hunter2@"]
)
def test_a_password_in_a_relays_url_is_never_repeated(tmp_path: Path, url: str) -> None:
    said = [*findings(tmp_path, f"relay: {url}\n"), *findings(tmp_path, f"relay: [smtp://a, '{url}']\n")]
    assert ["hunter2" in line for line in said] == [False, False]


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab =/:@.<>1h", max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(["rate", "base", "yahoo"]), below),
    max_leaves=6,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), ANYTHING, min_size=1))
def test_whatever_stands_in_a_file_is_settings_or_findings_with_their_lines(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    text = yaml.safe_dump(content, sort_keys=False)
    try:
        (folder / "campaign.yaml").write_text(text)
        load_settings(folder / "campaign.yaml", {})
    except ConfigError as error:
        lines = [int(finding.removeprefix(f"{folder}/campaign.yaml:").partition(":")[0]) for finding in error.findings]
        assert lines == sorted(lines)
        assert 1 <= lines[0] <= lines[-1] <= text.count("\n")


@pytest.mark.parametrize("value", ["{x: [1, {y: z}]}", "[[1]]", "-1", '"\\0"', "2026-01-01", ".nan", "!!binary aGk="])
@pytest.mark.parametrize("key", KEYS)
def test_no_value_of_any_key_is_taken_for_another_or_ends_in_anything_but_settings_or_its_line(
    tmp_path: Path, key: str, value: str
) -> None:
    file = tmp_path / "campaign.yaml"
    file.write_text(f"{key}: {value}\n")
    try:
        load_settings(file, {})
        said = []
    except ConfigError as error:
        said = str(error).splitlines()
    assert all(line.startswith(f"{file}:1: ") for line in said)
    assert said or value not in ("{x: [1, {y: z}]}", '"\\0"')
