"""When to send: `window`, `timezone` and `not_after`."""

from __future__ import annotations

from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo

from campaign_cli.config.given import Given
from campaign_cli.config.values import each_of, one_line
from campaign_cli.policy.hours import Hours, parse_hours


def send_windows(given: Given) -> tuple[Hours, ...]:
    """One window or several. Raises EntriesError."""
    entries = given.value if isinstance(given.value, list) else [given]
    if not entries:
        raise ValueError("names no hours: write them as Mon-Fri 09:00-18:00, or leave it out")
    return tuple(each_of((entry, lambda one: parse_hours(one_line(one))) for entry in entries))


def time_zone(given: Given) -> tzinfo:
    """A zone of the tz database."""
    name = one_line(given).strip()
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise ValueError(f"{name!r} is not a time zone: write its name, such as Europe/Berlin or UTC") from None


def moment(given: Given) -> float:
    """A date and time, as UTC seconds; without an offset it is this machine's time."""
    text = given.spelled or one_line(given)
    try:
        return datetime.fromisoformat(text.strip()).astimezone().timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a date and time: write it as 2027-03-01T18:00+01:00") from None
