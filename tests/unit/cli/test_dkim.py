import json
import re
from pathlib import Path

import pytest

from campaign_cli.cli.main import run
from campaign_cli.config.load import load_settings
from campaign_cli.content.keys import read_key


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("options", [[], ["--ed25519"], ["--bits", "1024", "--selector", "S1", "--output", "mine.pem"]])
def test_what_is_printed_can_be_published_and_put_into_campaign_yaml(
    capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    assert run(["dkim", "new", "Bücher.example", *options]) == 0
    out = capsys.readouterr().out
    Path("campaign.yaml").write_text(out[out.index("dkim:") :])
    (given,) = load_settings(None, {}).dkim
    key = read_key(given.key, domain=given.domain, selector=given.selector)
    (record,) = re.findall(rf"^{re.escape(key.name)}\. IN TXT \( (.*) \)$", out, re.MULTILINE)
    assert "".join(re.findall(r'"([^"]{1,255})"', record)) == key.record
    assert "PRIVATE" not in out


def test_it_says_the_same_to_programs_and_writes_nothing_over(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["dkim", "new", "y.example", "--selector", "s1", "--ed25519", "--json"]
    assert run(arguments) == 0
    said = json.loads(capsys.readouterr().out)
    key = read_key(Path(said["key"]), domain="y.example", selector="s1")
    assert said == {"key": "y.example.s1.pem", "name": key.name, "type": "TXT", "value": key.record}
    assert run(arguments) == 74
    assert "never written over" in capsys.readouterr().err
    assert read_key(Path(said["key"]), domain="y.example", selector="s1") == key


def test_two_keys_of_a_domain_have_two_names_in_dns(capsys: pytest.CaptureFixture[str]) -> None:
    names = []
    for options in ([], ["--ed25519"]):
        assert run(["dkim", "new", "y.example", "--json", *options]) == 0
        made = json.loads(capsys.readouterr().out)
        names.append(made["name"])
        assert made["key"] == f"y.example.{made['name'].partition('.')[0]}.pem"
    assert len(set(names)) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["no domain"],
        ["y.example", "--selector", "a b"],
        ["y.example", "--bits", "512"],
        ["y.example", "--ed25519", "--bits", "2048"],
    ],
)
def test_what_cannot_be_is_told(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert run(["dkim", "new", *arguments]) == 64
    assert "Error: " in capsys.readouterr().err
    assert list(Path().iterdir()) == []
