"""When deferred recipients are tried again: `{base: 1m, factor: 3, longest: 3h, lifetime: 4d, jitter: 0.1}`."""

from __future__ import annotations

from functools import partial

from campaign_cli.config.given import Given
from campaign_cli.config.values import duration, each_of
from campaign_cli.policy.retry import RetrySchedule


def retry_schedule(given: Given) -> RetrySchedule:
    """What it leaves out is as shipped. Raises ValueError, EntriesError."""
    if not isinstance(given.value, dict):
        raise ValueError("must be keys and values, such as {base: 1m, factor: 3, longest: 3h, lifetime: 4d}")
    entries = given.value.items()
    return RetrySchedule(**dict(each_of((entry, partial(_entry, key)) for key, entry in entries)))


def _entry(key: str, entry: Given) -> tuple[str, float]:
    if key in ("base", "longest", "lifetime"):
        return key, duration(entry)
    value = entry.value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if key == "factor" and value >= 1:
            return key, float(value)
        if key == "jitter" and 0 <= value <= 1:
            return key, float(value)
    raise ValueError(f"{key}: {value} is not understood: there are base, factor, longest, lifetime and jitter")
