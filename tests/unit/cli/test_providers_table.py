import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from campaign_cli.cli.main import run
from campaign_cli.config.providers import shipped_providers
from campaign_cli.ledger.shared import SharedState
from campaign_cli.policy.shaping import Backoff


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (80, "provider limit left connections messages each domains"),
        (79, "provider limit left domains"),
        (45, "provider limit left domains"),
    ],
)
def test_limits_are_whole_at_every_width_and_the_domains_get_the_rest(
    width: int,
    headings: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(width))
    assert run(["providers", "--state", "state"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert " ".join(head.split()) == headings
    assert max(map(len, rows)) <= width
    for row, (name, provider) in zip(rows, shipped_providers().items(), strict=True):
        assert re.split(r" {2,}", row)[:2] == [name, provider.pace.text]


def test_who_is_held_back_is_told_with_why_and_until_when_and_resuming_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    Path("state").mkdir()
    shared = SharedState.open(Path("state", "shared.db"))
    shared.backoffs.change(
        "gmail", lambda _, now: Backoff("421 4.7.28 slow", now - 60, 600.0, now + 540, 0.5, 0.6, 1, now + 1140)
    )
    shared.backoffs.change("x.example", lambda _, now: Backoff("450 slow", now - 60, 10.0, now - 50, 0.5, 0.6, 2, now))
    shared.close()

    assert run(["providers", "--state", "state", "--json"]) == 0
    held = {row["provider"]: row["backoff"] for row in json.loads(capsys.readouterr().out) if row["backoff"]}
    assert sorted(held) == ["gmail", "x.example"]
    said = held["gmail"]
    assert (said["why"], said["rate"], said["connections"], said["in_vain"]) == ("421 4.7.28 slow", 1800, 1, 1)
    until, since = (datetime.fromisoformat(said[key]) for key in ("suspended_until", "since"))
    assert (until - since).total_seconds() == pytest.approx(600, abs=1)
    assert since.tzinfo

    assert run(["providers", "--state", "state"]) == 0
    lines = capsys.readouterr().out.splitlines()[-2:]
    assert re.fullmatch(
        r"gmail is held back since .*: nothing until .*, then at most 1,800/h on 1 connection, a step more at .*\. "
        r"It said: 421 4\.7\.28 slow",
        lines[0],
    )
    assert re.fullmatch(r"x\.example is held back since .*: at most 1,800/h on 2 connections, .*", lines[1])

    assert run(["providers", "--state", "state", "--resume", "yahoo"]) == 64
    assert "--resume yahoo: nothing is held against it; held back are gmail, x.example" in capsys.readouterr().err
    assert run(["providers", "--state", "state", "--resume", "gmail", "--resume", "x.example"]) == 0
    assert "held back" not in capsys.readouterr().out
