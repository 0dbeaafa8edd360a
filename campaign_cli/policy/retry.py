"""When a deferred recipient is tried again, and when no more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """Growing waits: `base`, `base * factor`, `base * factor**2` ... up to `longest`, for `lifetime` (seconds).

    RFC 5321 4.5.4.1 asks for two attempts in the first hour, then one every two or three hours, for four to
    five days. The shipped waits are 1, 3, 9, 27, 81 minutes and then 3 hours: the early ones catch greylisting
    inside the run.
    """

    base: float = 60.0
    factor: float = 3.0
    longest: float = 3 * 3600.0
    lifetime: float = 4 * 86400.0
    jitter: float = 0.1
    """The share of a wait that chance may add, so that a provider's deferred do not all return at once."""


def next_attempt(
    schedule: RetrySchedule, *, attempts: int, first_attempt_at: float, now: float, chance: float, asked: float = 0.0
) -> float | None:
    """When to try again after `attempts` attempts, the last at `now` (UTC seconds); None: its time is over.

    Not before `asked` seconds, for which the server wants to be left alone. `chance` lies in [0, 1).
    """
    growth = schedule.factor ** min(attempts - 1, 100)
    wait = max(min(schedule.base * growth, schedule.longest), asked)
    at = now + wait * (1 + schedule.jitter * chance)
    return at if at - first_attempt_at <= schedule.lifetime else None
