"""What is held against providers, from one run to the next: a part of `shared.db`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import apsw

from campaign_cli.ledger.clock import BudgetClock
from campaign_cli.ledger.database import transaction, translated
from campaign_cli.policy.shaping import MEASURED_OVER, Backoff, ShapingRule


class Backoffs:
    """How providers are held back, for all campaigns of the state folder. Every method raises StateError."""

    def __init__(self, path: Path, connection: apsw.Connection, clock: BudgetClock) -> None:
        self._path = path
        self._connection = connection
        self._clock = clock

    def get(self, provider: str) -> Backoff | None:
        """What is held against `provider`; None: nothing."""
        with translated(self._path):
            return self._get(provider)

    def all(self) -> dict[str, Backoff]:
        """By provider, whatever is held against any."""
        with translated(self._path):
            names = [name for (name,) in self._connection.execute("SELECT provider FROM backoffs ORDER BY provider")]
            return {name: backoff for name in names if (backoff := self._get(name))}

    def change(self, provider: str, change: Callable[[Backoff | None, float], Backoff | None]) -> Backoff | None:
        """Make of what is held against `provider` what `change` makes of it at a moment of the budget clock."""
        with translated(self._path), transaction(self._connection):
            after = change(self._get(provider), self._clock.now())
            if after is None:
                self._connection.execute("DELETE FROM backoffs WHERE provider = ?", (provider,))
            else:
                row = (provider, *astuple(after))
                self._connection.execute("REPLACE INTO backoffs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            return after

    def count(self, provider: str, rule: ShapingRule) -> int:
        """One more refusal fits `rule`: how many have within its period."""
        with translated(self._path), transaction(self._connection):
            now, whose = self._clock.now(), (provider, rule.id)
            self._connection.execute("INSERT INTO displeasures VALUES (?, ?, ?)", (*whose, now))
            old = "DELETE FROM displeasures WHERE provider = ? AND rule = ? AND at < ?"
            self._connection.execute(old, (*whose, now - rule.period))
            counted = "SELECT count(*) FROM displeasures WHERE provider = ? AND rule = ?"
            return int(self._connection.execute(counted, whose).get)

    def taken(self, provider: str) -> float:
        """How many transactions a second have started with `provider` lately."""
        with translated(self._path):
            now = self._clock.now()
            asked = "SELECT min(until), sum(count) FROM charges WHERE provider = ? AND until > ?"
            first, count = next(self._connection.execute(asked, (provider, now - MEASURED_OVER)))
            # A charge is counted until the end of its bucket, which may not have come.
            return count / max(now - first, 1.0) if count else 0.0

    def _get(self, provider: str) -> Backoff | None:
        # Its columns are in the order of Backoff's fields.
        rows = self._connection.execute("SELECT * FROM backoffs WHERE provider = ?", (provider,))
        backoff = next((Backoff(*fields) for _, *fields in rows), None)
        return None if backoff is None or backoff.forgotten(self._clock.now()) else backoff
