"""Addresses that a run finds to be dead: never mailed again, by any campaign."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable

from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.address import Address
from campaign_cli.model.errors import StateError
from campaign_cli.policy.breaker import ILL_AMONG, ILL_OF, SuppressionBreaker

WRITTEN_EVERY = 1.0
"""Seconds for which suppressions gather before they are written. One that a crash loses has bounced all the same: the
ledger knows; another campaign that mails the address finds it again."""


class _Found:
    """What a provider called unknown lately."""

    def __init__(self) -> None:
        self.breaker = SuppressionBreaker()
        self.lately: deque[Address] = deque(maxlen=ILL_OF)


class Suppressions:
    """Suppresses for the lanes of a run, until a provider calls too many unknown to be believed.

    `tell` is told of that; what goes wrong is told to `failed`.
    """

    def __init__(
        self, shared: SharedState, *, tell: Callable[[str], None], failed: Callable[[StateError], None]
    ) -> None:
        self._shared = shared
        self._tell = tell
        self._failed = failed
        self._found: defaultdict[str, _Found] = defaultdict(_Found)
        self._waiting: dict[Address, str] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, address: Address, reason: str, *, provider: str, results: int) -> bool:
        """Suppress `address`, the `results`-th result of `provider`. Whether that is done."""
        found = self._found[provider]
        found.lately.append(address)
        if found.breaker.unknown(results):
            self._take_back(provider, found)
        if found.breaker.open:
            return False
        self._waiting[address] = reason
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WRITTEN_EVERY, self.flush)
        return True

    def _take_back(self, provider: str, found: _Found) -> None:
        self._tell(
            f"{provider} calls {ILL_OF} of its last {ILL_AMONG} recipients unknown: it may be ill, or the list is old; "
            "those are not suppressed, nor are any more of it in this run"
        )
        self.flush()
        try:
            self._shared.lift(found.lately)
        except StateError as error:
            self._failed(error)

    def flush(self) -> None:
        """Write what has gathered."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        by_reason: defaultdict[str, list[Address]] = defaultdict(list)
        waiting, self._waiting = self._waiting, {}
        for address, reason in waiting.items():
            by_reason[reason].append(address)
        try:
            for reason, addresses in by_reason.items():
                self._shared.suppress(addresses, reason=reason, now=time.time())
        except StateError as error:
            self._failed(error)
