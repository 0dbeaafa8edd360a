import os
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from campaign_cli.content import files
from campaign_cli.content.dkim import canonical_body
from campaign_cli.content.files import FileError, contents, located, media_type, section, size

NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=80)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("s")
    inner = tmp_path / "club"
    (inner / "invoices").mkdir(parents=True)
    (inner / "terms.pdf").write_bytes(b"%PDF")
    (inner / "invoices/1.pdf").write_bytes(b"one")
    (inner / "out.pdf").symlink_to(tmp_path / "secret.txt")
    (inner / "outside").symlink_to(tmp_path)
    (inner / "in.pdf").symlink_to("invoices/1.pdf")
    (inner / "loop.pdf").symlink_to("loop.pdf")
    return inner


@pytest.mark.parametrize("name", ["terms.pdf", "./terms.pdf", "invoices/../terms.pdf", "invoices/1.pdf", "in.pdf"])
def test_a_file_in_the_folder_or_below_it_is_found(folder: Path, name: str) -> None:
    assert located(name, folder) == (folder / name).resolve()
    assert located(str((folder / name).resolve()), folder) == (folder / name).resolve()


@pytest.mark.parametrize(
    "name",
    [
        "../secret.txt",
        "invoices/../../secret.txt",
        "/etc/passwd",
        "out.pdf",
        "outside/secret.txt",
        "..",
        "/",
        "outside",
    ],
)
def test_nothing_outside_of_the_folder_is_found_by_whatever_way(folder: Path, name: str) -> None:
    with pytest.raises(FileError, match=r"is not in .* or below it"):
        located(name, folder)


def test_a_folder_with_the_same_beginning_is_another(folder: Path) -> None:
    (folder.parent / "club2").mkdir()
    (folder.parent / "club2/a.pdf").write_text("x")
    with pytest.raises(FileError, match="is not in"):
        located("../club2/a.pdf", folder)


@pytest.mark.parametrize("name", ["a\0.pdf", "a\n.pdf", "a\r\nBcc: x", "a\x1b[2J", "\ud800.pdf", "\x85"])
def test_a_control_character_is_in_no_name(folder: Path, name: str) -> None:
    with pytest.raises(FileError, match="has a character in it that no file's name should have"):
        located(name, folder)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("no.pdf", "there is no file 'no.pdf' in"),
        ("terms.pdf/x", "there is no file 'terms.pdf/x' in"),
        ("loop.pdf", "'loop.pdf' cannot be read: Too many levels of symbolic links"),
        ("x" * 5000, "cannot be read: File name too long"),
    ],
)
def test_what_is_not_there_is_told(folder: Path, name: str, told: str) -> None:
    with pytest.raises(FileError, match=told):
        located(name, folder)


def test_what_is_no_file_is_not_read(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    for name in (".", "invoices", "pipe"):
        with pytest.raises(FileError, match="is not a file"):
            contents(located(name, folder))


def test_a_file_larger_than_any_message_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LARGEST", 3)
    assert (size(folder / "in.pdf"), contents(folder / "in.pdf")) == (3, b"one")
    with pytest.raises(FileError, match="its files have 4 bytes, and no provider takes more than 3"):
        contents(folder / "terms.pdf")


@given(NAME, st.binary(max_size=300))
@example("a  b.pdf", b"")
@example(" a.txt ", b"\xff")
@example('x"; filename="evil.exe', b"a")
@example("=?utf-8?q?a?=.pdf", b"a")
@example("Rechnung März €.pdf", b"a")
def test_any_name_and_any_content_arrive_as_they_are(name: str, octets: bytes) -> None:
    made = section(f"invoices/{name}", octets)
    found = message_from_bytes(made, policy=policy.default)
    assert list(found) == ["Content-Type", "Content-Transfer-Encoding", "Content-Disposition"]
    assert found["Content-Disposition"].params["filename"] == name
    assert found.get_payload(decode=True) == octets
    assert found.get_content_disposition() == "attachment"
    # As DKIM hashes it, and as a relay takes it.
    assert canonical_body(made + b"\r\nx\r\n") == made + b"\r\nx\r\n"
    assert max(map(len, made.split(b"\r\n"))) <= 998
    assert made.isascii()


@pytest.mark.parametrize(
    ("name", "octets", "kind"),
    [
        ("a.pdf", b"", "application/pdf"),
        ("a.PDF", b"", "application/pdf"),
        ("a.docx", b"", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("a.csv", "é".encode(), "text/csv; charset=utf-8"),
        ("a.csv", b"\xe9", "text/csv"),
        ("a.tar.gz", b"", "application/gzip"),
        ("a.txt.bz2", b"", "application/octet-stream"),
        ("a.eml", b"", "application/octet-stream"),
        ("a.mht", b"", "application/octet-stream"),
        ("README", b"", "application/octet-stream"),
        ("a.p\u00f6f", b"", "application/octet-stream"),
        (".pdf", b"", "application/octet-stream"),
    ],
)
def test_a_file_is_what_its_name_says(name: str, octets: bytes, kind: str) -> None:
    assert media_type(name, octets) == kind


def test_a_name_that_is_not_plain_is_said_in_both_ways() -> None:
    assert section("Rechnung März.pdf", b"a").split(b"\r\n\r\n")[0] == (
        b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment;\r\n"
        b" filename*=utf-8''Rechnung%20M%C3%A4rz.pdf;\r\n filename=\"Rechnung_M_rz.pdf\""
    )
