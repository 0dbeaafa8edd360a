import io
import json
import os
import pickle
import sys
import tempfile
import threading
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from campaign_cli.audience.lists import LONGEST_SHOWN, ContactList, open_list, read_addresses
from campaign_cli.model.address import Address
from campaign_cli.model.contact import BadRow, Contact
from campaign_cli.model.errors import ListError

ANN, BOB = Address("ann", "x.org"), Address("Bob", "x.org")
NO_AT = "an email address must have an @-sign"
NAME_THEM = "the first line must name the columns, such as: email,name"
EMPTY = "is empty: its first line must name the columns, such as: email,name"
NO_HEADER = "this line cannot be a header:"
NO_COLUMN = "no column is named email: name the address column with --email-column"
TWO_COLUMNS = "more than one column may hold the address: say which with --email-column"
GOES_ON = "a cell goes on after its closing quote: double the quotes inside of a cell"
ANN_AS_JSON = '{"email": "ann@example.org"}'
CSV = b"email,name\nann@x.org,Ann\nnobody,N\nBob@X.org,Bob\n"
JSON = b'{"email": "ann@x.org", "name": "Ann"}\n{"email": "nobody"}\n{"email": "Bob@X.org", "name": "Bob"}\n'


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(content: str | bytes, name: str = "list.csv") -> str:
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return name


def contacts(content: str | bytes, name: str = "list.csv", email_column: str | None = None) -> ContactList:
    return open_list(written(content, name), email_column=email_column)


def contact(line: int, address: Address, fields: dict[str, str]) -> Contact:
    return Contact(line, address, json.dumps(fields, ensure_ascii=False, separators=(",", ":")))


def complaint(act: Callable[[], Iterable[object]]) -> str:
    """What is said of a list that is no good, when it is opened or when its rows are read."""
    try:
        return f"nothing, but gave {[*act()]}"
    except ListError as error:
        return str(error)


def test_a_row_is_a_contact_with_the_names_of_a_template_or_says_why_it_is_none() -> None:
    found = contacts("First Name,E-Mail,Town\n Zoë ,\tBob@X.org ,Bern\nN, no one ,\nA,\nA,ann@x.org,Bonn,1\n")
    assert (found.source, found.columns, [*found]) == (
        "list.csv",
        {"first_name", "e_mail", "Town", "town", "email"},
        [
            contact(
                2,
                BOB,
                {"first_name": "Zoë", "e_mail": "Bob@x.org", "Town": "Bern", "town": "Bern", "email": "Bob@x.org"},
            ),
            BadRow(3, "no one", NO_AT),
            BadRow(4, "", "there is no address"),
            BadRow(5, "ann@x.org", "it has 4 cells and the header has 3"),
        ],
    )


def test_a_json_key_that_is_missing_is_no_field_and_null_is_an_empty_one() -> None:
    found = contacts(
        '{"email": "ann@x.org", "Age": 7}\n{"email": "Bob@x.org", "Age": null}\n{"Age": 1}\n[]\n', "a.json"
    )
    assert (found.columns, [*found]) == (
        {"email", "Age", "age"},
        [
            contact(1, ANN, {"email": "ann@x.org", "Age": "7", "age": "7"}),
            contact(2, BOB, {"email": "Bob@x.org", "Age": "", "age": ""}),
            BadRow(3, "", "there is no address"),
            BadRow(4, "", f"it is not a JSON object, such as {ANN_AS_JSON}"),
        ],
    )


def test_a_json_key_that_comes_late_takes_no_name_from_those_that_are_known() -> None:
    *_, last = contacts('{"email": "ann@x.org", "town": "Bern"}\n' * 1000 + '{"email": "Bob@x.org", "Town": "Bonn"}\n')
    assert last == contact(1001, BOB, {"email": "Bob@x.org", "Town": "Bonn"})


def test_email_is_always_the_address_that_is_sent_to() -> None:
    (found,) = contacts("email,Work\nbob@home.org,ann@x.org\n", email_column="work")
    assert found == contact(2, ANN, {"email": "ann@x.org", "Work": "ann@x.org", "work": "ann@x.org"})


def test_of_what_stands_for_an_address_only_the_beginning_is_kept() -> None:
    assert [*contacts("email\n" + "x" * 999 + "\n")] == [BadRow(2, "x" * LONGEST_SHOWN, NO_AT)]


