import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign_cli.config.providers import shipped_providers
from campaign_cli.ledger import changes
from campaign_cli.ledger.changes import Change
from campaign_cli.ledger.entries import Batch
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.shared import SharedState
from campaign_cli.ledger.view import LedgerView, Listing, Place, Standing
from campaign_cli.model.address import Address
from campaign_cli.model.contact import BadRow, Contact, Row
from campaign_cli.model.errors import StateError
from campaign_cli.model.lifecycle import State, may_follow
from campaign_cli.model.recipient import Recipient
from campaign_cli.model.reply import Reply
from campaign_cli.model.result import Result
from campaign_cli.model.variants import Split
from campaign_cli.policy.providers import Providers
from tests.listed import batches

PROVIDERS = Providers.of(shipped_providers().values())
NUMBERS = itertools.count()
OK = Reply(250, "2.0.0", "taken")
START = Place()


def contact(line: int, email: str, **fields: str) -> Contact:
    local, _, domain = email.partition("@")
    return Contact(line, Address(local, domain), json.dumps({"email": email, **fields}, separators=(",", ":")))


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
    ledger.enrol(batches(rows, PROVIDERS), source="list.csv", template="hello.txt")


def claim(ledger: Ledger, count: int = 9, now: float = 1.0, after: Place = START) -> list[Recipient]:
    return ledger.claim("gmail", count, now, after)[0]


def emails(recipients: list[Recipient]) -> list[str]:
    return [each.address.email for each in recipients]


def mark(recipient: Recipient, *, message_id: str = "<1@x>", dated_at: float = 4.0) -> Change:
    return changes.mark(recipient, message_id=message_id, route="relay:25", dated_at=dated_at, now=5.0)


def deliver(ledger: Ledger, recipient: Recipient) -> None:
    ledger.commit([mark(recipient), changes.record(recipient, State.DELIVERED, reply=OK, reason=None)])


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
    deliver(ledger, claim(ledger, 1)[0])
    enrol(ledger, contact(2, "new@gmail.com"), contact(3, "Bob@gmail.com"), contact(4, "Ann@Gmail.com".lower()))
    assert emails(claim(ledger)) == ["new@gmail.com", "bob@gmail.com"]
    assert statuses(ledger)[2] == (4, "ann@gmail.com", "delivered")


def test_who_is_not_in_the_list_any_more_is_not_claimed_and_is_counted(ledger: Ledger) -> None:
    enrol(ledger, contact(2, "ann@gmail.com"), contact(3, "bob@gmail.com"))
    enrol(ledger, contact(2, "bob@gmail.com"))
    assert emails(claim(ledger)) == ["bob@gmail.com"]
    assert ledger.withdrawn() == 1
    assert [result.line for result in ledger.results(withdrawn=True)] == [2, None]


def test_a_list_that_breaks_half_way_changes_nothing(ledger: Ledger) -> None:
    enrol(ledger, contact(2, "ann@gmail.com"))

    def broken() -> Iterator[Batch]:
        yield from batches([contact(2, "bob@gmail.com")], PROVIDERS)
        raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        ledger.enrol(broken(), source="other.csv", template="hello.txt")
    assert statuses(ledger) == [(2, "ann@gmail.com", "pending")]
    assert emails(claim(ledger)) == ["ann@gmail.com"]


def test_a_suppressed_address_is_not_claimed_even_if_suppressed_while_the_run_goes_on(
    ledger: Ledger, shared: SharedState
) -> None:
    shared.suppress([Address("ann", "gmail.com")], reason="asked to", now=0.0)
    enrol(ledger, contact(2, "Ann@gmail.com"), contact(3, "bob@gmail.com"), contact(4, "cy@gmail.com"))
    shared.suppress([Address("bob", "gmail.com")], reason="complained", now=0.0)
    claimed, place = ledger.claim("gmail", 9, 1.0, START)
    assert (emails(claimed), place) == (["cy@gmail.com"], Place(0.0, 4))
    assert [(result.status, result.reason) for result in ledger.results()][:2] == [
        ("suppressed", "asked to"),
        ("suppressed", "complained"),
    ]
    shared.lift([Address("ann", "gmail.com")])
    enrol(ledger, contact(2, "ann@gmail.com"))
    assert statuses(ledger) == [(2, "Ann@gmail.com", "pending")]


