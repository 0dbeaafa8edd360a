import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.policy.limits import (
    SLACK,
    UNLIMITED,
    Allowance,
    Charge,
    Pace,
    Window,
    allowance,
    expected_duration,
    left,
    parse_pace,
)

HOUR = 3600.0


def test_an_hourly_limit_promises_its_hour_and_spreads_what_two_minutes_allow_at_once() -> None:
    assert parse_pace("1000/h").windows == (Window(1000, HOUR, SLACK), Window(33, 118.8))


def test_a_daily_limit_is_a_quota_and_is_not_spread() -> None:
    assert parse_pace("10000/d").windows == (Window(10000, 86400.0, SLACK),)


def test_max_burst_says_how_many_at_once() -> None:
    assert parse_pace("1000/h,max_burst=50").windows == (Window(1000, HOUR, SLACK), Window(50, 180.0))


def test_a_burst_as_large_as_the_limit_does_not_spread() -> None:
    assert parse_pace("1000/h, max_burst=1000").windows == (Window(1000, HOUR, SLACK),)


def test_several_limits_hold_at_once() -> None:
    assert parse_pace("20/min,10000/d").windows == (
        Window(20, 60.0, SLACK),
        Window(10000, 86400.0, SLACK),
        Window(2, 6.0),
    )


def test_a_period_may_be_several_units() -> None:
    assert parse_pace("50/10s,max_burst=50").windows == (Window(50, 10.0, SLACK),)


@pytest.mark.parametrize("text", ["none", "NONE ", "unlimited"])
def test_none_is_no_limit(text: str) -> None:
    assert parse_pace(text) is UNLIMITED


@pytest.mark.parametrize(
    "text", ["", "1000", "1000/y", "0/h", "-5/h", "1000/h,burst=3", "max_burst=5", "5/0s", "5/h,max_burst=0"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="/"):
        parse_pace(text)


def test_a_full_window_opens_when_its_oldest_charge_has_left_it() -> None:
    pace = Pace("2/min", (Window(2, 60.0),))
    charges = [Charge(10.0, 1), Charge(30.0, 1)]
    assert allowance(pace, charges, 31.0) == Allowance(free=0, wait=39.0)
    assert allowance(pace, charges, 70.0) == Allowance(free=1, wait=0.0)


def test_what_is_left_ignores_how_it_is_spread() -> None:
    assert left(parse_pace("1000/h"), [Charge(0.0, 100)], 1.0) == 900
    assert left(UNLIMITED, [], 1.0) is None


def test_three_thousand_at_a_thousand_an_hour_take_about_three_hours() -> None:
    assert expected_duration(parse_pace("1000/h"), [], 3000, 0.0) == pytest.approx(2.97 * HOUR)


PACES = st.builds(
    lambda limit, seconds, burst: f"{limit}/{seconds}s" + (f",max_burst={burst}" if burst else ""),
    st.integers(1, 60),
    st.integers(1, 90) | st.sampled_from([600, 3600, 86400]),
    st.integers(0, 60),
)

STEPS = st.lists(st.tuples(st.floats(0, 0.5) | st.floats(0, 0.02), st.integers(1, 80)), max_size=60)
"""Which part of the period passes, and how many transactions then want to start."""


@given(text=PACES, steps=STEPS)
def test_no_rolling_window_ever_sees_more_starts_than_promised(text: str, steps: list[tuple[float, int]]) -> None:
    pace = parse_pace(text)
    promised = pace.windows[0]
    now, charges, starts = 0.0, [], []
    for passed, wanted in steps:
        now += passed * promised.period
        granted = min(wanted, allowance(pace, charges, now).free)
        if granted:
            charges.append(Charge(pace.bucket_end(now), granted))
            starts += [now] * granted
    for first, start in enumerate(starts):
        assert sum(1 for later in starts[first:] if later <= start + promised.period) <= promised.limit


@given(text=PACES, steps=STEPS)
def test_waiting_as_long_as_told_always_frees_at_least_one(text: str, steps: list[tuple[float, int]]) -> None:
    pace = parse_pace(text)
    now, charges = 0.0, []
    for passed, wanted in steps:
        now += passed * pace.windows[0].period
        allowed = allowance(pace, charges, now)
        if not allowed.free:
            assert allowed.wait > 0
            now += allowed.wait
            allowed = allowance(pace, charges, now + 1e-6)
            assert allowed.free >= 1
        charges.append(Charge(pace.bucket_end(now), min(wanted, allowed.free)))


@given(text=PACES, steps=STEPS)
def test_a_limit_is_used_nearly_whole(text: str, steps: list[tuple[float, int]]) -> None:
    """A limit that never lets anything through would keep every promise."""
    pace = parse_pace(text)
    burst = min(window.limit for window in pace.windows)
    assert allowance(pace, [], 0.0).free == burst
