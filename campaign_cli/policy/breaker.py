"""When a provider's refusals are no longer believed, or no longer only the recipients'."""

from __future__ import annotations

from collections import deque

ILL_OF, ILL_AMONG = 25, 50
"""A provider that calls so many of so many results in a row unknown is ill, or the list is: a half. Of a clean list one
or two in a hundred are unknown, of a bad one ten; providers have called all of theirs unknown for an hour (iCloud,
2021-04-26). Fewer than 25 would let chance, or one company that closed, look like that."""

REFUSALS_IN_A_ROW = 3
"""Refusals of what is sent, without a delivery between them, that are believed about the campaign. One or two may be a
single server's filter; a provider that refuses the first three will refuse the next thousand."""


class SuppressionBreaker:
    """Opens when a provider calls half of its last recipients unknown. It does not close again in a run.

    It is told only of the unknown, each with how many results there have been so far: others cost nothing.
    """

    def __init__(self) -> None:
        self._seen: deque[int] = deque(maxlen=ILL_OF)
        self.open = False

    def unknown(self, results: int) -> bool:
        """One more is unknown, the `results`-th result of the provider. Whether this opens the breaker."""
        self._seen.append(results)
        if self.open or len(self._seen) < ILL_OF or results - self._seen[0] >= ILL_AMONG:
            return False
        self.open = True
        return True


class RefusalsInARow:
    """Counts refusals of what is sent that no delivery has contradicted."""

    def __init__(self) -> None:
        self._count = 0
        self._delivered = 0

    def refused(self, delivered: int) -> bool:
        """One more, after so many deliveries in the run. Whether it is believed about the campaign."""
        self._count = self._count + 1 if delivered == self._delivered else 1
        self._delivered = delivered
        return self._count >= REFUSALS_IN_A_ROW
