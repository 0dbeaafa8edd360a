from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.model.outcome import ReplyClass
from campaign_cli.model.reply import Phase, Reply
from campaign_cli.policy.limits import Window
from campaign_cli.policy.shaping import (
    FIRST_REST,
    FORGOTTEN,
    LONGEST_ASKED,
    LONGEST_IN_VAIN,
    LONGEST_REST,
    Backoff,
    Refusal,
    Shaping,
    ShapingRule,
    asked_rest,
    delivered,
    refused,
)

AN_HOUR = 1 / 3600
REFUSAL = Refusal("451 slow down", limit=1000 * AN_HOUR, taken=900 * AN_HOUR, connections=5)


def again(backoff: Backoff | None, now: float, **changes: object) -> Backoff:
    return refused(backoff, REFUSAL._replace(**changes), now, 0.0)  # type: ignore[arg-type]


def taking(backoff: Backoff, now: float) -> Backoff:
    """The same, after something was taken."""
    found = delivered(backoff, now, limit=1000 * AN_HOUR, connections=5)
    assert found is not None
    return found


def test_the_first_refusal_rests_and_leaves_nine_tenths_of_what_was_taken_and_half_of_the_connections() -> None:
    backoff = again(None, 100.0)
    assert (backoff.until, backoff.rate, backoff.connections) == (100.0 + FIRST_REST, 0.9 * 900 * AN_HOUR, 2)
    assert (backoff.why, backoff.since) == ("451 slow down", 100.0)


def test_one_refusal_leaves_at_least_nine_twentieths_however_little_was_taken() -> None:
    assert again(None, 0.0, taken=0.0).rate == pytest.approx(0.45 * 1000 * AN_HOUR)


def test_without_a_limit_what_was_taken_is_what_it_goes_by() -> None:
    assert again(None, 0.0, limit=None, taken=500.0).rate == pytest.approx(450.0)


def test_what_had_been_on_its_way_when_a_rest_began_changes_nothing() -> None:
    backoff = again(None, 100.0)
    assert again(backoff, 105.0) == backoff
    assert taking(backoff, 105.0) == backoff


def test_rests_double_while_something_is_taken_between_them_up_to_five_minutes() -> None:
    backoff, rests = again(None, 0.0), []
    for _ in range(8):
        rests.append(backoff.rest)
        backoff = again(taking(backoff, backoff.until), backoff.until)
    assert rests == [10, 20, 40, 80, 160, LONGEST_REST, LONGEST_REST, LONGEST_REST]


def test_a_provider_that_takes_nothing_keeps_its_rate_and_is_asked_less_and_less_often() -> None:
    first = backoff = again(None, 0.0)
    rests = []
    for _ in range(12):
        backoff = again(backoff, backoff.until)
        rests.append(backoff.rest)
        assert (backoff.rate, backoff.connections) == (first.rate, 1)
    assert rests[:4] == [20, 40, 80, 160]
    assert (rests[-1], backoff.vain) == (LONGEST_IN_VAIN, 13)


def test_chance_makes_a_rest_longer_by_a_tenth_at_most() -> None:
    assert refused(None, REFUSAL, 0.0, 0.999).until == pytest.approx(FIRST_REST * 1.1, rel=1e-3)


def test_what_a_reply_asks_for_is_heeded() -> None:
    assert again(None, 0.0, asked=600.0).until == 600.0


def test_what_is_delivered_brings_back_one_connection_and_one_part_in_a_hundred_a_step() -> None:
    backoff = again(None, 0.0)
    assert taking(backoff, 15.0) == replace(backoff, vain=0)
    after = taking(backoff, backoff.more_at)
    assert (after.rate, after.connections) == (pytest.approx(backoff.rate * 1.01), 3)
    assert after.more_at == backoff.more_at + FIRST_REST


def test_below_nine_tenths_of_what_was_refused_it_is_doubled() -> None:
    low = replace(again(None, 0.0), rate=100 * AN_HOUR, ceiling=900 * AN_HOUR)
    assert taking(low, 20.0).rate == pytest.approx(200 * AN_HOUR)
    assert taking(replace(low, rate=500 * AN_HOUR), 20.0).rate == pytest.approx(810 * AN_HOUR)


def test_beyond_what_was_refused_steps_become_quicker() -> None:
    slow = replace(again(None, 0.0, limit=1.0, taken=0.2), rest=300.0, rate=0.5, ceiling=0.2)
    assert taking_up_to(slow, 1.0).rest == 150.0


def taking_up_to(backoff: Backoff, limit: float) -> Backoff:
    found = delivered(backoff, backoff.more_at, limit=limit, connections=5)
    assert found is not None
    return found


