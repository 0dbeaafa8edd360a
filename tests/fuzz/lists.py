"""Lists: the first byte says by which suffix the rest is read."""

from __future__ import annotations

import io
import json
import tempfile
import unicodedata
import zipfile

from campaign_cli.audience.lists import open_list
from campaign_cli.cli.streams import shown
from campaign_cli.model.contact import Contact
from campaign_cli.model.errors import ListError

SUFFIXES = (".csv", ".tsv", ".jsonl", "", ".txt", ".xlsx")
"""Spreadsheets go by their first bytes, below any of these."""

SHEET = 0xFF
"""The first byte of what is the rows of a spreadsheet, with an archive still to be put around them."""


def _sheet(cells: bytes) -> bytes:
    """The least that a spreadsheet may be."""
    kind = "http://schemas.openxmlformats.org"
    parts = {
        "xl/workbook.xml": f'<workbook xmlns="{kind}/spreadsheetml/2006/main" xmlns:r="{kind}/officeDocument/2006/'
        'relationships"><sheets><sheet name="a" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{kind}/package/2006/relationships"><Relationship Id="r1" '
        f'Type="{kind}/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
    }
    sheet = f'<worksheet xmlns="{kind}/spreadsheetml/2006/main"><sheetData>'.encode() + cells
    sheet += b"</sheetData></worksheet>"
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in parts.items():
            archive.writestr(zipfile.ZipInfo(name), text)
        archive.writestr(zipfile.ZipInfo("xl/worksheets/sheet1.xml"), sheet)
    return made.getvalue()


ROWS = "".join(
    f'<row r="{row}"><c r="A{row}" t="inlineStr"><is><t>{text}</t></is></c></row>'
    for row, text in enumerate(("email", "ann@x.example"), 1)
).encode()

TEXT = 'email;first name;"a ""b"""\r\nann@x.example;Zoë;"two\r\nlines"\r\n\r\nnobody;x\r\nbob@x.example;;;;\r\n'

SAMPLES = (
    b'\0email,name\nann@x.example,Ann\n"bob@x.example",Bob\n',
    b"\0" + TEXT.encode(),
    b"\x03" + TEXT.encode("cp1252"),
    b"\x04" + TEXT.encode("utf-16"),
    b"\x04\xef\xbb\xbf" + TEXT.encode(),
    b"\x01E-Mail\tName\nann@x.example\tAnn\n",
    '\x02{"email": "ann@x.example", "n": 1.5}\n{"email": "bob@x.example", "name": ["é", null]}\n'.encode(),
    b"\x03" + _sheet(ROWS),
    b"\x05" + _sheet(ROWS),
    bytes([SHEET]) + ROWS,
    bytes([SHEET]) + ROWS.replace(b"</row>", b'<c r="C1" t="n"><v>1.5</v></c><c t="d"><v>2026-11-26</v></c></row>'),
)

TOKENS = (
    *(b'"', b'""', b",", b";", b"\t", b"|", b"\n", b"\r", b"\r\n", b"\0", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"),
    *(b"{", b"}", b"[", b"\\ud800", b"\\u0000", b'"email":', b"1e999", b"NaN", b"9" * 5000, b"email", b"@", b"xn--"),
    *(b'<c r="XFD1048576">', b'<row r="0">', b"</row>", b"</c>", b"<v>1e308</v>", b'"', b"&#27;", b"&lt;", b"]]>"),
    *(b"\x1b[2J", b"\x85", b"\xc2\x9b", b"\xe2\x80\xa8", b"PK\x03\x04", b"ann@x.example", "é@bücher.example".encode()),
)


def check(octets: bytes) -> None:
    """It gives rows, each with its line, or is refused in words that say where; the same every time."""
    suffix = SUFFIXES[octets[0] % len(SUFFIXES)] if octets else ""
    content = _sheet(octets[1:]) if octets[:1] == bytes([SHEET]) else octets[1:]
    with tempfile.NamedTemporaryFile(suffix=suffix) as file:
        file.write(content)
        file.flush()
        try:
            found = open_list(file.name)
            rows = [*found]
        except ListError as error:
            assert str(error).startswith(f"{file.name}:")
            assert len(str(error)) < 10_000
            assert not _orders(shown(str(error)))
            return
        assert rows == [*found]
    lines = [row.line for row in rows]
    assert lines == sorted(set(lines))
    assert not lines or lines[0] >= 1
    for row in rows:
        if isinstance(row, Contact):
            fields = json.loads(row.fields)
            assert fields["email"] == row.address.email
            assert all(isinstance(value, str) for value in fields.values())
            row.fields.encode()
            assert row.address.email.count("@") >= 1
            assert not _orders(row.address.email)
            assert not any(each.isspace() for each in row.address.email)
        else:
            assert row.reason
            f"{row.email}{row.reason}".encode()
            assert not _orders(shown(f"{row.email} {row.reason}"))


def _orders(text: str) -> list[str]:
    """What a terminal might obey in it, or take for a line's end."""
    return [each for each in text if unicodedata.category(each) in ("Cc", "Zl", "Zp")]