@pytest.mark.parametrize(
    ("encoding", "mark", "guessed"),
    [
        ("utf-8", b"", ""),
        ("utf-8", b"\xef\xbb\xbf", ""),
        ("utf-16-le", b"\xff\xfe", ""),
        ("utf-16-be", b"\xfe\xff", ""),
        ("cp1252", b"", "cp1252"),
    ],
)
@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("list.csv", "email;Größe\r\nann@x.org;Zoë Müller\r\n", 2),
        ("list.tsv", "email\tGröße\nann@x.org\tZoë Müller", 2),
        ("list.jsonl", '{"email": "ann@x.org", "Größe": "Zoë Müller"}\n', 1),
    ],
)
def test_an_encoding_changes_nothing_and_is_told_when_it_is_a_guess(
    encoding: str, mark: bytes, guessed: str, name: str, content: str, line: int
) -> None:
    found = contacts(mark + content.encode(encoding), name)
    fields = {"email": "ann@x.org", "Größe": "Zoë Müller", "größe": "Zoë Müller"}
    assert (found.encoding, [*found]) == (guessed, [contact(line, ANN, fields)])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", f": {EMPTY}"),
        ("a.xlsx", "", f": {EMPTY}"),
        ("a.jsonl", " \r\n\t\n", f": {EMPTY}"),
        ("a.csv", "\ufeff", f":1: {NO_HEADER} it is empty"),
        ("a.tsv", "\nAnn\tann@x.org\n", f":2: {NO_HEADER} 'ann@x.org' is an address; {NAME_THEM}"),
        ("a.csv", '"email"x,name\n', f":1: {NO_HEADER} {GOES_ON}"),
        ("a.csv", "email,name,name\n", ":1: two columns are named 'name': give one another name"),
        ("a.csv", "\nname;town\n", f":2: {NO_COLUMN}; its columns are: name, town"),
        ("a.csv", "mail,E-Mail\n", f":1: {TWO_COLUMNS}; its columns are: mail, E-Mail"),
        ("a.json", '\n{"name": 1}\n', f":2: {NO_COLUMN}; its columns are: name"),
        ("a.json", f"[{ANN_AS_JSON}]", f":1: this is not JSON lines: write one object a line, such as {ANN_AS_JSON}"),
    ],
)
def test_a_list_without_a_good_header_is_told_with_its_place(name: str, content: str, message: str) -> None:
    assert complaint(lambda: contacts(content, name)) == name + message


def test_a_column_that_is_asked_for_and_not_there_is_told_with_those_that_are() -> None:
    found = complaint(lambda: contacts("email,name\n", email_column="Work"))
    assert found == "list.csv:1: there is no column 'Work'; its columns are: email, name"


def test_a_list_that_cannot_be_read_is_told_with_its_name() -> None:
    damaged = written("email\n".encode("utf-16") + b"x", "damaged.csv")
    assert [complaint(lambda path=path: open_list(path)) for path in ("no.csv", ".", damaged)] == [
        "no.csv: there is no such list",
        ".: cannot be read: Is a directory",
        "damaged.csv: is damaged: it begins as UTF-16 and does not go on so; save it again, as UTF-8",
    ]


@pytest.mark.parametrize(
    "opened",
    [lambda: contacts(CSV), lambda: contacts(JSON, "list.jsonl"), lambda: open_list("-", stdin=io.BytesIO(CSV))],
    ids=["CSV", "JSON lines", "standard input"],
)
def test_a_list_may_be_read_as_often_as_one_likes_also_at_the_same_time(opened: Callable[[], ContactList]) -> None:
    found = opened()
    first, second = [*found], [*zip(found, pickle.loads(pickle.dumps(found)), strict=True)]
    assert [type(row) for row in first] == [Contact, BadRow, Contact]
    assert second == [*zip(first, first, strict=True)]


@pytest.mark.parametrize("content", [CSV, JSON, CSV.decode().encode("utf-16")], ids=["CSV", "JSON lines", "UTF-16"])
def test_standard_input_is_a_list_like_another(content: bytes) -> None:
    found = open_list("-", stdin=io.BytesIO(content))
    assert (found.source, found.columns, [*found]) == (
        "standard input",
        {"email", "name"},
        [*contacts(content, "list")],
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "standard input: there is none to read a list from"),
        (b"", f"standard input: {EMPTY}"),
        (b"name\n", f"standard input:1: {NO_COLUMN}; its columns are: name"),
        (CSV + b'"', "standard input:5: a quote opens in this row and never closes: close it"),
    ],
)
def test_standard_input_that_is_no_list_is_told(content: bytes | None, message: str) -> None:
    stdin = None if content is None else io.BytesIO(content)
    assert complaint(lambda: open_list("-", stdin=stdin)) == message


