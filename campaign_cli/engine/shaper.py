"""A lane's shaper: how many sessions it may have, what it may spend and when, by what its provider says of it."""

from __future__ import annotations

import logging
import random
import time

from campaign_cli.engine.budgets import Budgets
from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.duration import format_duration
from campaign_cli.model.outcome import Verdict
from campaign_cli.model.reply import Phase, Reply
from campaign_cli.policy.budgets import Budget
from campaign_cli.policy.providers import Provider
from campaign_cli.policy.shaping import Backoff, Refusal, Shaping, asked_rest, delivered, displeases, refused

log = logging.getLogger(__name__)

LOOKS_AGAIN = 10.0
"""Seconds after which a lane sees what other campaigns have found out about its provider."""

LONGEST_WHY = 200
"""Characters of a refusal that are kept to say why."""


class Shaper:
    """What a lane may do now. What is held against a provider is kept in `shared`, for all campaigns and later runs.

    All methods raise StateError.
    """

    def __init__(self, provider: Provider, shared: SharedState, budgets: Budgets, shaping: Shaping) -> None:
        self._provider = provider
        self._shared = shared
        self._budgets = budgets
        self._shaping = shaping
        self._limit = provider.pace.rate
        self._take(shared.backoffs.get(provider.name))

    @property
    def paced(self) -> bool:
        """Whether the budgets have to be asked."""
        return any(budget.pace.windows or budget.warmup for budget in self.budgets)

    @property
    def burst(self) -> int:
        """How many messages are worth opening a session for."""
        return self.backoff.burst if self.backoff else 1

    def look(self) -> None:
        """See what is held against the provider, if that has not just been seen."""
        if time.monotonic() >= self._looked + LOOKS_AGAIN:
            self._take(self._shared.backoffs.get(self._provider.name))

    @property
    def rest(self) -> float:
        """Seconds until anything may be started."""
        return max(self.backoff.until - self._shared.now(), 0.0) if self.backoff else 0.0

    @property
    def in_vain(self) -> bool:
        """Whether it was refused again after a rest, and has taken nothing since: who knows when it will."""
        return self.backoff is not None and self.backoff.vain > 1

    def delivered(self) -> bool:
        """Something was taken, while something is held against the provider. Whether more is allowed now."""
        before = self.backoff
        if before is None or (self._shared.now() < before.more_at and not before.vain):
            return False
        limit, connections = self._limit, self._provider.connections
        self._take(
            self._shared.backoffs.change(
                self._provider.name,
                lambda held, now: delivered(held, now, limit=limit, connections=connections) if held else None,
            )
        )
        if self.backoff is None:
            log.info("%s takes everything again: nothing is held back any more", self._provider.name)
        return self.backoff is None or self.backoff.rate > before.rate

    def refused(self, verdict: Verdict, reply: Reply, phase: Phase, sessions: int, least: float = 0.0) -> bool:
        """A refusal, which is heeded for `least` seconds if at all. Whether nothing may be started now because of it,
        though something might have before."""
        name, backoffs = self._provider.name, self._shared.backoffs
        fitting = self._shaping.rules_for(reply, phase, name, verdict.reply_class)
        rules = [rule for rule in fitting if rule.count == 1 or backoffs.count(name, rule) >= rule.count]
        if not (rules or displeases(verdict)):
            return False
        resting = self.rest > 0
        self._budgets.flush()
        refusal = Refusal(
            why=str(reply)[:LONGEST_WHY],
            limit=self._limit,
            taken=backoffs.taken(name),
            connections=min(sessions, self.connections),
            asked=max(asked_rest(reply.text), least),
            rules=rules,
        )
        chance = random.random()  # noqa: S311
        self._take(backoffs.change(name, lambda held, now: refused(held, refusal, now, chance)))
        if self.backoff and not resting:
            log.warning(
                "%s: nothing for %s, then at most %s: %s",
                name,
                format_duration(self.rest),
                self.backoff.most,
                self.backoff.why,
            )
        return not resting

    def _take(self, backoff: Backoff | None) -> None:
        self._looked = time.monotonic()
        self.backoff = backoff
        self.connections = self._provider.connections
        self.budgets: tuple[Budget, ...] = (self._provider.budget,)
        if backoff:
            # A few messages a minute are no work for more than one.
            self.connections = min(self.connections, backoff.connections if backoff.burst == 1 else 1)
            self.budgets = (self._provider.budget, backoff.budget(self._provider.name))
