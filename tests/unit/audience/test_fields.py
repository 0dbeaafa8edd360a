import json

from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.audience.columns import template_names
from campaign_cli.audience.fields import FORMS_KEPT, form_of

CELL = st.text(st.sampled_from('"\\%{}:, \n\x00é') | st.characters(codec="utf-8"), max_size=6)
COLUMN = st.sampled_from(["email", "Email", "Mail", "a", "A", "a b", "A B", "100%", "été", "1", "%s", '"'])


@given(st.lists(COLUMN, unique=True, max_size=6), st.lists(COLUMN, unique=True, max_size=6), st.data())
def test_the_fields_are_the_trimmed_cells_by_every_name_and_email_is_the_address(
    head: list[str], others: list[str], draw: st.DataObject
) -> None:
    columns = ["Mail", *(column for column in others if column != "Mail")]
    cells = ["?", *draw.draw(st.lists(CELL, min_size=len(columns) - 1, max_size=len(columns) - 1))]
    known = template_names(head)
    taken = {name for names in known.values() for name in names} | {"email"}
    expected: dict[str, str] = {}
    for column, cell in zip(columns, cells, strict=True):
        late = [name for name in template_names([column])[column] if name not in taken]
        expected |= dict.fromkeys(known.get(column, late), "ann@x.org" if column == "Mail" else cell.strip())
    (text,) = form_of(tuple(columns), "Mail", tuple(head)).fields([[cell] for cell in cells], ["ann@x.org"])
    assert json.loads(text) == expected | {"email": "ann@x.org"}
    assert text == json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))


def test_a_row_without_the_address_column_has_no_place_for_it() -> None:
    assert form_of(("a", "b"), "email", ("email",)).address_place is None


def test_objects_that_have_other_keys_each_are_not_all_kept() -> None:
    for number in range(2 * FORMS_KEPT):
        form_of(("email", f"key{number}"), "email", ("email",))
    assert form_of.cache_info().currsize == FORMS_KEPT
