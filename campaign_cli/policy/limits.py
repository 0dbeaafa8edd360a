"""How many transactions a limit allows, and when the next may start.

A limit is text: `1000/h`, `20/min`, `10000/d`, `50/10s`, several joined by commas. "1000/h" promises that
no rolling 60 minutes see more than 1000 transactions start, refused ones included.

A limit per hour or less is also a pace: it is spread, so that what two minutes allow, or a tenth of it if that is
less, goes at once, unless `max_burst=N` says how many. A limit per day or longer is a quota and is not spread.
Spreading 1000/h with bursts of 50 means: no more than 50 in the three minutes that 1000/h gives to 50.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from campaign_cli.model.duration import SECONDS

SLACK = 0.5
"""Seconds by which a promised window is counted longer than its period.

A transaction starts a moment after its charge is durable, and reaches the server a moment after that; within
half a second neither makes a server count one more than was promised.
"""

SPREAD_UP_TO = SECONDS["h"]
"""Seconds: the longest period that is a pace. A day's 10,000 is a quota: nobody wants it spread over the night."""

BURST_SPAN = 120.0
"""Seconds of a pace that go at once: enough messages for a session to be worth opening, too few for a spike."""

FEWEST_BURSTS = 10
"""In how many bursts a pace is spread at least, however short its period."""

BUCKETS = 100
"""In how many buckets the shortest period is counted: at most 1 % of a budget waits for its bucket to end."""

BUCKET_RANGE = (0.05, 60.0)
"""Seconds: no bucket is shorter (a commit takes some of that) or longer."""

_WINDOW = re.compile(r"(\d+)\s*/\s*(\d*)\s*(s|sec|m|min|h|d|w)", re.IGNORECASE)
_BURST = re.compile(r"max_burst\s*=\s*(\d+)", re.IGNORECASE)
_UNITS = SECONDS | {"sec": 1.0}


@dataclass(frozen=True, slots=True)
class Window:
    """At most `limit` starts in any `period` seconds; `slack` seconds more are counted where it is a promise."""

    limit: int
    period: float
    slack: float = 0.0

    @property
    def span(self) -> float:
        """Seconds for which a charge counts."""
        return self.period + self.slack


class Charge(NamedTuple):
    """`starts` transactions that started no later than `until` (seconds on the budget clock)."""

    until: float
    starts: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many transactions may start now; where they are too few, in how many seconds they are not."""

    free: int
    wait: float


@dataclass(frozen=True, slots=True)
class Pace:
    """All windows that a provider's limit asks for, and the text it was given as. No window: no limit."""

    text: str
    windows: tuple[Window, ...]

    @property
    def memory(self) -> float:
        """Seconds after which a charge no longer matters to any window."""
        return max((window.span for window in self.windows), default=0.0)

    @property
    def rate(self) -> float | None:
        """Starts a second that are allowed all the time; None: no window but a quota's says so."""
        rates = (window.limit / window.period for window in self.windows if window.period <= SPREAD_UP_TO)
        return min(rates, default=None)

    def bucket_end(self, now: float) -> float:
        """The moment until which transactions charged now are counted: the end of the bucket `now` is in."""
        shortest = min((window.period for window in self.windows), default=BUCKETS)
        low, high = BUCKET_RANGE
        width = min(max(shortest / BUCKETS, low), high)
        return (math.floor(now / width) + 1) * width


UNLIMITED = Pace("none", ())
"""No limit. Its length of time in flight is bounded only by connections."""

UNBOUNDED = 1_000_000_000
"""How many an unlimited pace allows: more than any list has."""


def parse_pace(text: str) -> Pace:
    """The windows in a limit's text; `none` is no limit.

    Raises ValueError, with a text fit for the user, for anything else.
    """
    if text.strip().lower() in ("none", "unlimited"):
        return UNLIMITED
    promised: list[Window] = []
    burst: int | None = None
    for part in text.split(","):
        if found := _WINDOW.fullmatch(part.strip()):
            limit, times, unit = int(found[1]), int(found[2] or 1), found[3].lower()
            promised.append(Window(limit, times * _UNITS[unit], SLACK))
        elif found := _BURST.fullmatch(part.strip()):
            burst = int(found[1])
        else:
            raise ValueError(
                f"{part.strip()!r} is not a limit: write it as 1000/h, 20/min, 10000/d or 50/10s, "
                "with max_burst=N if you like, or none"
            )
    if not promised or any(window.limit < 1 or window.period <= 0 for window in promised) or burst == 0:
        raise ValueError(f"{text!r} allows nothing: a limit is at least 1 in a period, as in 1/min")
    spread = [pace for window in promised if (pace := _spread(window, burst))]
    return Pace(text.strip(), (*promised, *spread))


def _spread(window: Window, burst: int | None) -> Window | None:
    if burst is None:
        if window.period > SPREAD_UP_TO:
            return None
        burst = max(1, min(window.limit // FEWEST_BURSTS, int(window.limit * BURST_SPAN / window.period)))
    if burst >= window.limit:
        return None
    return Window(burst, window.period * burst / window.limit)


def allowance(pace: Pace, charges: Sequence[Charge], now: float, wanted: int = 1) -> Allowance:
    """How many more transactions may start at `now`, after `charges` (oldest first), and when `wanted` may.

    A charge counts until its whole bucket is older than the window: never too little, at most a bucket too long.
    """
    free, wait = UNBOUNDED, 0.0
    for window in pace.windows:
        counted = _counted(window, charges, now)
        left = window.limit - sum(charge.starts for charge in counted)
        free = min(free, left)
        if left < min(wanted, window.limit):
            wait = max(wait, _until_gone(window, counted, min(wanted, window.limit) - left) - now)
    return Allowance(max(free, 0), wait)


def _counted(window: Window, charges: Sequence[Charge], now: float) -> Sequence[Charge]:
    """Those of `charges` (oldest first) that `window` still counts."""
    return charges[bisect_right(charges, now, key=lambda charge: charge.until + window.span) :]


def _until_gone(window: Window, counted: Sequence[Charge], least: int) -> float:
    """The moment at which `least` of the counted starts have left the window."""
    gone = 0
    for charge in counted:
        gone += charge.starts
        if gone >= least:
            return charge.until + window.span
    raise AssertionError("a window that is full has charges to lose")


def left(pace: Pace, charges: Sequence[Charge], now: float) -> int | None:
    """How many transactions the promised windows still allow, however they are spread; None without a limit."""
    promised = [window for window in pace.windows if window.slack]
    return min((max(window.limit - used(window, charges, now), 0) for window in promised), default=None)


def used(window: Window, charges: Sequence[Charge], now: float) -> int:
    """How many starts `window` counts at `now`, of `charges` (oldest first)."""
    return sum(charge.starts for charge in _counted(window, charges, now))


def expected_duration(pace: Pace, charges: Sequence[Charge], count: int, now: float) -> float:
    """Seconds from `now` until the last of `count` transactions may start, were the servers infinitely fast."""
    if count == 0:
        return 0.0
    longest = 0.0
    for window in pace.windows:
        rounds = math.ceil((count + used(window, charges, now)) / window.limit) - 1
        longest = max(longest, rounds * window.span)
    return longest
