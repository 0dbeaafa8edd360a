"""What adaptive shaping promises, with the lane as it is, real sessions and a simulated clock and provider."""

from dataclasses import replace

import pytest

from tests.simulation.day import ALL, DAY, GMAIL, YAHOO, Habits, send, simulated

HOUR = 3600.0


@pytest.mark.parametrize("habits", ALL, ids=lambda habits: habits.name)
def test_of_what_a_provider_allows_at_least_85_percent_is_taken_in_a_day_and_under_2_percent_refused(
    habits: Habits,
) -> None:
    with simulated(habits) as (clock, world):
        send(clock, world, rate=f"{habits.rate * 2:.0f}/h", count=int(habits.rate * 25), seconds=DAY)
        taken, refused = len(world.provider.taken), len(world.provider.refused)
        assert taken >= 0.85 * habits.rate * 24
        assert refused < 0.02 * (taken + refused)
        # Nobody but those refused was tried more than once, and nobody of those who were never tried has an attempt.
        attempts = [attempts for _, attempts, _ in world.report.values()]
        assert sum(attempts) == world.progress.attempts <= taken + refused
        assert max(attempts) <= 2


def test_one_that_blocks_everything_at_first_is_asked_seldom_and_sent_to_at_its_limit_afterwards() -> None:
    with simulated(YAHOO) as (clock, world):
        world.patience = DAY
        world.provider.blocked_until = 3 * HOUR
        send(clock, world, rate="1000/h", count=6000, seconds=12 * HOUR)
        blocked = [at for at in world.provider.refused if at < 3 * HOUR]
        later = [at for at in world.provider.taken if at >= 6 * HOUR]
        assert 0 < len(blocked) < 25
        assert len(later) >= 0.85 * YAHOO.rate * 6


def test_when_a_provider_takes_more_than_before_that_is_found_out() -> None:
    with simulated(YAHOO) as (clock, world):

        def grow() -> None:
            world.provider.habits = replace(YAHOO, rate=2 * YAHOO.rate)

        send(clock, world, rate="1000/h", count=9000, seconds=14 * HOUR, meanwhile=(4 * HOUR, grow))
        last = [at for at in world.provider.taken if at >= 12 * HOUR]
        assert len(last) >= 0.85 * 2 * YAHOO.rate * 2


def test_the_next_run_goes_on_as_slowly_as_the_last_one_ended() -> None:
    with simulated(GMAIL) as (clock, world):
        send(clock, world, rate="1200/h", count=1500, seconds=HOUR)
        refused, backoff = len(world.provider.refused), world.shared.backoffs.get("gmail")
        assert backoff is not None
        clock.seconds += 300.0
        send(clock, world, rate="1200/h", count=1500, seconds=HOUR)
        assert refused > 0
        assert len(world.provider.refused) - refused <= 5
        taken = [at for at in world.provider.taken if at > HOUR + 300]
        assert len(taken) <= backoff.rate * 1.3 * HOUR


def test_one_that_takes_nothing_is_left_to_another_run_when_it_was_asked_twice() -> None:
    with simulated(GMAIL) as (clock, world):
        world.provider.blocked_until = DAY
        send(clock, world, rate="1200/h", count=100, seconds=DAY)
        assert clock.seconds < HOUR
        assert len(world.provider.refused) <= 6
        states = [(status, attempts) for status, attempts, _ in world.report.values()]
        assert states.count(("pending", 0)) >= 94
