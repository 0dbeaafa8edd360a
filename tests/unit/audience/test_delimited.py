import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign_cli.audience import delimited
from campaign_cli.audience.delimited import CHUNK, LONGEST_CELL
from campaign_cli.audience.records import LONGEST_ROW, Record
from campaign_cli.model.errors import ListError
from tests.unit.audience.test_tables import each, one_by_one, record, table

CELL = st.text(st.sampled_from(",;\t|\"\n\r 'é") | st.characters(codec="utf-8"), max_size=6)


def row_by_row(text: str) -> Iterator[Record]:
    """What Python's reader makes of a list with two columns when it is given one row after another."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    next(reader)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if reader.line_num > line or "unexpected end" in str(error):
                raise ListError(f"list.csv:{line}: a quote opens in this row and never closes: close it") from None
            yield Record(
                line,
                ("email", "name"),
                ["", ""],
                "a cell goes on after its closing quote: double the quotes inside of a cell",
            )
            continue
        if not "".join(cells).strip():
            continue
        wide = max(place for place, cell in enumerate(cells, 1) if cell.strip())
        problem = f"it has {wide} cells and the header has 2" if wide > 2 else ""
        yield Record(line, ("email", "name"), [*cells, ""][:2], problem)


def told(records: Iterator[Record]) -> list[Record | str]:
    """All of them, and the error that ended them."""
    found: list[Record | str] = []
    try:
        for each in records:
            found.append(each)
    except ListError as error:
        found.append(str(error))
    return found


@settings(max_examples=300)
@given(st.text(st.sampled_from(',"\n\r x\x0b\u2028'), max_size=40), st.integers(1, 50))
def test_rows_together_are_what_they_are_one_by_one_wherever_the_file_is_cut(
    tmp_path_factory: pytest.TempPathFactory, body: str, chunk: int
) -> None:
    text = f"email,name\n{body}"
    with patch.object(delimited, "CHUNK", chunk):
        found = told(one_by_one(table(tmp_path_factory.getbasetemp(), text)))
    assert found == told(row_by_row(text))


def test_rows_before_one_that_no_list_has_are_handed_on_first(tmp_path: Path) -> None:
    rows = "".join(f"p{number}@x.org,P\n" for number in range(CHUNK // 5))
    found = told(one_by_one(table(tmp_path, f"email,name\n{rows}a,{'x' * 2 * LONGEST_ROW}\nb,c\n")))
    line = CHUNK // 5 + 2
    assert len(found) == CHUNK // 5 + 1
    assert found[-1] == (
        f"list.csv:{line}: this row has more than {LONGEST_ROW:,} characters: this is no list, or damaged"
    )


@pytest.mark.parametrize("row", ["a,x\n", 'a,"x\ny"\n'], ids=["plain", "quoted"])
def test_many_rows_are_read_some_at_a_time(tmp_path: Path, row: str) -> None:
    stretches = [len(lines) for _, lines, _, _ in table(tmp_path, "email,name\n" + row * CHUNK).records()]
    assert sum(stretches) == CHUNK
    assert max(stretches) < CHUNK / 3


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"], ids=["comma", "semicolon", "tab", "bar"])
def test_the_delimiter_is_the_one_that_leaves_an_address_column_in_the_header(tmp_path: Path, delimiter: str) -> None:
    town = {",": "T;O;W;N", ";": "T,O,W,N"}.get(delimiter, "T,O;W,N")
    found = table(tmp_path, f'{town}{delimiter}E-Mail{delimiter}"a, b; c|d\te"\nBern{delimiter}"1{delimiter}2"\n')
    assert (found.columns, each(found)) == (
        (town, "E-Mail", "a, b; c|d\te"),
        [record(2, {town: "Bern", "E-Mail": f"1{delimiter}2", "a, b; c|d\te": ""})],
    )


def test_without_an_address_column_the_delimiter_is_the_one_that_makes_the_most_columns(tmp_path: Path) -> None:
    assert table(tmp_path, "Work;Home, if any;Town\n").columns == ("Work", "Home, if any", "Town")


@pytest.mark.parametrize("name", ["list.tsv", "list.TAB"])
def test_a_tsv_is_delimited_by_tabs_whatever_its_header_looks_like(tmp_path: Path, name: str) -> None:
    found = table(tmp_path, 'email,a,b\t"c\td"\nann@x.org,1\t"2\n3"\n', name)
    assert each(found) == [record(2, {"email,a,b": "ann@x.org,1", "c\td": "2\n3"})]


def test_a_row_has_the_line_on_which_it_begins_and_blank_rows_are_none(tmp_path: Path) -> None:
    found = table(tmp_path, '\n , \n"email","first\nname"\na,"1\r\n\n2"\r\n\n,,\nb,3\rc,""\n  \n')
    assert (found.header_line, each(found)) == (
        3,
        [
            record(5, {"email": "a", "first\nname": "1\r\n\n2"}),
            record(10, {"email": "b", "first\nname": "3"}),
            record(11, {"email": "c", "first\nname": ""}),
        ],
    )


def test_a_row_with_fewer_cells_is_padded_and_one_with_more_says_so(tmp_path: Path) -> None:
    found = table(tmp_path, "email,,town\na\nb,x,Bern,,\nc,,Bonn,d\nd,,Graz\n")
    assert each(found) == [
        record(2, {"email": "a", "town": ""}),
        record(3, {"email": "b", "town": "Bern"}),
        record(4, {"email": "c", "town": "Bonn"}, "it has 4 cells and the header has 3"),
        record(5, {"email": "d", "town": "Graz"}),
    ]


def test_a_cell_that_goes_on_after_its_quote_spoils_its_row_only(tmp_path: Path) -> None:
    found = table(tmp_path, 'email,name\na,"Ann" Lee\nb,Bob "B" Bell\n')
    assert each(found) == [
        record(
            2,
            {"email": "", "name": ""},
            "a cell goes on after its closing quote: double the quotes inside of a cell",
        ),
        record(3, {"email": "b", "name": 'Bob "B" Bell'}),
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
            expected.append(record(line, dict(zip(columns, row, strict=True))))
    found = table(tmp_path_factory.getbasetemp(), file.getvalue())
    assert (found.columns, each(found)) == (columns, expected[1:])
