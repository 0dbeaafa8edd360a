"""A state folder that somebody or something has been at: it is said, nothing is guessed, and nothing is sent."""

import os
import shutil
from pathlib import Path

import pytest

from campaign_cli.ledger.folder import StateFolder

SENT, ROWS = 20, 60

UNUSABLE = 74

NOBODY = 65534
"""The number of the user who owns nothing (Debian's base-passwd)."""

PAGE = 4096
"""Octets of one of SQLite's pages."""


def write(path: Path, place: int, octets: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(octets)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def spoil(path: Path) -> None:
    write(path, PAGE, os.urandom(3 * PAGE))


def spoil_the_head(path: Path) -> None:
    write(path, 0, os.urandom(100))


def empty(path: Path) -> None:
    os.truncate(path, 0)


def replace_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_by_a_copy(path: Path) -> None:
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").rename(path)


def replace_by_a_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/nowhere/ledger.db")


@pytest.fixture
def half_sent(campaign, start_server):
    server = start_server()
    (campaign.folder / "campaign.yaml").write_text(
        f"template: hello.txt\nrelay: '{server.relay}'\nproviders: {{default: {{rate: none}}}}\n"
    )
    campaign.write_list([["email", "name", "number"], *[[f"p{n}@people.example", "P", "1"] for n in range(ROWS)]])
    assert campaign("send", "list.csv", "--limit", str(SENT)).code == 75
    return server, StateFolder(campaign.state).ledger("list-hello")


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (cut, "is damaged"),
        (spoil, "is damaged"),
        (spoil_the_head, "is damaged"),
        (empty, "its ledger was deleted or moved away"),
        (Path.unlink, "its ledger was deleted or moved away"),
        (replace_by_a_copy, "it was copied, or restored from a backup"),
        (replace_by_a_folder, "cannot be used"),
        (replace_by_a_pipe, "cannot be read or written"),
        (replace_by_a_dangling_link, "cannot be used"),
    ],
)
def test_a_ledger_that_is_not_as_it_was_left_is_not_sent_from(campaign, half_sent, done, said) -> None:
    server, ledger = half_sent
    done(ledger)
    ended = campaign("send", "list.csv")
    assert (ended.code, len(ended.err.splitlines())) == (UNUSABLE, 1), ended
    assert f"{ledger}" in ended.err
    assert said in ended.err
    assert server.taken().total() == SENT


@pytest.mark.parametrize("done", [cut, spoil, spoil_the_head, replace_by_a_folder, replace_by_a_pipe])
def test_without_what_campaigns_share_nothing_is_sent(campaign, half_sent, done) -> None:
    server, _ = half_sent
    shared = campaign.state / "shared.db"
    done(shared)
    ended = campaign("send", "list.csv")
    assert (ended.code, len(ended.err.splitlines())) == (UNUSABLE, 1), ended
    assert f"{shared}" in ended.err
    assert server.taken().total() == SENT


def test_a_link_to_the_very_ledger_is_as_good_as_the_ledger(campaign, half_sent) -> None:
    server, ledger = half_sent
    elsewhere = campaign.folder / "elsewhere.db"
    ledger.rename(elsewhere)
    ledger.symlink_to(elsewhere)
    assert campaign("send", "list.csv").code == 0
    assert set(server.taken().values()) == {1}
    assert server.taken().total() == ROWS


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
@pytest.mark.parametrize("name", ["ledger", "shared"])
def test_what_belongs_to_another_user_is_not_written_to(campaign, half_sent, name) -> None:
    """Root may write to it; but then whose it is could not send from it any more."""
    server, ledger = half_sent
    place = ledger if name == "ledger" else campaign.state / "shared.db"
    before = {path: path.stat().st_mtime_ns for path in campaign.state.rglob("*.db*")}
    os.chown(place, NOBODY, -1)
    ended = campaign("send", "list.csv")
    assert (ended.code, len(ended.err.splitlines())) == (UNUSABLE, 1), ended
    assert f"{place} belongs to nobody, not to you" in ended.err
    assert server.taken().total() == SENT
    if name == "shared":
        assert {path: path.stat().st_mtime_ns for path in campaign.state.rglob("*.db*")} == before
    os.chown(place, 0, -1)
    assert campaign("send", "list.csv").code == 0
    assert set(server.taken().values()) == {1}
