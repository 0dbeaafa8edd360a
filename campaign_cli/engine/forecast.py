"""How long the limits make a run: a dry run tells it before, a run's display while it goes on."""

from __future__ import annotations

from campaign_cli.config.settings import Settings
from campaign_cli.engine.preparation import Prepared
from campaign_cli.ledger.shared import SharedState
from campaign_cli.policy.budgets import Budget


class Forecast:
    """Seconds from now until the last transaction may start, were the servers infinitely fast and nothing refused.

    By what the budgets have been charged with, and by how providers are held back. All methods raise StateError.
    """

    def __init__(self, settings: Settings, prepared: Prepared, shared: SharedState) -> None:
        self._settings = settings
        self._shared = shared
        relays = () if prepared.sandbox else prepared.relays
        self._relay_budgets = [settings.relay_budgets.get(relay.name) for relay in relays]

    def of_group(self, group: str, recipients: int) -> float:
        """With so many recipients of a provider, or of another group."""
        count = self._started(recipients)
        seconds = self._spending(self._settings.providers.get(group).budget, count)
        backoff = self._shared.backoffs.get(group)
        return max(seconds, backoff.seconds(count, self._shared.now())) if backoff else seconds

    def of_relay(self, recipients: int) -> float:
        """With so many recipients of all groups, by the only relay's own budget. How several would share the work is
        not known."""
        budget = self._relay_budgets[0] if len(self._relay_budgets) == 1 else None
        return self._spending(budget, self._started(recipients)) if budget else 0.0

    def _started(self, recipients: int) -> int:
        """How many of them `--limit` lets a run start."""
        return min(recipients, self._settings.limit or recipients)

    def _spending(self, budget: Budget, count: int) -> float:
        shared = self._shared
        day = shared.warmup_day(budget) if budget.warmup else 0
        return budget.seconds(count, shared.charges(budget), shared.now(), day)
