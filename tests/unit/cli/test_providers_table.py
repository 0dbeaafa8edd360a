import re
from pathlib import Path

import pytest

from campaign_cli.cli.main import run
from campaign_cli.config.providers import shipped_providers


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
