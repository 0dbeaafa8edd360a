"""`campaign preview`, as its users start it, in this process."""

import json
import os
import stat
from email import message_from_bytes
from pathlib import Path

import pytest

from campaign_cli.cli.main import run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAMPAIGN_STATE", str(tmp_path / "state"))
    for name in ("CAMPAIGN_SMTP_PASSWORD", "DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    Path("list.csv").write_text(
        'email,name,note\nann@example.org,Ann,\n"bob@example.org",Bob,"two\nlines"\nnobody,,\n'
        "cid@example.org,Cid,\ndan@example.org,,\n"
    )
    Path("hello.html").write_text(
        "---\nsubject: Hello {{ name }}\nfrom: Ada <ada@example.org>\n---\n"
        "<p>Hello {{ name or 1 // (note | length) }}</p>\n"
    )
    return tmp_path


def previewed(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str, str]:
    code = run(["preview", "list.csv", "-t", "hello.html", *options])
    out, err = capsys.readouterr()
    return code, out, err


def subjects(out: str) -> list[str]:
    return [line.removeprefix("Subject: ") for line in out.splitlines() if line.startswith("Subject: ")]


def test_the_first_three_are_shown_with_bad_rows_told_and_nothing_is_touched(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    # What cannot be had is not needed: there is no password, and no relay.
    Path("campaign.yaml").write_text("relay: smtps://ada@nowhere.example.org\n")
    before = sorted(folder.rglob("*"))
    code, out, err = previewed(capsys)
    assert (code, err, subjects(out)) == (0, "", ["Hello Ann", "Hello Bob", "Hello Cid"])
    assert "list.csv:5: 'nobody' is left out: " in out
    assert "line 3, bob@example.org" in out
    assert "MIME-Version" not in out
    assert "[text 10 bytes; HTML " in out
    assert sorted(folder.rglob("*")) == before


def test_a_row_is_named_by_the_line_on_which_it_begins(capsys: pytest.CaptureFixture[str]) -> None:
    assert subjects(previewed(capsys, "--row", "3")[1]) == ["Hello Bob"]
    assert subjects(previewed(capsys, "--row", "3", "--count", "2")[1]) == ["Hello Bob", "Hello Cid"]
    assert subjects(previewed(capsys, "--email", "CID@example.org")[1]) == ["Hello Cid"]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--row", "4"), 64, "list.csv: no row begins on line 4: a row that goes on there began before"),
        (("--row", "1"), 64, "list.csv: no row begins on line 1: its first row is on line 2"),
        (("--row", "70"), 64, "list.csv: no row begins on line 70: its rows are on lines 2 to 7"),
        (("--row", "5"), 65, "list.csv:5: 'nobody' cannot be written to: "),
        (("--email", "eve@example.org"), 64, "eve@example.org is not on the list list.csv"),
        (("--email", "nobody"), 64, "'nobody' is not an address: "),
        (("--email", "ann@example.org", "--row", "2"), 64, "--email names one contact"),
        (("--row", "0"), 64, "--row and --count count from 1"),
        (("--out", "list.csv"), 64, "--out list.csv: is a file: name a folder"),
    ],
)
def test_what_cannot_be_shown_is_told_in_one_line(
    options: tuple[str, ...], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    ended, out, err = previewed(capsys, *options)
    assert (ended, out) == (code, "" if "--out" not in options else out)
    assert err.startswith(f"campaign: {said}")
    assert err.count("\n") == 1


def test_a_message_that_cannot_be_made_is_told_with_its_line_and_ends_in_65(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = previewed(capsys, "--row", "6", "--count", "2")
    assert (code, subjects(out)) == (65, ["Hello Cid"])
    assert "line 7, dan@example.org" in out
    assert "hello.html:" in out


def test_json_has_it_all_and_nothing_else_is_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = previewed(capsys, "--count", "4", "--json")
    first, *_, last = json.loads(out)["messages"]
    assert (code, "left out" in err) == (65, True)
    assert (first["line"], first["email"], first["headers"]["Subject"]) == (2, "ann@example.org", "Hello Ann")
    assert (first["text"], first["files"]) == ("Hello Ann\n", [])
    assert (last["line"], "error" in last) == (7, True)


def test_letters_are_whole_and_private_and_never_written_over_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    assert previewed(capsys, "--out", "letters")[0] == 0
    letters = sorted(Path("letters").iterdir())
    assert [path.name for path in letters] == [
        "000002-ann@example.org.eml",
        "000003-bob@example.org.eml",
        "000006-cid@example.org.eml",
    ]
    assert stat.S_IMODE(letters[0].stat().st_mode) == 0o600
    assert message_from_bytes(letters[0].read_bytes())["Subject"] == "Hello Ann"
    letters[1].write_text("mine")
    letters[0].unlink()
    code, _, err = previewed(capsys, "--out", "letters")
    assert (code, err) == (
        64,
        "campaign: letters/000003-bob@example.org.eml is there already: name another place, or say --overwrite\n",
    )
    assert (letters[0].exists(), letters[1].read_text()) == (False, "mine")
    assert previewed(capsys, "--out", "letters", "--overwrite")[0] == 0
    assert message_from_bytes(letters[1].read_bytes())["Subject"] == "Hello Bob"
    assert sorted(Path("letters").iterdir()) == letters


def test_an_address_cannot_lead_a_letter_out_of_its_folder(capsys: pytest.CaptureFixture[str]) -> None:
    Path("list.csv").write_text("email,name,note\nx/y/ann@example.org,Ann,\n")
    assert previewed(capsys, "--out", "letters")[0] == 0
    assert [path.name for path in Path("letters").iterdir()] == ["000002-x_y_ann@example.org.eml"]


def test_without_a_screen_it_is_told_where_the_page_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    code, out, _ = previewed(capsys, "--open")
    (page,) = folder.glob("campaign-preview-*.html")
    assert code == 0
    assert f"open this file in one: {page}" in out
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert subjects(out) == []


def test_the_browser_is_given_the_page(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    opened: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    assert previewed(capsys, "--open", "--out", "a page.html")[0] == 0
    assert opened == [(folder / "a page.html").as_uri()]
    assert os.listdir(folder).count("a page.html") == 1