@pytest.mark.parametrize("limit", [1000 * AN_HOUR, None])
def test_in_the_end_nothing_is_held_against_it(limit: float | None) -> None:
    backoff: Backoff | None = refused(None, REFUSAL._replace(limit=limit), 0.0, 0.0)
    steps = 0
    while backoff:
        backoff = delivered(backoff, backoff.more_at, limit=limit, connections=5)
        steps += 1
    # Who has no limit was refused by chance, perhaps: the rate is doubled.
    assert steps == (22 if limit else 3)


def test_after_a_day_without_a_refusal_or_a_step_it_is_forgotten() -> None:
    backoff = again(None, 0.0)
    assert not backoff.forgotten(backoff.more_at + FORGOTTEN)
    assert backoff.forgotten(backoff.more_at + FORGOTTEN + 1)


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0.0, 4000.0), st.floats(0.0, 0.99)), max_size=60),
    st.one_of(st.none(), st.floats(0.001, 1000.0)),
    st.floats(0.0, 1000.0),
    st.integers(1, 50),
)
def test_whatever_happens_it_stays_within_bounds(
    story: list[tuple[bool, float, float]], limit: float | None, taken: float, connections: int
) -> None:
    backoff: Backoff | None = None
    now = 0.0
    for is_refused, later, chance in story:
        now += later
        before = backoff
        if is_refused:
            backoff = refused(before, Refusal("no", limit, taken, connections), now, chance)
            assert backoff.until > now
            assert before is None or before.until <= now or backoff.until >= before.until
            assert before is None or backoff.rate <= max(before.rate, 1 / 60)
        elif before:
            backoff = delivered(before, now, limit=limit, connections=connections)
            assert backoff is None or backoff.rate >= before.rate or limit is not None
        if backoff:
            assert 1 <= backoff.connections <= connections
            assert backoff.rate > 0
            assert backoff.more_at >= backoff.until


@pytest.mark.parametrize(
    ("an_hour", "window"),
    [(3600 * 50, Window(50, 1.0)), (3600, Window(1, 1.0)), (900, Window(1, 4.0)), (600, Window(10, 60.0))],
)
def test_a_rate_is_a_trickle_on_open_sessions_or_else_a_few_a_minute_together(an_hour: float, window: Window) -> None:
    backoff = replace(again(None, 0.0), rate=an_hour * AN_HOUR)
    assert backoff.budget("gmail").pace.windows == (window,)
    assert backoff.burst == (10 if an_hour == 600 else 1)


def test_all_rules_that_a_refusal_fits_are_heeded_and_the_strictest_counts() -> None:
    rules = (
        ShapingRule("a", "", suspend=1800.0),
        ShapingRule("b", "", rate=1 / 60, connections=1, duration=5400.0),
    )
    backoff = again(None, 0.0, rules=rules)
    assert (backoff.until, backoff.rate, backoff.connections, backoff.more_at) == (1800.0, 1 / 60, 1, 5400.0)


def test_a_rule_is_heeded_in_a_rest_too() -> None:
    backoff = again(again(None, 0.0), 5.0, rules=(ShapingRule("a", "", suspend=7200.0),))
    assert (backoff.until, backoff.vain) == (7205.0, 1)
    assert backoff.more_at == 7805.0


def test_a_rule_asks_for_provider_class_text_codes_and_phase() -> None:
    rules = [
        ShapingRule("any", ""),
        ShapingRule("gmail", "", provider="gmail", enhanced=("4.7.28",)),
        ShapingRule("rate", "", classes=(ReplyClass.RATE,), text="unusual"),
        ShapingRule("rcpt", "", phases=(Phase.RCPT,)),
        ShapingRule("5yz", "", codes=("5yz",)),
    ]

    def found(provider: str, reply_class: ReplyClass) -> list[str]:
        reply = Reply(421, "4.7.28", "Unusual rate")
        return [each.id for each in Shaping(rules).rules_for(reply, Phase.DOT, provider, reply_class)]

    assert found("gmail", ReplyClass.RATE) == ["any", "gmail", "rate"]
    assert found("yahoo", ReplyClass.REPUTATION) == ["any"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Too many messages, try again in 5 minutes", 300.0),
        ("rate limited; please try again after 30 seconds.", 30.0),
        ("Greylisted, please try again in 299 sec", 299.0),
        ("Recipient address rejected: delayed for 60s", 60.0),
        ("please retry in 2 hours", LONGEST_ASKED),
        ("try again in 99999 min", LONGEST_ASKED),
        ("try again later", 0.0),
        ("try again later; 5 messages", 0.0),
        ("try again later, 3 mailboxes", 0.0),
        ("4.7.1 wait. 10 minutes", 0.0),
    ],
)
def test_a_reply_that_says_how_long_to_stay_away_is_understood_within_bounds(text: str, seconds: float) -> None:
    assert asked_rest(text) == seconds
