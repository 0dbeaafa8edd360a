from campaign_cli.policy.retry import RetrySchedule, next_attempt

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


def test_waits_grow_by_the_shipped_schedule() -> None:
    waits = [
        next_attempt(RetrySchedule(), attempts=attempt, first_attempt_at=0.0, now=0.0, chance=0.0)
        for attempt in range(1, 8)
    ]
    assert waits == [1 * MINUTE, 3 * MINUTE, 9 * MINUTE, 27 * MINUTE, 81 * MINUTE, 3 * HOUR, 3 * HOUR]


def test_chance_adds_at_most_its_share() -> None:
    assert next_attempt(RetrySchedule(), attempts=1, first_attempt_at=0.0, now=0.0, chance=0.5) == 63.0


def test_after_the_lifetime_there_is_no_next_attempt() -> None:
    schedule = RetrySchedule()
    assert next_attempt(schedule, attempts=40, first_attempt_at=0.0, now=4 * DAY - HOUR, chance=0.0) is None
    assert next_attempt(schedule, attempts=40, first_attempt_at=0.0, now=3 * DAY, chance=0.0) == 3 * DAY + 3 * HOUR


def test_a_thousand_attempts_do_not_overflow() -> None:
    assert next_attempt(RetrySchedule(), attempts=1000, first_attempt_at=0.0, now=0.0, chance=0.0) == 3 * HOUR
