"""The budgets as lanes ask for them: one durable charge for everything that wants to start at about the same time."""

from __future__ import annotations

import asyncio

from campaign_cli.ledger.shared import SharedState
from campaign_cli.policy.limits import SLACK, UNLIMITED
from campaign_cli.policy.providers import Provider

GATHER = 0.0005
"""Seconds to gather requests before they are charged together, as the ledger's committer does."""


class Budgets:
    """Charges shared budgets for this run's lanes."""

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared
        self._asking: dict[str, tuple[Provider, list[asyncio.Future[bool]]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def wait(self, provider: Provider) -> float:
        """Seconds until the provider's budget may allow one more; 0.0 means now. Charges nothing."""
        if provider.pace is UNLIMITED:
            return 0.0
        return self._shared.allowance(provider.name, provider.pace).wait

    async def charge(self, provider: Provider) -> bool:
        """Charge one transaction; False when the budget has none left. A granted one starts at once."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()
        self._asking.setdefault(provider.name, (provider, []))[1].append(answer)
        if self._timer is None:
            self._timer = loop.call_later(GATHER, self._charge_all)
        return await answer

    def _charge_all(self) -> None:
        self._timer = None
        asking, self._asking = self._asking, {}
        before = self._shared.now()
        try:
            granted = self._shared.charge(
                {name: (provider.pace, len(answers)) for name, (provider, answers) in asking.items()}
            )
        except Exception as error:
            for _, answers in asking.values():
                for answer in answers:
                    if not answer.done():
                        answer.set_exception(error)
            return
        # A charge that took longer to become durable than its slack may be counted too early: it is not used.
        late = self._shared.now() - before > SLACK / 2
        for name, (provider, answers) in asking.items():
            count = 0 if late and provider.pace is not UNLIMITED else granted[name]
            for place, answer in enumerate(answers):
                if not answer.done():
                    answer.set_result(place < count)