def test_recovery_admits_what_was_in_flight_and_leaves_what_was_only_claimed(ledger: Ledger) -> None:
    enrol(ledger, contact(2, "ann@gmail.com"), contact(3, "bob@gmail.com"))
    ann, _ = claim(ledger)
    ledger.commit([mark(ann)])
    assert (ledger.recover(), ledger.recover()) == (1, 0)
    assert statuses(ledger) == [(2, "ann@gmail.com", "uncertain"), (3, "bob@gmail.com", "pending")]
    assert emails(claim(ledger)) == ["bob@gmail.com"]
    assert ledger.resend_uncertain() == 1
    assert emails(claim(ledger)) == ["ann@gmail.com", "bob@gmail.com"]


def test_claims_go_on_from_a_place_in_the_order_of_the_list_and_come_to_each_recipient_once(ledger: Ledger) -> None:
    enrol(ledger, *(contact(line, f"a{line}@gmail.com") for line in (9, 3, 7, 5)), contact(4, "bob@yahoo.com"))
    place, seen = START, []
    for _ in range(3):
        claimed, place = ledger.claim("gmail", 2, 1.0, place)
        seen.append([each.line for each in claimed])
    assert (seen, place) == ([[3, 5], [7, 9], []], Place(0.0, 9))
    # Nothing was written: what is in hand is known by the place alone.
    assert (ledger.states(), len(claim(ledger))) == ({"pending": 5}, 4)


def test_a_deferred_recipient_is_claimed_when_it_is_due_and_keeps_its_message_id_and_date(ledger: Ledger) -> None:
    enrol(ledger, contact(2, "ann@gmail.com"), contact(3, "bob@gmail.com"))
    claimed, place = ledger.claim("gmail", 1, 1.0, START)
    (ann,) = claimed
    first = ledger.message_id(ann, "example.org")
    later = changes.record(ann, State.DEFERRED, reply=Reply(451, "4.7.1", "later"), reason=None, due_at=65.0)
    ledger.commit([mark(ann, message_id=first), later])
    (bob,), place = ledger.claim("gmail", 9, 64.0, place)
    assert (bob.line, ledger.next_due("gmail", place), ledger.claim("gmail", 9, 64.0, place)[0]) == (3, 65.0, [])
    (again,), place = ledger.claim("gmail", 9, 65.0, place)
    seen = (again.attempts, again.first_attempt_at, again.dated_at, ledger.message_id(again, "example.org"))
    assert seen == (1, 5.0, 4.0, first)
    assert (ledger.next_due("gmail", place), ledger.next_due("gmail", START)) == (None, 0.0)


def test_a_session_lost_before_anything_was_handed_over_costs_no_attempt(ledger: Ledger) -> None:
    enrol(ledger, contact(2, "ann@gmail.com"))
    (ann,) = claim(ledger)
    ledger.commit([mark(ann), changes.unmark(ann)])
    assert [(result.status, result.attempts) for result in ledger.results()] == [("pending", 0)]
    later = changes.record(ann, State.DEFERRED, reply=OK, reason=None, due_at=9.0)
    ledger.commit([mark(ann), later, mark(ann), changes.unmark(ann)])
    assert [(result.status, result.attempts) for result in ledger.results()] == [("deferred", 1)]
    assert (claim(ledger, now=8.0), len(claim(ledger, now=9.0))) == ([], 1)


def test_a_result_says_all_that_is_known(ledger: Ledger) -> None:
    enrol(ledger, contact(2, "ann@gmail.com"))
    (ann,) = claim(ledger)
    refused = Reply(550, "5.1.1", "who?")
    ledger.commit([mark(ann), changes.record(ann, State.BOUNCED, reply=refused, reason="because")])
    assert list(ledger.results()) == [
        Result(
            *(2, "ann@gmail.com", "gmail", "bounced", 1, 550, "5.1.1", "who?", "relay:25", None, "<1@x>"),
            *(None, None, 5.0, 5.0, "because"),
        )
    ]


