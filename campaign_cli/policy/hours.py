"""When it may be sent: hours of the week, as a clock on the wall shows them, also where it is put forward or back.

`Mon-Fri 09:00-18:00` is open from nine to six on five days. Days may be ranges and lists (`Mon-Wed,Sat`), and without
any all seven are meant. Hours that end before they begin go on into the next day (`22:00-06:00`), which need not be
among the days. An hour that a clock shows twice is in it both times, and one that it leaves out, not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import count

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

DAY = timedelta(days=1)

_HOURS = re.compile(r"(?:([a-z ,-]+?)\s+)?(\d{1,2}):(\d\d)\s*-\s*(\d{1,2}):(\d\d)", re.IGNORECASE)

Span = tuple[float, float]
"""UTC seconds: from the first on, up to the second."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours on some days of the week, 0 being Monday: minutes from midnight, `end` up to two days' worth of them."""

    days: frozenset[int]
    start: int
    end: int

    def span(self, day: date, zone: tzinfo) -> Span:
        """On `day`, which must be one of its days."""
        return _moment(day, self.start, zone, fold=0), _moment(day, self.end, zone, fold=1)


def _moment(day: date, minutes: int, zone: tzinfo, *, fold: int) -> float:
    days, minute = divmod(minutes, 24 * 60)
    return datetime.combine(day + days * DAY, time(*divmod(minute, 60), fold=fold), zone).timestamp()


def parse_hours(text: str) -> Hours:
    """The hours that a text asks for. Raises ValueError, with a text fit for the user."""
    found = _HOURS.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not a window: write it as Mon-Fri 09:00-18:00, Sat,Sun 10:00-12:00, 22:00-06:00")
    parts = [int(part) for part in found.groups()[1:]]
    start, end = parts[0] * 60 + parts[1], parts[2] * 60 + parts[3]
    if max(parts[1], parts[3]) > 59 or start >= 24 * 60 or end > 24 * 60 or start == end:
        raise ValueError(f"{text!r} is not a window: write hours from 00:00 to 24:00, the last another than the first")
    return Hours(_days(found[1] or "mon-sun"), start, end if end > start else end + 24 * 60)


def _days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.lower().split(","):
        names = [name.strip()[:3] for name in part.split("-")]
        if len(names) > 2 or any(name not in DAYS for name in names):
            raise ValueError(f"{part.strip()!r} is not a day: write Mon, Tue, Wed, Thu, Fri, Sat, Sun, or Mon-Fri")
        first, last = DAYS.index(names[0]), DAYS.index(names[-1])
        days |= {day % 7 for day in range(first, last + 1 if last >= first else last + 8)}
    return frozenset(days)


def opens(hours: Sequence[Hours], now: float, zone: tzinfo) -> float:
    """When it may next be sent (UTC seconds): `now` itself within them."""
    return max(next(_spans(hours, now, zone))[0], now)


def closes(hours: Sequence[Hours], now: float, zone: tzinfo) -> float:
    """When those that `now` is in, or else the next, end (UTC seconds)."""
    return next(_spans(hours, now, zone))[1]


def when_done(hours: Sequence[Hours], start: float, seconds: float, zone: tzinfo) -> float:
    """When something is done (UTC seconds) that begins at `start`, takes so long, and rests outside of them."""
    for since, until in _spans(hours, start, zone):
        since = max(since, start)
        if seconds <= until - since:
            return since + seconds
        seconds -= until - since
    raise AssertionError("there are always the next")


def _spans(hours: Sequence[Hours], now: float, zone: tzinfo) -> Iterator[Span]:
    """Those that end after `now`, in their order; those that touch are one. Without end."""
    # One of two days ago may still go on.
    first = datetime.fromtimestamp(now, zone).date() - 2 * DAY
    open_since = open_until = 0.0
    for number in count():
        day = first + number * DAY
        for since, until in sorted(each.span(day, zone) for each in hours if day.weekday() in each.days):
            if until <= since:
                # The clock is put forward, and leaves these hours out.
                continue
            if since <= open_until:
                open_until = max(open_until, until)
            else:
                if open_until > now:
                    yield open_since, open_until
                open_since, open_until = since, until
        # All days have the same hours, so that nothing would ever end it.
        if open_until - open_since > 8 * DAY.total_seconds():
            yield open_since, float("inf")
