import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign_cli.config.providers import shipped_providers
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.address import Address
from campaign_cli.model.contact import BadRow, Contact, Row
from campaign_cli.model.errors import StateError
from campaign_cli.model.lifecycle import State, may_follow
from campaign_cli.model.recipient import Recipient
from campaign_cli.model.reply import Reply
from campaign_cli.policy.providers import Providers

PROVIDERS = Providers.of(shipped_providers().values())
NUMBERS = itertools.count()
OK = Reply(250, "2.0.0", "taken")


def contact(line: int, email: str, **fields: str) -> Contact:
    local, _, domain = email.partition("@")
    return Contact(line, Address(local, domain), {"email": email, **fields})


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[SharedState]:
    state = SharedState.open(tmp_path / "shared.db")
    yield state
    state.close()


@pytest.fixture
def ledger(tmp_path: Path, shared: SharedState) -> Iterator[Ledger]:
    opened = Ledger.open(tmp_path / "ledger.db", name="test", shared=shared, now=0.0)
    yield opened
    opened.close()


def enrol(ledger: Ledger, *rows: Row) -> None:
    ledger.enrol(rows, PROVIDERS, source="list.csv", template="hello.txt")


def deliver(ledger: Ledger, recipient: Recipient) -> None:
    with ledger.transaction():
        ledger.mark(recipient, message_id="<1@x>", route="relay:25", now=5.0)
        ledger.record(recipient, State.DELIVERED, reply=OK, reason=None)


def statuses(ledger: Ledger) -> list[tuple[int | None, str, str]]:
    return [(result.line, result.email, result.status) for result in ledger.results()]


def test_every_row_of_the_list_has_its_result_in_list_order(ledger: Ledger) -> None:
    enrol(
        ledger,
        contact(2, "ann@gmail.com"),
        BadRow(3, "nobody", "no @"),
        contact(4, "ANN@gmail.com"),
        contact(5, "bob@yahoo.com"),
    )
    assert statuses(ledger) == [
        (2, "ann@gmail.com", "pending"),
        (3, "nobody", "invalid"),
        (4, "ANN@gmail.com", "duplicate"),
        (5, "bob@yahoo.com", "pending"),
    ]
    assert sum(ledger.states().values()) == 4


def test_a_recipient_delivered_once_is_never_claimed_again_however_the_list_changes(ledger: Ledger) -> None:
    enrol(ledger, contact(2, "ann@gmail.com"), contact(3, "bob@gmail.com"))
    deliver(ledger, ledger.claim("gmail", 1, 1.0)[0])
    enrol(ledger, contact(2, "new@gmail.com"), contact(3, "Bob@gmail.com"), contact(4, "Ann@Gmail.com".lower()))
    assert [each.address.email for each in ledger.claim("gmail", 9, 1.0)] == ["bob@gmail.com", "new@gmail.com"]
    assert statuses(ledger)[2] == (4, "ann@gmail.com", "delivered")


def test_who_is_not_in_the_list_any_more_is_not_claimed_and_is_counted(ledger: Ledger) -> None:
    enrol(ledger, contact(2, "ann@gmail.com"), contact(3, "bob@gmail.com"))
    enrol(ledger, contact(2, "bob@gmail.com"))
    assert [each.address.email for each in ledger.claim("gmail", 9, 1.0)] == ["bob@gmail.com"]
    assert ledger.withdrawn() == 1
    assert [result.line for result in ledger.results(withdrawn=True)] == [2, None]


def test_a_list_that_breaks_half_way_changes_nothing(ledger: Ledger) -> None:
    enrol(ledger, contact(2, "ann@gmail.com"))

    def broken() -> Iterator[Row]:
        yield contact(2, "bob@gmail.com")
        raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        ledger.enrol(broken(), PROVIDERS, source="other.csv", template="hello.txt")
    assert statuses(ledger) == [(2, "ann@gmail.com", "pending")]
    assert [each.address.email for each in ledger.claim("gmail", 9, 1.0)] == ["ann@gmail.com"]


def test_a_suppressed_address_is_not_claimed_even_if_suppressed_while_the_run_goes_on(
    ledger: Ledger, shared: SharedState
) -> None:
    shared.suppress([Address("ann", "gmail.com")], reason="asked to", now=0.0)
    enrol(ledger, contact(2, "Ann@gmail.com"), contact(3, "bob@gmail.com"), contact(4, "cy@gmail.com"))
    shared.suppress([Address("bob", "gmail.com")], reason="complained", now=0.0)
    assert [each.address.email for each in ledger.claim("gmail", 9, 1.0)] == ["cy@gmail.com"]
    assert [(result.status, result.reason) for result in ledger.results()][:2] == [
        ("suppressed", "asked to"),
        ("suppressed", "complained"),
    ]
    shared.lift([Address("ann", "gmail.com")])
    enrol(ledger, contact(2, "ann@gmail.com"))
    assert statuses(ledger) == [(2, "Ann@gmail.com", "pending")]