def test_each_result_has_the_variant_that_its_revisions_split_says(ledger: Ledger) -> None:
    enrol(ledger, *(contact(line, f"Ann{line}@gmail.com") for line in range(2, 32)), BadRow(40, "nobody", "no @"))
    splits = [Split("x", (("a", 1.0), ("b", 1.0))), None, Split("x", (("c", 1.0), ("d", 1.0)))]
    rows = claim(ledger, 30)
    for number, split in enumerate(splits, 1):
        ledger.revisions.use(f"digest {number}", template="t", sender="s", now=0.0, split=split)
        ledger.commit([mark(each) for each in rows[number * 9 - 9 : number * 9]])
    told = {each.line: each.variant for each in ledger.results()}
    expected = [splits[place // 9] if place < 27 else None for place in range(30)]
    assert told == {40: None} | {
        each.line: split and split.variant_of(f"ann{each.line}@gmail.com")
        for each, split in zip(rows, expected, strict=True)
    }
    assert set(told.values()) == {None, "a", "b", "c", "d"}
    assert [each.split for each in ledger.revisions.all()] == splits
    assert ledger.revisions.current() == ledger.revisions.all()[-1]


def test_a_route_and_what_protected_it_are_two_of_what_a_result_says(ledger: Ledger) -> None:
    enrol(ledger, contact(2, "ann@gmail.com"))
    (ann,) = claim(ledger)
    route = changes.carrier("relay:25", "TLSv1.3, verified")
    ledger.commit([changes.mark(ann, message_id="<1@x>", route=route, dated_at=1.0, now=5.0)])
    assert [(each.route, each.tls) for each in ledger.results()] == [("relay:25", "TLSv1.3, verified")]


def test_a_change_that_starts_from_another_state_undoes_all_that_were_to_be_committed_with_it(ledger: Ledger) -> None:
    enrol(ledger, *(contact(line, f"a{line}@gmail.com") for line in range(2, 6)))
    claimed = claim(ledger)
    deliver(ledger, claimed[3])
    before = list(ledger.results())
    wrong = [mark(claimed[3]), changes.unmark(claimed[0]), changes.fail(claimed[3], "why"), changes.unmark(claimed[3])]
    for change in wrong:
        with pytest.raises(StateError, match="not in the state it was left in"):
            ledger.commit([mark(claimed[1]), change, changes.fail(claimed[2], "why")])
        assert list(ledger.results()) == before


def test_the_users_word_is_taken_for_uncertain_recipients_and_for_no_others(ledger: Ledger) -> None:
    enrol(ledger, *(contact(line, f"a{line}@gmail.com") for line in range(2, 6)))
    first, second, third, _ = claim(ledger)
    ledger.commit([mark(each) for each in (first, second)])
    ledger.recover()
    deliver(ledger, third)
    uncertain = ledger.all_uncertain()
    assert [each.email for each in uncertain] == ["a2@gmail.com", "a3@gmail.com"]
    other = ledger.standing(Address("A4", "gmail.com"))
    assert other == Standing("a4@gmail.com", "a4@gmail.com", State.DELIVERED)
    before = list(ledger.results())
    with pytest.raises(StateError, match="not in the state"):
        ledger.resolve([uncertain[0], other], State.PENDING, reason="x")
    assert list(ledger.results()) == before
    ledger.resolve(uncertain[:1], State.DELIVERED, reason="seen")
    ledger.resolve(uncertain[1:], State.PENDING, reason="not seen")
    assert [(each.status, each.attempts, each.reason) for each in ledger.results()] == [
        ("delivered", 1, "seen"),
        ("pending", 1, "not seen"),
        ("delivered", 1, None),
        ("pending", 0, None),
    ]
    (again, _) = claim(ledger)
    assert (again.line, again.dated_at) == (3, 4.0)
    assert (ledger.uncertain(), ledger.all_uncertain(), ledger.standing(Address("no", "x.org"))) == (0, [], None)


def test_who_was_handed_a_message_keeps_the_fields_it_was_made_of_and_all_others_get_the_lists(ledger: Ledger) -> None:
    people = ("uncertain", "again", "delivered", "deferred", "failed", "pending")
    enrol(ledger, *(contact(line, f"{name}@gmail.com", city="old") for line, name in enumerate(people, 2)))
    uncertain, again, delivered, deferred, failed, _ = claim(ledger)
    ledger.commit([mark(again), changes.record(again, State.UNCERTAIN, reply=None, reason="lost")])
    ledger.resend_uncertain()
    ledger.commit([mark(uncertain), changes.fail(failed, "why")])
    ledger.recover()
    deliver(ledger, delivered)
    ledger.commit([mark(deferred), changes.record(deferred, State.DEFERRED, reply=OK, reason=None, due_at=0.0)])
    enrol(ledger, *(contact(line, f"{name}@gmail.com", city="new") for line, name in enumerate(people, 3)))
    ledger.resend_uncertain()
    fields = {each.address.local: json.loads(each.fields)["city"] for each in claim(ledger)}
    assert fields == {"uncertain": "old", "again": "old", "deferred": "new", "failed": "new", "pending": "new"}
    assert [result.line for result in ledger.results()] == [3, 4, 5, 6, 7, 8]


def test_each_enrolment_is_recorded_with_its_lists_hash(ledger: Ledger) -> None:
    assert ledger.last_listing() is None
    for number in (1, 2):
        ledger.enrol([], source="list.csv", template="hello.txt", digest=f"d{number}", now=number * 10.0)
    assert ledger.last_listing() == Listing(2, "list.csv", "d2", 20.0)


def test_another_reader_sees_the_campaign_while_it_is_written(ledger: Ledger) -> None:
    enrol(ledger, contact(2, "ann@gmail.com"))
    reader = LedgerView.read(ledger.path)
    assert reader.states() == {"pending": 1}
    reader.close()


STEPS: dict[str, Callable[[Recipient], Change]] = {
    "fail": lambda each: changes.fail(each, "why"),
    "mark": mark,
    "unmark": changes.unmark,
    "delivered": lambda each: changes.record(each, State.DELIVERED, reply=OK, reason=None),
    "bounced": lambda each: changes.record(each, State.BOUNCED, reply=OK, reason=None),
    "deferred": lambda each: changes.record(each, State.DEFERRED, reply=OK, reason=None),
    "expired": lambda each: changes.record(each, State.EXPIRED, reply=OK, reason="too long"),
    "uncertain": lambda each: changes.record(each, State.UNCERTAIN, reply=None, reason="lost"),
}
OTHERS: dict[str, Callable[[Ledger], object]] = {
    "recover": Ledger.recover,
    "resend": Ledger.resend_uncertain,
    "arrived": lambda ledger: ledger.resolve(ledger.all_uncertain(), State.DELIVERED, reason="seen"),
    "lost": lambda ledger: ledger.resolve(ledger.all_uncertain(), State.PENDING, reason="not seen"),
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(steps=st.lists(st.sampled_from([*STEPS, *OTHERS, "mark", "mark"]), max_size=12))
def test_sql_lets_a_recipient_go_only_where_the_table_of_the_lifecycle_does(ledger: Ledger, steps: list[str]) -> None:
    enrol(ledger, contact(2, f"{next(NUMBERS)}@gmail.com"))
    (recipient,) = claim(ledger)
    now = State.PENDING
    for step in steps:
        if step in OTHERS:
            OTHERS[step](ledger)
        else:
            try:
                ledger.commit([STEPS[step](recipient)])
            except StateError:
                assert _state(ledger) is now
                continue
        after = _state(ledger)
        assert after is now or may_follow(now, after)
        assert after is not now or step in OTHERS
        assert bool(claim(ledger)) == may_follow(after, State.SUBMITTING)
        now = after


def _state(ledger: Ledger) -> State:
    (state,) = ledger.states()
    return State(state)


def test_a_file_that_is_no_ledger_is_said_to_be_damaged(tmp_path: Path, shared: SharedState) -> None:
    path = tmp_path / "broken.db"
    path.write_bytes(b"this is not a database, and it is longer than a header of one hundred bytes is" * 9)
    with pytest.raises(StateError, match="damaged"):
        Ledger.open(path, name="test", shared=shared, now=0.0)


def test_counts_by_state_are_those_of_the_results(ledger: Ledger) -> None:
    enrol(ledger, *(contact(line, f"a{line % 7}@gmail.com") for line in range(2, 40)), BadRow(40, "x", "y"))
    deliver(ledger, claim(ledger)[0])
    assert ledger.states() == Counter(result.status for result in ledger.results())
