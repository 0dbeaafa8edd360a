"""Lists that are none, or that would take more than the machine has: told in one line, in bounded memory and time."""

import os
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from campaign_cli.audience.lists import open_list, read_addresses
from campaign_cli.audience.records import LONGEST_ROW
from campaign_cli.model.errors import ListError
from tests.unit.audience.test_tables import PARTS, text

NUL = (
    "this line cannot be a header: it has NUL bytes in it, so it is no text, or UTF-16 without its mark; save the list "
    "as CSV in UTF-8"
)
TOO_LONG = "this row has more than 10,000,000 characters: this is no list, or damaged"
NO_SHEET = "cannot be read as a spreadsheet: it is damaged, or takes more than 2 GB of memory; save the list as CSV"

MEGABYTE = 1 << 20

READ = """
import sys
from pathlib import Path
from campaign_cli.audience.lists import open_list, read_addresses
from campaign_cli.model.errors import ListError
try:
    sum(1 for row in (read_addresses if sys.argv[2] == "plain" else open_list)(sys.argv[1]))
except ListError as error:
    print(error)
# Not ru_maxrss, which begins with that of the process that started this one.
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.chdir(tmp_path)

    def write(name: str, *pieces: bytes) -> str:
        with open(name, "wb") as file:
            file.writelines(pieces)
        return name

    return write


def read(name: str, how: str = "list") -> tuple[str, int]:
    """What reading the list says, in a process of its own, and the megabytes it took."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", READ, name, how], capture_output=True, text=True, env=environment)
    *said, kilobytes = ran.stdout.splitlines()
    assert ran.stderr == ""
    return "\n".join(said), int(kilobytes) // 1024


@pytest.mark.parametrize(
    "content",
    [
        b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0\x01\0\0\0",
        "email,name\nann@x.example,Zoë\n".encode("utf-16-le"),
        "email,name\nann@x.example,Zoë\n".encode("utf-16-be"),
        "email,name\nann@x.example,Zoë\n".encode("utf-32"),
        b"email,na\0me\nann@x.example,Ann\n",
    ],
    ids=["a program", "UTF-16 without a mark", "big-endian", "UTF-32", "a NUL"],
)
def test_what_is_no_text_is_told_to_be_none(write: Callable[..., str], content: bytes) -> None:
    with pytest.raises(ListError) as told:
        open_list(write("a.csv", content))
    assert str(told.value) == f"a.csv:1: {NUL}"


@pytest.mark.parametrize(
    ("name", "head", "unit", "line", "how"),
    [
        ("a.csv", b"email,name\nann@x.example,", b"x", 2, "list"),
        ("a.csv", b"", b"x", 1, "list"),
        ("a.csv", b'email,name\nann@x.example,"', b"x\n", 2, "list"),
        ("a.csv", b"email,name\nann@x.example,", b'"x\n",', 2, "list"),
        ("a.csv", b"email,name\nann@x.example,", b"\0", 2, "list"),
        ("a.jsonl", b'{"email": "ann@x.example"}\n{"email": "', b"x", 2, "list"),
        ("a.txt", b"ann@x.example\n", b"x", 2, "plain"),
    ],
    ids=["a row", "the header", "a quote", "many quotes", "NUL", "JSON", "an address"],
)
def test_a_row_without_end_is_told_before_it_is_in_memory(
    write: Callable[..., str], name: str, head: bytes, unit: bytes, line: int, how: str
) -> None:
    block = unit * (MEGABYTE // len(unit))
    said, megabytes = read(write(name, head, *[block] * 100), how)
    quote = f"{name}:{line}: a quote opens in this row and never closes: close it"
    assert said in (f"{name}:{line}: {TOO_LONG}", quote)
    assert megabytes < 300


def test_a_row_may_be_nearly_as_long_as_is_allowed(write: Callable[..., str]) -> None:
    cell = b"x" * 999_000
    columns = [b"c%d" % number for number in range(LONGEST_ROW // 1_000_000 - 1)]
    name = write("a.csv", b"email,", b",".join(columns), b"\nann@x.example,", b",".join([cell] * len(columns)), b"\n")
    (row,) = open_list(name)
    assert row.line == 2


def test_ten_thousand_columns_are_as_good_as_ten(write: Callable[..., str]) -> None:
    header = ",".join(f"c{number}" for number in range(10_000))
    name = write("a.csv", f"email,{header}\n".encode(), b"ann@x.example" + b",x" * 10_000 + b"\n" + b"bob@x.example\n")
    assert [row.line for row in open_list(name)] == [2, 3]


def archive(name: str, sheet: Callable[[zipfile.ZipFile], None]) -> str:
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in PARTS.items():
            if part != "xl/1.xml":
                archive.writestr(part, content.format(""))
        sheet(archive)
    return name


def test_a_sheet_with_a_cell_in_its_farthest_corner_is_told_in_bounded_memory(write: Callable[..., str]) -> None:
    rows = f'<row r="1">{text("A1", "email")}</row><row r="1048576">{text("XFD1048576", "x")}</row>'
    content = PARTS["xl/1.xml"].format(rows)
    name = archive("a.xlsx", lambda archive: archive.writestr("xl/1.xml", content))
    said, megabytes = read(name)
    assert said == f"{name}: {NO_SHEET}"
    assert megabytes < 100


def test_a_zip_bomb_is_told_in_bounded_memory(write: Callable[..., str]) -> None:
    head, tail = (
        PARTS["xl/1.xml"]
        .format(f'<row r="1">{text("A1", "email")}</row><row r="2">{text("A2", "BOMB")}</row>')
        .split("BOMB")
    )

    def sheet(archive: zipfile.ZipFile) -> None:
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        start = deflate.compress(head.encode()) + deflate.flush(zlib.Z_FULL_FLUSH)
        block = deflate.compress(b"x" * MEGABYTE) + deflate.flush(zlib.Z_FULL_FLUSH)
        end = deflate.compress(tail.encode()) + deflate.flush()
        # Three gigabytes, in the archive's own words; nobody comes far enough to check the sum.
        octets = start + block * 3000 + end
        with archive.open("xl/1.xml", "w", force_zip64=True) as file:
            file.write(b"")
        info = archive.getinfo("xl/1.xml")
        info.compress_size, info.file_size = len(octets), len(head) + 3000 * MEGABYTE + len(tail)
        assert archive.fp
        archive.fp.seek(info.header_offset)
        archive.fp.write(info.FileHeader(zip64=True) + octets)
        archive.start_dir = archive.fp.tell()

    name = archive("a.xlsx", sheet)
    said, megabytes = read(name)
    assert said == f"{name}: {NO_SHEET}"
    assert megabytes < 100


def test_no_copy_of_a_sheet_is_left(write: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    rows = f'<row r="1">{text("A1", "email")}</row><row r="2">{text("A2", "ann@x.example")}</row>'
    content = PARTS["xl/1.xml"].format(rows)
    name = archive("a.xlsx", lambda archive: archive.writestr("xl/1.xml", content))
    found = open_list(name)
    assert ([row.line for row in found], [row.line for row in found]) == ([2], [2])
    assert len(list((tmp_path / "temporary").iterdir())) == 1
    del found
    with pytest.raises(ListError):
        open_list(write("b.xlsx", b"PK\x03\x04 and no more"))
    assert list((tmp_path / "temporary").iterdir()) == []


def test_addresses_without_end_are_read_as_they_come(write: Callable[..., str]) -> None:
    name = write("a.txt", b"ann@x.example\n" * 1000)
    assert sum(1 for _ in read_addresses(name)) == 1000
