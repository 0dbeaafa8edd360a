"""How a provider's displeasure slows what is sent to it, and how success brings it back.

As RFC 5681 3.1 does it for TCP: a refusal for pace or reputation makes the lane rest and takes its rate down at once;
then what is delivered brings it back, quickly up to a little below where it was refused, slowly from there on. Google
asks for the same: "reduce the sending volume until the SMTP error rate decreases. Then, increase slowly again"
(support.google.com/a/answer/81126). What single providers want besides, rules say, which are data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

from campaign_cli.model.outcome import Radius, ReplyClass, Verdict
from campaign_cli.model.reply import Phase, Reply
from campaign_cli.policy.budgets import DAY, OF_A_BACKOFF, Budget
from campaign_cli.policy.limits import Pace, Window
from campaign_cli.policy.patterns import Pattern

FIRST_REST = 10.0
"""Seconds for which nothing is started after the first refusal: long enough for a token bucket to fill a little."""

LONGEST_REST = 300.0
"""Seconds to which that is doubled while a provider takes something between its refusals."""

LONGEST_IN_VAIN = 3600.0
"""Seconds to which it is doubled while a provider takes nothing at all: twenty-four refusals a day, no more."""

LONGEST_STEP = 600.0
"""Seconds: a step back up takes as long as the last rest, but no longer than Google wants between two."""

LONGEST_ASKED = 3600.0
"""Seconds: no reply's text makes anybody wait for longer. Who wants more is asked again, and can say so again."""

JITTER = 0.1
"""By what part a rest is lengthened at most, by chance: those that were refused together do not return together."""

CUT = 0.9
"""Of the rate that a provider has shown to take, what it gets after a refusal."""

LEAST = 0.5
"""How much of the rate a single refusal leaves at least: one that came early says little about what is taken."""

SLOW = 0.01
"""By what part the rate grows in a step near the rate that was refused: it takes some twelve to be refused again."""

FORGIVEN = 1.25
"""When the rate is so many times the one that was refused, that limit is no more: steps become quicker."""

SLOWEST = 1 / 60
"""Messages a second: KumoMTA's rules slow no provider further than to one a minute."""

MEASURED_OVER = 3600.0
"""Seconds over which is counted what a provider has taken."""

FORGOTTEN = DAY
"""Seconds without a refusal and without a step after which nothing is held against a provider any more."""

EASY = 0.25
"""Messages a second: those that come more often keep a session open, each for the next."""

SPARSE = 60.0
"""Seconds of fewer messages that go together, on a session that is opened for them."""


@dataclass(frozen=True, slots=True)
class ShapingRule:
    """What is done when `count` refusals within `period` seconds fit all it names (`patterns.Described`).

    `suspend`: nothing is started for so many seconds. `rate` (messages a second) and `connections` are the most for
    `duration` seconds. `classes` are those that the refusals may be read as; none: any. `source` says where it is from.
    """

    id: str
    source: str
    provider: str = ""
    classes: tuple[ReplyClass, ...] = ()
    text: str = ""
    enhanced: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    phases: tuple[Phase, ...] = ()
    count: int = 1
    period: float = 0.0
    suspend: float = 0.0
    rate: float | None = None
    connections: int | None = None
    duration: float = 0.0


class Shaping:
    """Finds the rules that a refusal fits: all that fit are heeded."""

    def __init__(self, rules: Iterable[ShapingRule] = ()) -> None:
        self._rules = rules
        self.rules_for = lru_cache(maxsize=256)(self._rules_for)

    @cached_property
    def _patterns(self) -> Sequence[tuple[ShapingRule, Pattern]]:
        """Only when there is a refusal."""
        return [(rule, Pattern.of(rule)) for rule in self._rules]

    def _rules_for(self, reply: Reply, phase: Phase, provider: str, reply_class: ReplyClass) -> tuple[ShapingRule, ...]:
        lowered = reply.text.lower()
        return tuple(
            rule
            for rule, pattern in self._patterns
            if rule.provider in ("", provider)
            and (not rule.classes or reply_class in rule.classes)
            and pattern.fits(reply, lowered, phase)
        )


@dataclass(frozen=True, slots=True)
class Backoff:
    """How a provider is held back, since when and why. Moments are seconds on the budget clock, rates are a second's.

    Nothing is started before `until`. At most `rate` messages and `connections` at once from then on, one step more at
    `more_at`. It was refused last at `ceiling`. `vain` counts the refusals since anything was taken.
    """

    why: str
    since: float
    rest: float
    until: float
    rate: float
    ceiling: float
    connections: int
    more_at: float
    vain: int = 1

    @property
    def step(self) -> float:
        """Seconds from one step up to the next."""
        return min(self.rest, LONGEST_STEP)

    def forgotten(self, now: float) -> bool:
        """Whether it is too long ago to count."""
        return now > max(self.until, self.more_at) + FORGOTTEN

    @property
    def most(self) -> str:
        """What it allows, in words."""
        return f"{self.rate * 3600:,.0f}/h on {self.connections} connection{'s' * (self.connections > 1)}"

    def seconds(self, count: int, now: float) -> float:
        """How long `count` messages take at `now`, if nothing changes."""
        return max(self.until - now, 0.0) + count / self.rate if count else 0.0

    @property
    def burst(self) -> int:
        """How many messages are worth opening a session for."""
        return 1 if self.rate >= EASY else max(1, int(self.rate * SPARSE))

    def budget(self, provider: str) -> Budget:
        """What the transactions with `provider` count against besides its own budget."""
        count = max(self.burst, int(self.rate))
        return Budget(f"{OF_A_BACKOFF}{provider}", Pace("", (Window(count, count / self.rate),)))


