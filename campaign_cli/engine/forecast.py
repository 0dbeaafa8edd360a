"""How long the limits make a run: a dry run tells it before, a run's display while it goes on."""

from __future__ import annotations

from typing import NamedTuple

from campaign_cli.config.settings import Settings
from campaign_cli.engine.preparation import Prepared
from campaign_cli.ledger.shared import SharedState
from campaign_cli.policy.budgets import DAY, Budget


class Length(NamedTuple):
    """Seconds from now until the last transaction may start, were the servers infinitely fast and nothing refused:
    with everybody, and with those whom a run sends to, for it leaves when today's share of a warm-up is used up."""

    whole: float
    of_run: float


class Forecast:
    """By what the budgets have been charged with, and by how providers are held back. All methods raise StateError."""

    def __init__(self, settings: Settings, prepared: Prepared, shared: SharedState) -> None:
        self._settings = settings
        self._shared = shared
        relays = () if prepared.sandbox else prepared.relays
        self._relay_budgets = [settings.relay_budgets.get(relay.name) for relay in relays]

    def of_group(self, group: str, recipients: int) -> Length:
        """With so many recipients of a provider, or of another group."""
        shared, budget = self._shared, self._settings.providers.get(group).budget
        backoff = shared.backoffs.get(group)

        def seconds(count: int) -> float:
            spending = self._spending(budget, count)
            return max(spending, backoff.seconds(count, shared.now())) if backoff else spending

        return Length(*map(seconds, self._counts(budget, recipients)))

    def of_relay(self, recipients: int) -> Length:
        """With so many recipients of all groups, by the only relay's own budget. How several would share the work is
        not known."""
        budget = self._relay_budgets[0] if len(self._relay_budgets) == 1 else None
        if budget is None:
            return Length(0.0, 0.0)
        return Length(*[self._spending(budget, count) for count in self._counts(budget, recipients)])

    def _counts(self, budget: Budget, recipients: int) -> tuple[int, int]:
        """How many of them `--limit` lets be started, and how many of these a run starts before it leaves."""
        shared, count = self._shared, min(recipients, self._settings.limit or recipients)
        if budget.warmup is None or self._settings.patience >= DAY:
            return count, count
        return count, budget.share(count, shared.charges(budget), shared.now(), shared.warmup_day(budget))

    def _spending(self, budget: Budget, count: int) -> float:
        shared = self._shared
        day = shared.warmup_day(budget) if budget.warmup else 0
        return budget.seconds(count, shared.charges(budget), shared.now(), day)
