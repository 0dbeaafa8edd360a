import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.audience.columns import address_column, check_header, snake_case, template_names
from campaign_cli.model.errors import ListError


@pytest.mark.parametrize(
    "name", ["email", "EMAIL", "E-Mail", "e_mail", "Mail", "Email Address", "e-mail-address", "EmailAddress", " email "]
)
def test_the_address_column_is_found_by_any_usual_name(name: str) -> None:
    assert address_column("a.csv:1", ("name", name, "mailing"), None) == name


@pytest.mark.parametrize(
    ("columns", "wanted", "found"),
    [
        (("name", "Work"), "work", "Work"),
        (("name", "WORK "), " work", "WORK "),
        (("email", "mail"), "MAIL", "mail"),
        (("Email", "email"), "email", "email"),
        (("EMAIL", "Email"), "email", "EMAIL"),
    ],
)
def test_a_column_may_be_asked_for_in_any_case_and_one_spelled_so_goes_first(
    columns: tuple[str, ...], wanted: str, found: str
) -> None:
    assert address_column("a.csv:1", columns, wanted) == found


@pytest.mark.parametrize(
    ("columns", "wanted", "message"),
    [
        (
            ("name", "town"),
            None,
            "a.csv:1: no column is named email: name the address column with --email-column; "
            "its columns are: name, town",
        ),
        (
            ("mail", "Email"),
            None,
            "a.csv:1: more than one column may hold the address: say which with --email-column; "
            "its columns are: mail, Email",
        ),
        (("email", "town"), "Work", "a.csv:1: there is no column 'Work'; its columns are: email, town"),
    ],
)
def test_a_header_without_one_address_column_is_told_with_its_columns(
    columns: tuple[str, ...], wanted: str | None, message: str
) -> None:
    with pytest.raises(ListError) as told:
        address_column("a.csv:1", columns, wanted)
    assert str(told.value) == message


def test_columns_that_are_no_text_are_told_on_one_line_and_not_all_of_them() -> None:
    columns = ["a\x1b[2J\nb", "x" * 999, *map(str, range(100))]
    with pytest.raises(ListError) as told:
        address_column("a.bin:1", columns, None)
    said = str(told.value)
    assert (len(said) < 1000, said.isprintable(), said.endswith(", 37 and 62 more")) == (True, True, True)
    assert f"its columns are: 'a\\x1b[2J\\nb', {'x' * 80}, 0, 1," in said


def test_a_header_is_trimmed_and_may_have_columns_without_a_name() -> None:
    assert check_header("a.csv:1", [" email ", "", "First Name\n", ""]) == ("email", "", "First Name", "")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["", " "], "a.csv:1: this line cannot be a header: it is empty"),
        (
            ["Ann", " ann@example.org"],
            "a.csv:1: this line cannot be a header: 'ann@example.org' is an address; the first line must name the "
            "columns, such as: email,name",
        ),
        (["email", "name", "name "], "a.csv:1: two columns are named 'name': give one another name"),
    ],
)
def test_a_line_that_cannot_be_a_header_is_told_with_its_place(cells: list[str], message: str) -> None:
    with pytest.raises(ListError) as told:
        check_header("a.csv:1", cells)
    assert str(told.value) == message


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("First Name", "first_name"),
        (" e-mail ", "e_mail"),
        ("2nd line", "_2nd_line"),
        ("Größe (cm)", "größe_cm"),
        ("a  -  b", "a_b"),
        ("!?", ""),
    ],
)
def test_a_column_in_snake_case(column: str, name: str) -> None:
    assert snake_case(column) == name


def test_a_template_knows_a_column_by_its_own_name_and_in_snake_case() -> None:
    assert template_names(["First Name", "Company", "town", "!?", ""]) == {
        "First Name": ("first_name",),
        "Company": ("Company", "company"),
        "town": ("town",),
        "!?": (),
    }


def test_a_columns_own_name_goes_before_anothers_in_snake_case_and_else_the_first_before_the_second() -> None:
    assert template_names(["First Name", "first_name", "Town", "TOWN", "a-b", "a b"]) == {
        "First Name": (),
        "first_name": ("first_name",),
        "Town": ("Town", "town"),
        "TOWN": ("TOWN",),
        "a-b": ("a_b",),
        "a b": (),
    }


@given(st.lists(st.text("aAbB _-1é", min_size=1, max_size=4), unique=True, max_size=8))
def test_no_name_stands_for_two_columns_and_every_name_can_be_written(columns: list[str]) -> None:
    names = [name for each in template_names(columns).values() for name in each]
    assert (len(names), [name for name in names if not name.isidentifier()]) == (len(set(names)), [])
    assert {column for column in columns if column.isidentifier()} <= set(names)
