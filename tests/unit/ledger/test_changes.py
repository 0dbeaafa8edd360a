from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.ledger import changes
from campaign_cli.ledger.changes import Change, in_turns
from campaign_cli.ledger.database import statements
from campaign_cli.model.address import Address
from campaign_cli.model.lifecycle import State
from campaign_cli.model.recipient import Recipient
from campaign_cli.model.reply import Reply

ANN = Recipient(7, 2, Address("ann", "gmail.com"), "gmail", "{}", 0, None, None)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            changes.mark(ANN, message_id="<1@x>", route="relay:25", dated_at=4.0, now=5.0),
            ("mark", ("<1@x>", "relay:25", 4.0, 5.0, 5.0, 7)),
        ),
        (
            changes.record(ANN, State.DEFERRED, reply=Reply(451, "4.7.1", "later"), reason=None, due_at=9.0),
            ("record", ("deferred", 451, "4.7.1", "later", None, 9.0, 7)),
        ),
        (
            changes.record(ANN, State.UNCERTAIN, reply=None, reason="lost"),
            ("record", ("uncertain", None, None, None, "lost", 0.0, 7)),
        ),
        (changes.unmark(ANN), ("unmark", (7,))),
        (changes.fail(ANN, "no name"), ("fail", ("no name", 7))),
    ],
)
def test_a_change_is_a_statement_and_as_many_values_as_it_takes_the_id_last(change: Change, expected: Change) -> None:
    assert change == expected
    sql = "\n".join(line for line in statements("ledger")[change[0]].splitlines() if not line.startswith("--"))
    assert sql.count("?") == len(change[1])


@given(st.lists(st.tuples(st.sampled_from(["mark", "record", "unmark"]), st.integers(1, 4)), max_size=40))
def test_all_changes_are_made_each_recipients_in_their_order(wanted: list[tuple[str, int]]) -> None:
    given_in = [(statement, (place, number)) for place, (statement, number) in enumerate(wanted)]
    made = [(statement, values) for statement, rows in in_turns(given_in) for values in rows]

    def of_each(some: list[Change]) -> dict[int, list[Change]]:
        ordered = sorted(some, key=lambda change: change[1][-1])
        return {number: list(group) for number, group in groupby(ordered, key=lambda change: change[1][-1])}

    assert of_each(made) == of_each(given_in)


def test_changes_of_many_recipients_take_as_few_statements_as_one_recipients_do() -> None:
    wanted = [(statement, (number,)) for number in range(50) for statement in ("mark", "record")]
    assert [(statement, len(rows)) for statement, rows in in_turns(wanted)] == [("mark", 50), ("record", 50)]