@pytest.mark.parametrize("name", ["list.csv", "list.jsonl"])
def test_memory_does_not_grow_with_the_list(name: str) -> None:
    row, rows = {"list.csv": "p%d@x.org,P\n", "list.jsonl": '{"email": "p%d@x.org"}\n'}[name], 400_000
    source = written("email,name\n" * (name == "list.csv") + "".join(row % number for number in range(rows)), name)
    # What is read at once is seen in the peak before the first row, what is kept of each row in the count after the
    # last: to trace every row would take as long as all other tests here.
    tracemalloc.start()
    found = open_list(source)
    following = iter(found)
    assert isinstance(next(following), Contact)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    before = sys.getallocatedblocks()
    read = 1 + sum(1 for _ in following)
    kept = sys.getallocatedblocks() - before
    assert read == rows
    assert peak < Path(source).stat().st_size / 4
    assert kept < rows / 100


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain", "# who left\n\n ann@x.org \r\n# and\nnobody\nBob@X.ORG"),
        ("plain.csv", "\ufeff\n\n\nann@x.org\nnobody\nBob@x.org\n"),
        ("list.csv", "why;email\n\n\nleft;ann@x.org\n;nobody\n;Bob@x.org\n"),
        ("list", '\n\n\n{"email": "ann@x.org"}\n{"email": "nobody"}\n{"email": "Bob@x.org"}\n'),
        ("sharp.csv", "#,email\n\n\n1,ann@x.org\n2,nobody\n3,Bob@x.org\n"),
        ("commented.csv", "# who left\n#\nemail;why\nann@x.org;\nnobody;\nBob@x.org;\n"),
        ("utf-16", "# who left\r\n\r\n\r\nann@x.org\r\nnobody\r\nBob@x.org\r\n".encode("utf-16")),
        ("commented utf-16", "# é\nemail,name\n\nann@x.org,\nnobody,\nBob@x.org,\n".encode("utf-16")),
        ("one column", "email\n\n\nann@x.org\nnobody\nBob@x.org\n"),
    ],
)
def test_addresses_are_read_from_a_plain_file_or_from_a_list(name: str, content: str | bytes) -> None:
    assert [*read_addresses(written(content, name))] == [ANN, BadRow(5, "nobody", NO_AT), BOB]


def test_a_file_without_addresses_is_told() -> None:
    files = ("no", written("", "empty"), written("# a\n\n# b\n", "comments"), written("ann@x.org,Ann\n", "headless"))
    assert [complaint(lambda file=file: read_addresses(file)) for file in files] == [
        "no: cannot be read: No such file or directory",
        "empty: there is no address in it: write one on each line",
        "comments: there is no address in it: write one on each line",
        f"headless:1: {NO_HEADER} 'ann@x.org' is an address; {NAME_THEM}",
    ]


def test_addresses_are_read_from_standard_input() -> None:
    assert [*read_addresses("-", stdin=io.BytesIO(b"ann@x.org\n"))] == [ANN]
    assert [*read_addresses("-", stdin=io.BytesIO(b"# left\nemail,name\nBob@x.org,B\n"))] == [BOB]


@pytest.fixture
def pipe() -> Iterator[Callable[[bytes, str], str]]:
    """Makes a named pipe that gives this content once."""
    writers: list[threading.Thread] = []

    def made(content: bytes, name: str) -> str:
        os.mkfifo(name)
        writers.append(threading.Thread(target=Path(name).write_bytes, args=(content,)))
        writers[-1].start()
        return name

    yield made
    for writer in writers:
        writer.join(10)


def test_a_pipe_is_read_once_and_is_a_list_like_another(pipe: Callable[[bytes, str], str]) -> None:
    found = open_list(pipe(JSON, "list.jsonl"))
    assert [*found] == [*found] == [*contacts(JSON, "same.jsonl")]
    assert [*read_addresses(pipe(b"ann@x.org\n", "plain"))] == [ANN]


def test_the_copy_of_standard_input_goes_with_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = open_list("-", stdin=io.BytesIO(CSV))
    rows = iter(found)
    assert len([*tmp_path.glob("campaign-list-*")]) == 1
    del found
    assert len([*rows]) == 3
    del rows
    complaint(lambda: open_list("-", stdin=io.BytesIO(b"name\n")))
    complaint(lambda: read_addresses("-", stdin=io.BytesIO(b"# a\nname\n")))
    assert [*tmp_path.glob("campaign-list-*")] == []
