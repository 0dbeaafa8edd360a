import io
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import strategies as st

from campaign_cli.audience.records import Record, Table
from campaign_cli.audience.tables import OBJECTS_LOOKED_AT, open_table
from campaign_cli.model.errors import ListError

NOT_JSON = "it is not JSON"
NO_OBJECT = 'it is not a JSON object, such as {"email": "ann@example.org"}'
CELL = st.text(st.sampled_from(",;\t|\"\n\r 'é") | st.characters(codec="utf-8"), max_size=6)

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
LINKS = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
LINK = '<Relationship Id="{1}" Type="' + OFFICE + '/{0}" Target="{1}"/>'
SHEET = '<sheet xmlns:r="' + OFFICE + '" name="{0}" sheetId="{0}" r:id="{0}.xml"/>'
PARTS = {
    "_rels/.rels": LINKS.format(LINK.format("officeDocument", "xl/workbook.xml")),
    "xl/_rels/workbook.xml.rels": LINKS.format(LINK.format("worksheet", "1.xml") + LINK.format("worksheet", "2.xml")),
    "xl/workbook.xml": f"<workbook><sheets>{SHEET.format(1)}{SHEET.format(2)}</sheets></workbook>",
    "xl/styles.xml": '<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>',
    "xl/1.xml": "<worksheet><sheetData>{}</sheetData></worksheet>",
    "xl/2.xml": '<worksheet><sheetData><row r="1"><c r="A1"><v>1</v></c></row></sheetData></worksheet>',
}
"""A workbook of two sheets, the rows of the first left open; style 1 is a date (ECMA-376)."""


def table(folder: Path, content: str | bytes, name: str = "list.csv") -> Table:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return open_table(path, name)


def record(line: int, cells: dict[str, str], problem: str = "") -> Record:
    return Record(line, tuple(cells), [*cells.values()], problem)


def one_by_one(table: Table) -> Iterator[Record]:
    """Its records by themselves."""
    for columns, lines, rows, problem in table.records():
        for line, cells in zip(lines, rows, strict=True):
            yield Record(line, columns, list(cells), problem)


def each(table: Table) -> list[Record]:
    """All of them."""
    return [*one_by_one(table)]


def spreadsheet(*rows: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in PARTS.items():
            archive.writestr(name, content.format("".join(rows)))
    return file.getvalue()


def text(place: str, value: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{value}</t></is></c>'


def number(place: str, value: str, style: int = 0) -> str:
    return f'<c r="{place}" s="{style}"><v>{value}</v></c>'


def test_json_lines_have_the_keys_each_object_has_and_values_as_text(tmp_path: Path) -> None:
    content = (
        '{"email": "a", "none": null, "whole": 7.0, "part": 0.5, "large": 12345678901234567890, "yes": true}\r\n'
        '\n{" name ": "\\ud83d\\ude00", "": 1, "in": {"side": [1, "é"]}}\n{}\n'
    )
    found = table(tmp_path, content, "list.jsonl")
    assert (found.columns, found.header_line, each(found)) == (
        ("email", "none", "whole", "part", "large", "yes", "name", "in"),
        1,
        [
            record(
                1,
                {"email": "a", "none": "", "whole": "7", "part": "0.5", "large": "12345678901234567890", "yes": "true"},
            ),
            record(3, {"name": "😀", "in": '{"side": [1, "é"]}'}),
            record(4, {}),
        ],
    )


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("ann@x.org", NOT_JSON),
        ('{"email": "ann@x.org"', NOT_JSON),
        ('{"email": "ann@x.org"} {}', NOT_JSON),
        (r'{"email": "ann@x.org", "name": "\ud800"}', NOT_JSON),
        (r'{"email": "ann@x.org", "\udfff": "Ann"}', NOT_JSON),
        ("[" * 100_000, NOT_JSON),
        ("9" * 10_000, NOT_JSON),
        ('["ann@x.org"]', NO_OBJECT),
        ('"ann@x.org"', NO_OBJECT),
        ("null", NO_OBJECT),
    ],
    ids=lambda value: value[:30],
)
def test_a_line_that_is_no_json_object_is_a_row_that_says_so(tmp_path: Path, row: str, problem: str) -> None:
    found = table(tmp_path, f'{row}\n{{"email": "bob@x.org"}}\n', "list.ndjson")
    assert (found.header_line, each(found)) == (
        2,
        [record(1, {}, problem), record(2, {"email": "bob@x.org"})],
    )


