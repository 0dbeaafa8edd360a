import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.policy.budgets import DAY, Budget, Warmup, of_a_relay
from campaign_cli.policy.limits import SLACK, UNLIMITED, Charge, Window, parse_pace

WARMUP = Warmup(start=50, growth=1.5, until=200)


def test_each_day_allows_more_until_it_is_warm() -> None:
    assert [WARMUP.limit(day) for day in range(5)] == [50, 75, 112, 168, None]
    assert WARMUP.limit(10**9) is None


@pytest.mark.parametrize(
    ("count", "day", "days"), [(0, 0, 0), (1, 0, 1), (50, 0, 1), (51, 0, 2), (405, 0, 4), (406, 0, 5), (10**6, 4, 1)]
)
def test_so_many_days_are_needed(count: int, day: int, days: int) -> None:
    assert WARMUP.days(count, day) == days


def test_a_days_limit_is_a_promise_beside_the_others_for_any_24_hours() -> None:
    budget = Budget("gmail", parse_pace("10/min"), WARMUP)
    assert budget.on_day(1).pace.windows == (*budget.pace.windows, Window(75, DAY, SLACK))
    assert budget.on_day(1).name == "gmail"
    assert budget.on_day(4) == budget
    assert of_a_relay("ses", UNLIMITED).on_day(0) == of_a_relay("ses", UNLIMITED)


@given(st.integers(1, 1000), st.floats(1.01, 10), st.integers(2, 10**6), st.integers(0, 10**6))
def test_the_days_of_a_warm_up_are_enough_and_no_more_than_that(
    start: int, growth: float, until: int, count: int
) -> None:
    warmup = Warmup(start, growth, until)
    days = warmup.days(count, 0)

    def sent(days: int) -> float:
        return sum(float("inf") if (limit := warmup.limit(day)) is None else limit for day in range(days))

    assert sent(days) >= count
    assert days == 0 or sent(days - 1) < count


GROWING = Budget("gmail", UNLIMITED, Warmup(start=100, growth=2, until=10_000))


@pytest.mark.parametrize(
    ("count", "sent", "day", "days"),
    [
        (0, 100, 0, 0),  # nothing is left to wait for
        (100, 0, 0, 0),
        (101, 0, 0, 1),
        (700, 0, 0, 2),  # 100, 200, 400: not seven days of 100
        (1, 100, 0, 1),  # today's are gone
        (300, 100, 1, 1),  # yesterday's 100 leave half of today's 200
        (100_000, 0, 7, 0),  # it is warm
    ],
)
def test_how_long_a_warm_up_makes_it_goes_by_its_growth_and_by_what_was_sent_today(
    count: int, sent: int, day: int, days: int
) -> None:
    now = 10 * DAY
    charges = [Charge(now - DAY - 1, 100), Charge(now - 60, sent)]
    assert GROWING.seconds(count, charges, now, day) == days * DAY


def test_how_long_a_budget_makes_it_is_the_longer_of_its_pace_and_its_warm_up() -> None:
    budget = Budget("gmail", parse_pace("10/d"), GROWING.warmup)
    assert budget.seconds(100, [], 0.0, 0) == 9 * (DAY + SLACK)
    assert budget.seconds(0, [], 0.0, 0) == 0.0
