"""A relay as a route: how it has been lately, and whether it may be used now."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field, replace

from campaign_cli.engine.budgets import Budgets
from campaign_cli.model.relay import Relay
from campaign_cli.model.reply import Reply
from campaign_cli.policy.budgets import Budget
from campaign_cli.transport.connect import Refusal

log = logging.getLogger(__name__)

FIRST_COOLING, LONGEST_COOLING = 1.0, 60.0
"""Seconds a relay is left alone after its first failure; doubled with each, up to the second."""

FIRST_REST, LONGEST_REST = 300.0, 3600.0
"""Seconds for which a relay that refused us, or that is over its quota, is given up; doubled with each time, up to the
second. A quota of a day is free again little by little (Amazon SES), a login may be mended meanwhile."""

CROWDED_WAIT = 5.0
"""Seconds before asking again for one more session of a relay that works but takes no more at the moment."""


@dataclass(slots=True)
class Route:
    """A relay and how it has been lately. Times are monotonic seconds."""

    relay: Relay
    budget: Budget | None = None
    """What its transactions count against besides their provider's."""
    failures: int = 0
    cooling_until: float = 0.0
    resting_until: float = 0.0
    """Its own budget is used up until then."""
    given_up: str = ""
    """Why it is left alone for long; "": it is not."""
    given_up_until: float = 0.0
    times_given_up: int = 0
    trier: asyncio.Task[None] | None = None
    """Tries it again, while others do its work."""
    trouble: str = ""
    delivered: bool = False
    sessions: int = 0
    opening: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def proven(self) -> bool:
        """Whether it works, as far as is known."""
        return self.sessions > 0 and not self.failures and not self.given_up

    @property
    def rest(self) -> float:
        """Seconds until its own budget allows another transaction."""
        return max(self.resting_until - time.monotonic(), 0.0)

    @property
    def available(self) -> bool:
        """Whether it may be tried now, as far as failures and budgets go."""
        return not self.given_up and self.cooling_until <= time.monotonic() and not self.rest

    @property
    def open(self) -> int:
        """Sessions that are open or soon will be."""
        return self.sessions + self.opening

    @property
    def full(self) -> bool:
        """Whether it may have no more sessions."""
        return self.relay.connections is not None and self.open >= self.relay.connections

    @property
    def until_next_try(self) -> float:
        """Seconds until it is worth trying again, when it has failed."""
        until = self.given_up_until if self.given_up else self.cooling_until
        return max(until - time.monotonic(), FIRST_COOLING)

    def give_up(self, why: str) -> None:
        """Leave it alone for long, because of `why`."""
        rest = min(FIRST_REST * 2**self.times_given_up, LONGEST_REST)
        self.given_up, self.given_up_until = why, time.monotonic() + rest
        self.times_given_up += 1

    def refuses(self, why: str) -> None:
        """It has answered that it will not have our mail: it is given up, if it is not."""
        if not self.given_up:
            self.give_up(why)
            log.warning("relay %s: %s", self.relay.name, why)

    def failed(self, refusal: Refusal) -> None:
        """No session with it came about."""
        self.trouble = str(refusal)
        if self.sessions and isinstance(refusal.answer, Reply) and refusal.answer.code // 100 == 4:
            self.cooling_until = time.monotonic() + CROWDED_WAIT
            log.info("relay %s takes no more than %d sessions now: %s", self.relay.name, self.sessions, self.trouble)
            return
        if refusal.lasting and not (self.sessions or self.delivered):
            # One that has let us in before is having a bad moment, whatever it says.
            self.give_up(self.trouble)
        if self.cooling_until > time.monotonic():
            # Of several that were tried at once the first has said it.
            return
        cooling = min(FIRST_COOLING * 2**self.failures, LONGEST_COOLING)
        self.failures += 1
        self.cooling_until = time.monotonic() + cooling
        log.log(logging.INFO if self.failures > 1 else logging.WARNING, "relay %s: %s", self.relay.name, self.trouble)

    def opened(self) -> None:
        """A session with it has come about."""
        if self.failures or self.given_up:
            log.warning("relay %s works again", self.relay.name)
        self.sessions += 1
        self.given_up, self.failures = "", 0

    def ended(self, *, out_of_step: bool) -> None:
        """A session with it has ended."""
        self.sessions -= 1
        if out_of_step and self.relay.chunking:
            # Some servers read a refused chunk as commands: each refusal would leave what is in flight uncertain.
            self.relay = replace(self.relay, chunking=False)
            log.warning("relay %s got out of step: no CHUNKING from now on", self.relay.name)

    def look_at_budget(self, budgets: Budgets) -> None:
        """It was granted nothing: see whether its own budget is used up, and until when."""
        if self.budget and not (allowed := budgets.allowance(self.budget)).free:
            self.resting_until = time.monotonic() + allowed.wait