def test_a_key_that_comes_after_those_looked_at_is_no_column_and_still_a_cell(tmp_path: Path) -> None:
    found = table(tmp_path, '{"email": "a"}\n' * OBJECTS_LOOKED_AT + '{"late": "b"}\n', "list.json")
    assert (found.columns, each(found)[-1]) == (("email",), record(OBJECTS_LOOKED_AT + 1, {"late": "b"}))


@pytest.mark.parametrize("name", ["people.xlsx", "people"])
def test_the_first_sheet_of_a_spreadsheet_is_read_with_its_row_numbers(tmp_path: Path, name: str) -> None:
    found = table(
        tmp_path,
        spreadsheet(
            f'<row r="1">{text("A1", "email")}{text("B1", " seats ")}{text("D1", "day")}{text("E1", "paid")}</row>'
            f'<row r="2">{text("A2", "ann@x.org")}{number("B2", "7")}{number("D2", "45000", style=1)}'
            '<c r="E2" t="b"><v>1</v></c></row>'
            f'<row r="3">{text("A3", " ")}</row>'
            f'<row r="5">{text("A5", "bob@x.org")}{number("B5", "0.5")}{number("C5", "3")}</row>'
        ),
        name,
    )
    assert (found.columns, found.header_line, each(found)) == (
        ("email", "seats", "day", "paid"),
        1,
        [
            record(2, {"email": "ann@x.org", "seats": "7", "day": "2023-03-15", "paid": "true"}),
            record(5, {"email": "bob@x.org", "seats": "0.5", "day": "", "paid": ""}),
        ],
    )


def test_a_row_with_more_than_the_header_names_is_wrong_in_every_format(tmp_path: Path) -> None:
    rows = [["email", "name", ""], ["a", "b", ""], ["a", "b", "c"]]
    cells = "".join(
        f'<row r="{line}">'
        + "".join(text(f"{column}{line}", cell) for column, cell in zip("ABC", row, strict=True))
        + "</row>"
        for line, row in enumerate(rows, 1)
    )
    for name, content in (("a.xlsx", spreadsheet(cells)), ("a.csv", "\n".join(map(",".join, rows)))):
        assert each(table(tmp_path, content, name)) == [
            record(2, {"email": "a", "name": "b"}),
            record(3, {"email": "a", "name": "b"}, "it has 3 cells and the header has 2"),
        ]


@pytest.mark.parametrize("content", ['{"email": "a"}\n', '\ufeff{"email": "a"}\n', '\n \n{"email": "a"}\n'])
def test_json_lines_are_known_by_their_first_bytes_where_the_name_does_not_say(tmp_path: Path, content: str) -> None:
    (found,) = each(table(tmp_path, content, "list"))
    assert (found.columns, found.cells) == (("email",), ["a"])


def test_a_pickled_spreadsheet_is_the_same_rows_and_leaves_them_where_they_are(tmp_path: Path) -> None:
    found = table(
        tmp_path, spreadsheet(f'<row r="1">{text("A1", "email")}</row><row r="2">{text("A2", "a")}</row>'), "a.xlsx"
    )
    for _ in range(2):
        assert each(pickle.loads(pickle.dumps(found))) == each(found) == [record(2, {"email": "a"})]


def test_what_is_no_spreadsheet_is_told_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ListError, match=r"^a\.xlsx: cannot be read as a spreadsheet: "):
        table(tmp_path, "email\n", "a.xlsx")
