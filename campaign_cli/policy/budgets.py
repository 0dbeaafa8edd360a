"""Budgets, and how they grow while a sender warms up.

A new sender, or one that a provider does not know, sends a little more each day. What mailbox providers ask of new IP
addresses and domains: start low, with those who open, and grow steadily (Google, "Email sender guidelines",
support.google.com/mail/answer/81126; Amazon SES, "Warming up dedicated IP addresses").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from campaign_cli.policy.limits import SLACK, Charge, Pace, Window, expected_duration, used

DAY = 86400.0
"""Seconds."""

MOST_DAYS = 3650
"""Ten years: who would need more days than that has given numbers that grow by nothing."""

OF_A_RELAY = "relay:"
"""What the name of a relay's own budget begins with: no provider's or group's does."""

OF_CONNECTIONS = "connections:"
"""What the name of the budget begins with that the connections opened to a provider count against."""

OF_A_BACKOFF = "backoff:"
"""What the name of the budget begins with by which a provider is held back."""

OF_OTHERS = (OF_A_RELAY, OF_CONNECTIONS, OF_A_BACKOFF)
"""What names of budgets begin with that are no provider's and no group's own."""


@dataclass(frozen=True, slots=True)
class Warmup:
    """On the first day `start` transactions, on each further day on which it is sent `growth` times as many, up to
    `until` a day: from then on there is no limit of its own."""

    start: int
    growth: float
    until: int

    def limit(self, day: int) -> int | None:
        """How many on the day number `day`, counted from 0; None: it is warm."""
        if day * math.log(self.growth) > math.log(self.until):
            return None
        limit = int(self.start * self.growth**day)
        return None if limit > self.until else limit

    def days(self, count: int, day: int) -> int:
        """On how many days, from number `day` on, so many transactions are sent."""
        days = 0
        while count > 0 and (limit := self.limit(day + days)) is not None and days < MOST_DAYS:
            count -= limit
            days += 1
        return days + (count > 0)


class Budget(NamedTuple):
    """What transactions are counted against: whose it is, the pace at which it may be spent, and how it warms up."""

    name: str
    pace: Pace
    warmup: Warmup | None = None

    def on_day(self, day: int) -> Budget:
        """It as it is on the warm-up's day number `day`. The day's limit holds in any 24 hours: what was sent the day
        before counts until then."""
        limit = self.warmup.limit(day) if self.warmup else None
        if limit is None:
            return self
        return self._replace(pace=Pace(self.pace.text, (*self.pace.windows, Window(limit, DAY, SLACK))))

    def seconds(self, count: int, charges: Sequence[Charge], now: float, day: int) -> float:
        """How long it takes from `now`, the warm-up's day number `day`, until the last of `count` transactions may
        start, after `charges` (oldest first)."""
        by_pace = expected_duration(self.pace, charges, count, now)
        if self.warmup is None or count == 0:
            return by_pace
        # What was sent within a day counts against its limit as what is still to be sent does.
        limit = self.warmup.limit(day)
        sent = used(Window(limit, DAY, SLACK), charges, now) if limit else 0
        return max(by_pace, (self.warmup.days(count + sent, day) - 1) * DAY)

    def share(self, count: int, charges: Sequence[Charge], now: float, day: int) -> int:
        """How many of `count` the warm-up's day number `day` still has room for at `now`, after `charges`."""
        limit = self.warmup.limit(day) if self.warmup else None
        return count if limit is None else min(count, max(limit - used(Window(limit, DAY, SLACK), charges, now), 0))


def of_a_relay(name: str, pace: Pace, warmup: Warmup | None = None) -> Budget:
    """The budget of the relay `name`, which all its transactions count against, whatever their provider."""
    return Budget(f"{OF_A_RELAY}{name}", pace, warmup)


def of_connections(name: str, pace: Pace) -> Budget:
    """The budget of the connections that are opened to the provider `name`."""
    return Budget(f"{OF_CONNECTIONS}{name}", pace)