def test_recovery_gives_back_what_was_claimed_and_admits_what_was_in_flight(ledger: Ledger) -> None:
    enrol(ledger, contact(2, "ann@gmail.com"), contact(3, "bob@gmail.com"))
    ann, _ = ledger.claim("gmail", 2, 1.0)
    with ledger.transaction():
        ledger.mark(ann, message_id="<1@x>", route="relay:25", now=5.0)
    recovered = ledger.recover()
    assert (recovered.returned, recovered.uncertain) == (1, 1)
    assert statuses(ledger) == [(2, "ann@gmail.com", "uncertain"), (3, "bob@gmail.com", "pending")]
    assert [each.address.email for each in ledger.claim("gmail", 9, 1.0)] == ["bob@gmail.com"]
    assert ledger.resend_uncertain() == 1
    assert [each.address.email for each in ledger.claim("gmail", 9, 1.0)] == ["ann@gmail.com"]


def test_a_deferred_recipient_is_claimed_when_it_is_due_and_keeps_its_message_id(ledger: Ledger) -> None:
    enrol(ledger, contact(2, "ann@gmail.com"))
    (ann,) = ledger.claim("gmail", 1, 1.0)
    first = ledger.message_id(ann, "example.org")
    with ledger.transaction():
        ledger.mark(ann, message_id=first, route="relay:25", now=5.0)
        ledger.record(ann, State.DEFERRED, reply=Reply(451, "4.7.1", "later"), reason=None, due_at=65.0)
    assert ledger.claim("gmail", 1, 64.0) == []
    assert ledger.next_due("gmail") == 65.0
    (again,) = ledger.claim("gmail", 1, 65.0)
    assert (again.attempts, again.first_attempt_at, ledger.message_id(again, "example.org")) == (1, 5.0, first)


def test_a_session_lost_before_anything_was_handed_over_costs_no_attempt(ledger: Ledger) -> None:
    enrol(ledger, contact(2, "ann@gmail.com"))
    (ann,) = ledger.claim("gmail", 1, 1.0)
    with ledger.transaction():
        ledger.mark(ann, message_id="<1@x>", route="relay:25", now=5.0)
        ledger.unmark(ann)
    assert [(result.status, result.attempts) for result in ledger.results()] == [("pending", 0)]


def test_another_reader_sees_the_campaign_while_it_is_written(ledger: Ledger) -> None:
    enrol(ledger, contact(2, "ann@gmail.com"))
    reader = Ledger.read(ledger.path)
    assert reader.states() == {"pending": 1}
    reader.close()


STEPS: dict[str, Callable[[Ledger, Recipient], None]] = {
    "release": lambda ledger, each: ledger.release([each]),
    "fail": lambda ledger, each: ledger.fail(each, "why"),
    "mark": lambda ledger, each: ledger.mark(each, message_id="<1@x>", route="r", now=1.0),
    "unmark": lambda ledger, each: ledger.unmark(each),
    "delivered": lambda ledger, each: ledger.record(each, State.DELIVERED, reply=OK, reason=None),
    "bounced": lambda ledger, each: ledger.record(each, State.BOUNCED, reply=OK, reason=None),
    "deferred": lambda ledger, each: ledger.record(each, State.DEFERRED, reply=OK, reason=None),
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(steps=st.lists(st.sampled_from([*STEPS, "claim"]), max_size=12))
def test_sql_lets_a_recipient_go_only_where_the_table_of_the_lifecycle_does(ledger: Ledger, steps: list[str]) -> None:
    address = f"{next(NUMBERS)}@gmail.com"
    enrol(ledger, contact(2, address))
    (recipient,) = ledger.claim("gmail", 1, 1.0)
    now = State.CLAIMED
    for step in steps:
        if step == "claim":
            claimed = bool(ledger.claim("gmail", 1, 1.0))
            assert claimed == may_follow(now, State.CLAIMED)
        else:
            try:
                with ledger.transaction():
                    STEPS[step](ledger, recipient)
            except StateError:
                assert _state(ledger) is now
                continue
        after = _state(ledger)
        assert after is now or may_follow(now, after)
        now = after


def _state(ledger: Ledger) -> State:
    (result,) = ledger.results()
    return State(result.status)


def test_a_file_that_is_no_ledger_is_said_to_be_damaged(tmp_path: Path, shared: SharedState) -> None:
    path = tmp_path / "broken.db"
    path.write_bytes(b"this is not a database, and it is longer than a header of one hundred bytes is" * 9)
    with pytest.raises(StateError, match="damaged"):
        Ledger.open(path, name="test", shared=shared, now=0.0)


def test_counts_by_state_are_those_of_the_results(ledger: Ledger) -> None:
    enrol(ledger, *(contact(line, f"a{line % 7}@gmail.com") for line in range(2, 40)), BadRow(40, "x", "y"))
    deliver(ledger, ledger.claim("gmail", 1, 1.0)[0])
    assert ledger.states() == Counter(result.status for result in ledger.results())