class Refusal(NamedTuple):
    """A refusal that counts: what was said, at which rate and on how many connections, and what it asks for.

    `limit` is the rate (a second's) that was allowed, None without a limit; `taken` that at which it was sent. `asked`
    is for how many seconds the reply asks to be left alone, `rules` those that were fitted often enough.
    """

    why: str
    limit: float | None
    taken: float
    connections: int
    asked: float = 0.0
    rules: Sequence[ShapingRule] = ()


def displeases(verdict: Verdict) -> bool:
    """Whether what a provider says is about our pace or standing with it."""
    return verdict.radius is Radius.PROVIDER


def refused(before: Backoff | None, refusal: Refusal, now: float, chance: float) -> Backoff:
    """What follows from a refusal at `now`; `chance` lies in [0, 1).

    What had been on its way when a rest began is refused in it, and only its rules are heeded.
    """
    if before and now < before.until:
        return _ruled(before, refusal, now)
    longer = 1 + JITTER * chance
    doubled = before.rest * 2 if before else FIRST_REST
    if before and before.vain:
        rest = max(min(doubled, LONGEST_IN_VAIN) * longer, refusal.asked)
        again = replace(before, why=refusal.why, rest=rest, until=now + rest, connections=1, vain=before.vain + 1)
        return _ruled(again, refusal, now)
    rest = max(min(doubled, LONGEST_REST) * longer, refusal.asked)
    allowed = before.rate if before else refusal.limit or max(refusal.taken, EASY)
    ceiling = max(min(refusal.taken, allowed), allowed * LEAST)
    backoff = Backoff(
        why=refusal.why,
        since=before.since if before else now,
        rest=rest,
        until=now + rest,
        rate=max(ceiling * CUT, SLOWEST),
        ceiling=max(ceiling, SLOWEST),
        connections=max(refusal.connections // 2, 1),
        more_at=0.0,
    )
    return _ruled(backoff, refusal, now)


def _ruled(backoff: Backoff, refusal: Refusal, now: float) -> Backoff:
    """The same, with what the refusal's rules ask for."""
    rest, until, rate, connections, kept = backoff.rest, backoff.until, backoff.rate, backoff.connections, 0.0
    for rule in refusal.rules:
        rest, until = max(rest, rule.suspend), max(until, now + rule.suspend)
        rate = min(rate, rule.rate or rate)
        connections = min(connections, rule.connections or connections)
        kept = max(kept, rule.duration)
    more_at = max(backoff.more_at, until + min(rest, LONGEST_STEP), now + kept)
    return replace(backoff, rest=rest, until=until, rate=rate, connections=connections, more_at=more_at)


def delivered(backoff: Backoff, now: float, *, limit: float | None, connections: int) -> Backoff | None:
    """What is left of it when something was taken at `now`; None: nothing.

    `limit` (a second's rate, None for none) and `connections` are what the provider has when nothing is held against
    it.
    """
    if now < backoff.until:
        # It had been on its way before.
        return backoff
    if now < backoff.more_at:
        return replace(backoff, vain=0) if backoff.vain else backoff
    if backoff.rate < CUT * backoff.ceiling:
        rate = min(backoff.rate * 2, CUT * backoff.ceiling)
    else:
        # Who has no limit may have been refused by chance: the first time its rate is doubled.
        quick = 0.0 if limit else (FIRST_REST / backoff.rest) ** 2
        rate = backoff.rate * (1 + max(SLOW, quick))
    full = limit or backoff.ceiling * 2
    more = backoff.connections + 1
    if rate >= full and more >= connections:
        return None
    quicker = rate > backoff.ceiling * FORGIVEN
    rest = max(backoff.rest / 2, FIRST_REST) if quicker else backoff.rest
    after = replace(backoff, rate=min(rate, full), connections=min(more, connections), rest=rest, vain=0)
    return replace(after, more_at=now + after.step)


_WAIT = re.compile(
    r"\b(?:try|retry|come back|wait|delay\w*)\b[^.;]{0,40}?\b(\d{1,5})\s*(?:(s)(?:ec(?:ond)?s?)?|(m)(?:in(?:ute)?s?)?"
    r"|(h)(?:ours?)?)\b",
    re.IGNORECASE,
)
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def asked_rest(text: str) -> float:
    """Seconds for which a reply's text asks to be left alone ("try again in 5 minutes"), within bounds; 0.0: none."""
    found = _WAIT.search(text)
    if found is None:
        return 0.0
    number, *units = found.groups()
    return min(int(number) * _SECONDS[next(filter(None, units)).lower()], LONGEST_ASKED)
