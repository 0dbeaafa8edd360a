"""`campaign new` makes a folder that can be sent from as it stands."""

import logging
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from lxml import html

from campaign_cli.cli.main import run
from campaign_cli.content.starters import SHIPPED, STARTERS


@pytest.fixture(autouse=True)
def _logging_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("handlers", "propagate", "level"):
        monkeypatch.setattr(logging.getLogger("campaign_cli"), name, getattr(logging.getLogger("campaign_cli"), name))


@pytest.mark.parametrize("name", STARTERS)
def test_the_command_it_names_shows_every_message_of_every_starter(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["new", "spring", "--template", name]) == 0
    said = capsys.readouterr().out
    assert "subject.txt" in said
    assert run(shlex.split(said.splitlines()[-1])[1:]) == 0
    assert "failed" not in capsys.readouterr().out
    assert sorted(file.name for file in tmp_path.iterdir()) == ["spring"]


def test_all_that_is_shipped_can_be_asked_for() -> None:
    assert {folder.name for folder in SHIPPED.iterdir()} == set(STARTERS)


def test_nothing_is_written_over_and_nothing_is_left_half_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "spring").mkdir()
    (tmp_path / "spring/mine").write_text("mine")
    assert run(["new", str(tmp_path / "spring")]) == 64
    assert "cannot be made: Directory not empty; name a folder that is not there yet" in capsys.readouterr().err
    assert run(["new", str(tmp_path / "none/there")]) == 64
    assert sorted(file.name for file in tmp_path.iterdir()) == ["spring"]


def test_where_nothing_can_be_written_it_ends_as_on_a_full_disk_and_nothing_is_left(tmp_path: Path) -> None:
    """No file may have more than 500 bytes."""
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))\n"
    # Without -B, Python would keep what is left of its own bytecode.
    command = [sys.executable, "-B", "-c", f"{limited}from campaign_cli.cli.main import main; main()", "new", "spring"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    said = "campaign: spring cannot be made: File too large; make room, or name a folder elsewhere\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (74, "", said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", STARTERS)
def test_every_starter_can_be_read_by_everybody(name: str) -> None:
    (body,) = [file for file in (SHIPPED / name).glob("body.*") if file.suffix != ".txt"]
    written = body.read_text("utf-8")
    assert re.search(r'<(?:html|mjml) lang="en"', written)
    assert 'name="color-scheme" content="light dark"' in written
    assert (
        "prefers-color-scheme: dark"
        in written + "".join(file.read_text("utf-8") for file in (SHIPPED / name).glob("*.css"))
        or name == "letter"
    )
    if body.suffix == ".html":
        page = html.document_fromstring(written)
        assert [image for image in page.iter("img") if not image.get("alt")] == []
        layout = [table for table in page.iter("table") if table.get("class") != "items"]
        assert {table.get("role") for table in layout} <= {"presentation"}
        assert page.findtext(".//title")
