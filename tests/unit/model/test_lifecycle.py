import itertools

from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.model.lifecycle import FINAL, RECOVERY, TRANSITIONS, UNFINISHED, State, may_follow, sources

HANDED_OVER = {State.DELIVERED, State.BOUNCED, State.EXPIRED}


def test_every_state_has_its_line_in_the_table() -> None:
    assert set(TRANSITIONS) == set(State)
    assert set(State) == FINAL | UNFINISHED


def test_what_was_delivered_bounced_or_expired_stays_so() -> None:
    assert all(TRANSITIONS[state] == frozenset() for state in HANDED_OVER)


def test_recovery_makes_what_was_in_flight_uncertain_and_leaves_the_rest() -> None:
    assert RECOVERY == {State.SUBMITTING: State.UNCERTAIN}


def test_only_a_mark_leads_to_what_may_have_been_handed_over_and_only_what_has_no_result_is_marked() -> None:
    # But for the user's word, and for what DNS says of a domain: that hands nothing over.
    marked = {after: sources(after) for after in [*HANDED_OVER, State.UNCERTAIN, State.SUBMITTING]}
    before_mark = {State.PENDING, State.DEFERRED}
    assert marked == {after: {State.SUBMITTING} for after in marked} | {
        State.SUBMITTING: before_mark,
        State.DELIVERED: {State.SUBMITTING, State.UNCERTAIN},
        State.BOUNCED: {State.SUBMITTING} | before_mark,
        State.EXPIRED: {State.SUBMITTING} | before_mark,
    }


def test_what_a_run_has_left_to_do_is_what_may_be_marked_or_is() -> None:
    assert {State.PENDING, State.DEFERRED, State.SUBMITTING} == UNFINISHED


@given(st.lists(st.sampled_from(State), max_size=40))
def test_no_way_through_the_table_delivers_without_a_mark_or_leaves_a_delivery(wishes: list[State]) -> None:
    way = [State.PENDING]
    for wish in wishes:
        if may_follow(way[-1], wish):
            way.append(wish)
    for before, after in itertools.pairwise(way):
        assert before not in HANDED_OVER
        if after in (State.DELIVERED, State.UNCERTAIN) and (before, after) != (State.UNCERTAIN, State.DELIVERED):
            assert before is State.SUBMITTING
        if after is State.SUBMITTING:
            assert before in (State.PENDING, State.DEFERRED)
