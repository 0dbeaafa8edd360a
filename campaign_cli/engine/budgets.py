"""The budgets as lanes ask for them: one durable charge for everything that wants to start at about the same time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.errors import CampaignError
from campaign_cli.policy.budgets import Budget
from campaign_cli.policy.limits import SLACK, UNLIMITED, Allowance

GATHER = 0.0005
"""Seconds to gather requests before they are charged together, as the ledger's committer does."""

NOTED_EVERY = 1.0
"""Seconds after which transactions without a limit are charged: for the day on which their provider has one."""


Wanted = tuple[Sequence[Budget], int]
"""So many transactions, each of which counts against all of these budgets."""


Granted = Callable[[Sequence[int]], None]


class Budgets:
    """Charges shared budgets for this run's lanes. What goes wrong is told to `failed`, and nothing is granted."""

    def __init__(self, shared: SharedState, failed: Callable[[CampaignError], None]) -> None:
        self._shared = shared
        self._failed = failed
        self._asking: dict[str, tuple[Sequence[Wanted], Granted]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._noted: Counter[str] = Counter()
        self._noting: asyncio.TimerHandle | None = None

    def allowance(self, *budgets: Budget, wanted: int = 1) -> Allowance:
        """What all of these allow now, and when they allow `wanted`. Charges nothing."""
        return self._shared.allowance(*budgets, wanted=wanted)

    def take(self, budget: Budget, wanted: int) -> int:
        """Charge at once at most `wanted`; how many of them. What goes wrong is told to `failed`."""
        try:
            return self._shared.charge([((budget,), wanted)])[0]
        except CampaignError as error:
            self._failed(error)
            return 0

    def charge(self, lane: str, wanted: Sequence[Wanted], granted: Granted) -> None:
        """Charge at most what `lane` wants; `granted` is told how many of each, which start at once or not at all.

        A lane asks again only when it has been told.
        """
        self._asking[lane] = (wanted, granted)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER, self._charge_all)

    def _charge_all(self) -> None:
        self._timer = None
        asking, self._asking = self._asking, {}
        before = self._shared.now()
        try:
            charged = iter(self._shared.charge([each for wanted, _ in asking.values() for each in wanted]))
        except CampaignError as error:
            self._failed(error)
            return
        # A charge that took longer to become durable than its slack may be counted too early: it is not used.
        late = self._shared.now() - before > SLACK / 2
        for wanted, granted in asking.values():
            counts = [next(charged) for _ in wanted]
            granted([0] * len(counts) if late else counts)

    def note(self, provider: str) -> None:
        """One transaction starts with a provider that has no limit."""
        self._noted[provider] += 1
        if self._noting is None:
            self._noting = asyncio.get_running_loop().call_later(NOTED_EVERY, self.flush)

    def flush(self) -> None:
        """Charge what was noted."""
        if self._noting is not None:
            self._noting.cancel()
            self._noting = None
        noted, self._noted = self._noted, Counter()
        if noted:
            try:
                self._shared.charge([((Budget(name, UNLIMITED),), count) for name, count in noted.items()])
            except CampaignError as error:
                self._failed(error)
