import csv
import io
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.audience.tables import LONGEST_CELL, OBJECTS_LOOKED_AT, Record, Table, open_table
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


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"], ids=["comma", "semicolon", "tab", "bar"])
def test_the_delimiter_is_the_one_that_leaves_an_address_column_in_the_header(tmp_path: Path, delimiter: str) -> None:
    town = {",": "T;O;W;N", ";": "T,O,W,N"}.get(delimiter, "T,O;W,N")
    found = table(tmp_path, f'{town}{delimiter}E-Mail{delimiter}"a, b; c|d\te"\nBern{delimiter}"1{delimiter}2"\n')
    assert (found.columns, [*found.records()]) == (
        (town, "E-Mail", "a, b; c|d\te"),
        [Record(2, {town: "Bern", "E-Mail": f"1{delimiter}2", "a, b; c|d\te": ""})],
    )


def test_without_an_address_column_the_delimiter_is_the_one_that_makes_the_most_columns(tmp_path: Path) -> None:
    assert table(tmp_path, "Work;Home, if any;Town\n").columns == ("Work", "Home, if any", "Town")


@pytest.mark.parametrize("name", ["list.tsv", "list.TAB"])
def test_a_tsv_is_delimited_by_tabs_whatever_its_header_looks_like(tmp_path: Path, name: str) -> None:
    found = table(tmp_path, 'email,a,b\t"c\td"\nann@x.org,1\t"2\n3"\n', name)
    assert [*found.records()] == [Record(2, {"email,a,b": "ann@x.org,1", "c\td": "2\n3"})]


def test_a_row_has_the_line_on_which_it_begins_and_blank_rows_are_none(tmp_path: Path) -> None:
    found = table(tmp_path, '\n , \n"email","first\nname"\na,"1\r\n\n2"\r\n\n,,\nb,3\rc,""\n  \n')
    assert (found.header_line, [*found.records()]) == (
        3,
        [
            Record(5, {"email": "a", "first\nname": "1\r\n\n2"}),
            Record(10, {"email": "b", "first\nname": "3"}),
            Record(11, {"email": "c", "first\nname": ""}),
        ],
    )


def test_a_row_with_fewer_cells_is_padded_and_one_with_more_says_so(tmp_path: Path) -> None:
    found = table(tmp_path, "email,,town\na\nb,x,Bern,,\nc,,Bonn,d\nd,,Graz\n")
    assert [*found.records()] == [
        Record(2, {"email": "a", "town": ""}),
        Record(3, {"email": "b", "town": "Bern"}),
        Record(4, {"email": "c", "town": "Bonn"}, "it has 4 cells and the header has 3"),
        Record(5, {"email": "d", "town": "Graz"}),
    ]


def test_a_cell_that_goes_on_after_its_quote_spoils_its_row_only(tmp_path: Path) -> None:
    found = table(tmp_path, 'email,name\na,"Ann" Lee\nb,Bob "B" Bell\n')
    assert [*found.records()] == [
        Record(
            2,
            {"email": "", "name": ""},
            "a cell goes on after its closing quote: double the quotes inside of a cell",
        ),
        Record(3, {"email": "b", "name": 'Bob "B" Bell'}),
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ('email,"name\nann@x.org,Ann\n', 1),
        ('email,name\n\n"ann@x.org","a\n\nb"\nbob@x.org,"Bob\ncy@x.org,Cy\n', 6),
        ('email,name\nann@x.org,"', 2),
        ('email,name\nann@x.org,"\n' + "x" * LONGEST_CELL + '"\n', 2),
    ],
    ids=["header", "after a quoted line break", "at the end", "longer than a cell can be"],
)
@pytest.mark.parametrize("name", ["list.csv", "list.tsv"])
def test_a_quote_that_never_closes_names_its_line(tmp_path: Path, content: str, line: int, name: str) -> None:
    with pytest.raises(ListError) as told:
        [*table(tmp_path, content.replace(",", "\t") if name.endswith("tsv") else content, name).records()]
    assert str(told.value) == f"{name}:{line}: a quote opens in this row and never closes: close it"


@given(
    rows=st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=6),
    delimiter=st.sampled_from(",;\t|"),
    form=st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), ("\r\n", csv.QUOTE_ALL), ("\n", csv.QUOTE_ALL)]),
)
def test_what_another_writer_wrote_comes_back_cell_by_cell_with_the_lines_of_an_editor(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], delimiter: str, form: tuple[str, int]
) -> None:
    file, expected = io.StringIO(newline=""), []
    writer = csv.writer(file, delimiter=delimiter, lineterminator=form[0], quoting=form[1])
    columns = ("a\nb", "email", "c")
    for row in (columns, *rows):
        line = len(re.findall(r"\r\n|\r|\n", file.getvalue())) + 1
        writer.writerow(row)
        if any(cell.strip() for cell in row):
            expected.append(Record(line, dict(zip(columns, row, strict=True))))
    found = table(tmp_path_factory.getbasetemp(), file.getvalue())
    assert (found.columns, [*found.records()]) == (columns, expected[1:])


def test_json_lines_have_the_keys_each_object_has_and_values_as_text(tmp_path: Path) -> None:
    content = (
        '{"email": "a", "none": null, "whole": 7.0, "part": 0.5, "large": 12345678901234567890, "yes": true}\r\n'
        '\n{" name ": "\\ud83d\\ude00", "": 1, "in": {"side": [1, "é"]}}\n{}\n'
    )
    found = table(tmp_path, content, "list.jsonl")
    assert (found.columns, found.header_line, [*found.records()]) == (
        ("email", "none", "whole", "part", "large", "yes", "name", "in"),
        1,
        [
            Record(
                1,
                {"email": "a", "none": "", "whole": "7", "part": "0.5", "large": "12345678901234567890", "yes": "true"},
            ),
            Record(3, {"name": "😀", "in": '{"side": [1, "é"]}'}),
            Record(4, {}),
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
    assert (found.header_line, [*found.records()]) == (
        2,
        [Record(1, {}, problem), Record(2, {"email": "bob@x.org"})],
    )


def test_a_key_that_comes_after_those_looked_at_is_no_column_and_still_a_cell(tmp_path: Path) -> None:
    found = table(tmp_path, '{"email": "a"}\n' * OBJECTS_LOOKED_AT + '{"late": "b"}\n', "list.json")
    assert (found.columns, [*found.records()][-1]) == (("email",), Record(OBJECTS_LOOKED_AT + 1, {"late": "b"}))


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
    assert (found.columns, found.header_line, [*found.records()]) == (
        ("email", "seats", "day", "paid"),
        1,
        [
            Record(2, {"email": "ann@x.org", "seats": "7", "day": "2023-03-15", "paid": "true"}),
            Record(5, {"email": "bob@x.org", "seats": "0.5", "day": "", "paid": ""}),
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
        assert [*table(tmp_path, content, name).records()] == [
            Record(2, {"email": "a", "name": "b"}),
            Record(3, {"email": "a", "name": "b"}, "it has 3 cells and the header has 2"),
        ]


@pytest.mark.parametrize("content", ['{"email": "a"}\n', '\ufeff{"email": "a"}\n', '\n \n{"email": "a"}\n'])
def test_json_lines_are_known_by_their_first_bytes_where_the_name_does_not_say(tmp_path: Path, content: str) -> None:
    assert [record.cells for record in table(tmp_path, content, "list").records()] == [{"email": "a"}]


def test_what_is_no_spreadsheet_is_told_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ListError, match=r"^a\.xlsx: cannot be read as a spreadsheet: "):
        table(tmp_path, "email\n", "a.xlsx")
