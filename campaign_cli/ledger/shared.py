"""What all campaigns of a state folder share: suppressed addresses, budgets, what DNS has said, MTA-STS policies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import apsw

from campaign_cli.ledger.backoffs import Backoffs
from campaign_cli.ledger.clock import BudgetClock
from campaign_cli.ledger.database import open_database, open_for_reading, reading_uri, transaction, translated
from campaign_cli.model.address import Address
from campaign_cli.model.dns import Lack, MailHosts
from campaign_cli.policy.budgets import OF_OTHERS, Budget
from campaign_cli.policy.limits import Allowance, Charge, allowance
from campaign_cli.policy.mta_sts import KnownPolicy, Mode, StsPolicy

SCHEMA = "shared-schema"

CHARGE_MEMORY = 8 * 86400.0
"""Seconds a charge is kept: longer than the longest period a limit can be written in (a week)."""

HOSTS_MEMORY = 30 * 86400.0
"""Seconds for which MX hosts are kept when they are no longer to be believed: for days on which DNS cannot be asked."""

LONGEST_BELIEVED = 86400.0
"""Seconds that an answer of DNS is believed at most. RFC 2308 5 wants less than that for one that says no."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address that is never mailed, why, and since when (UTC seconds)."""

    email: str
    reason: str
    added_at: float


class SharedState:
    """`shared.db`, open. Every method that changes it is durable when it returns. All raise StateError."""

    def __init__(self, path: Path, attachment: str, connection: apsw.Connection, clock: BudgetClock) -> None:
        self.path = path
        self.attachment = attachment
        """How a ledger attaches the same file."""
        self._connection = connection
        self._clock = clock
        self.backoffs = Backoffs(path, connection, clock)

    @classmethod
    def open(cls, path: Path) -> SharedState:
        """For writing; made when it is not there."""
        connection = open_database(path, SCHEMA)
        with translated(path):
            return cls(path, path.absolute().as_uri(), connection, BudgetClock.open(connection))

    @classmethod
    def read(cls, path: Path) -> SharedState:
        """For reading, without changing a byte."""
        connection = open_for_reading(path, SCHEMA)
        with translated(path):
            return cls(path, reading_uri(path), connection, BudgetClock.read(connection))

    def close(self) -> None:
        """Give the file back."""
        with translated(self.path):
            self._connection.close()

    def now(self) -> float:
        """Seconds on the budget clock."""
        return self._clock.now()

    def charge(self, wanted: Iterable[tuple[Sequence[Budget], int]]) -> list[int]:
        """Charge budgets with as many of the wanted transactions as all of them allow now; how many of each.

        What is granted is used at once or not at all (`limits.SLACK`). One transaction for all, so that campaigns
        running at the same time never grant the same budget twice.
        """
        granted: list[int] = []
        with translated(self.path), transaction(self._connection):
            now = self._clock.now()
            for asked, count in wanted:
                budgets = [self._today(budget) for budget in asked]
                free = min(self._allowance(budget, now).free for budget in budgets)
                granted.append(min(count, free))
                if granted[-1]:
                    self._connection.executemany(
                        "INSERT INTO warmup_days VALUES (?, ?) ON CONFLICT DO NOTHING",
                        [(budget.name, _utc_day()) for budget in budgets if budget.warmup],
                    )
                    self._connection.executemany(
                        "INSERT INTO charges VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
                        [(budget.name, budget.pace.bucket_end(now), granted[-1]) for budget in budgets],
                    )
        return granted

    def allowance(self, *budgets: Budget, wanted: int = 1) -> Allowance:
        """What all of these allow now, and when they allow `wanted`. Charges nothing."""
        with translated(self.path):
            now = self._clock.now()
            allowed = [self._allowance(self._today(budget), now, wanted) for budget in budgets]
            return Allowance(min(each.free for each in allowed), max(each.wait for each in allowed))

    def _allowance(self, budget: Budget, now: float, wanted: int = 1) -> Allowance:
        return allowance(budget.pace, self._charges(budget, now), now, wanted)

    def charges(self, budget: Budget) -> list[Charge]:
        """What counts against the budget now, oldest first."""
        with translated(self.path):
            return self._charges(self._today(budget), self._clock.now())

    def today(self, budget: Budget) -> Budget:
        """It with what its warm-up allows today."""
        with translated(self.path):
            return self._today(budget)

    def _today(self, budget: Budget) -> Budget:
        return budget.on_day(self._warmup_day(budget)) if budget.warmup else budget

    def warmup_day(self, budget: Budget) -> int:
        """Which day of its warm-up today is, counted from 0: as many as there were before on which it was used."""
        with translated(self.path):
            return self._warmup_day(budget)

    def _warmup_day(self, budget: Budget) -> int:
        asked = "SELECT count(*) FROM warmup_days WHERE budget = ? AND day < ?"
        return int(self._connection.execute(asked, (budget.name, _utc_day())).get)

    def _charges(self, budget: Budget, now: float) -> list[Charge]:
        rows = self._connection.execute(
            "SELECT until, count FROM charges WHERE provider = ? AND until > ? ORDER BY until",
            (budget.name, now - budget.pace.memory),
        )
        return list(map(Charge._make, rows))

    def charged(self) -> list[str]:
        """Whose budgets have been charged lately: providers' and other groups', by name."""
        with translated(self.path):
            names = [name for (name,) in self._connection.execute("SELECT DISTINCT provider FROM charges")]
            return [name for name in names if not name.startswith(OF_OTHERS)]

    def forget_old_charges(self) -> None:
        """Drop the charges, and the refusals counted, that nothing can ask about any more."""
        with translated(self.path), transaction(self._connection):
            before = (self._clock.now() - CHARGE_MEMORY,)
            self._connection.execute("DELETE FROM charges WHERE until < ?", before)
            self._connection.execute("DELETE FROM displeasures WHERE at < ?", before)

    def epoch(self, campaign: str) -> int:
        """How often the campaign's ledger was opened for sending, as far as is known here."""
        with translated(self.path):
            return self._connection.execute("SELECT epoch FROM owners WHERE campaign = ?", (campaign,)).get or 0

    def record_epoch(self, campaign: str, epoch: int) -> None:
        """Know that the campaign's ledger was opened for sending for the `epoch`-th time."""
        with translated(self.path), transaction(self._connection):
            self._connection.execute("REPLACE INTO owners VALUES (?, ?)", (campaign, epoch))

    def mail_hosts(self, now: float) -> dict[str, MailHosts]:
        """What DNS said of domains and may still be believed at `now` (UTC seconds); 0.0: all that is remembered."""
        with translated(self.path):
            rows = self._connection.execute("SELECT domain, hosts, lack, until FROM mail_hosts WHERE until > ?", (now,))
            return {
                domain: MailHosts(tuple(hosts.split()), until - now, Lack(lack) if lack else None)
                for domain, hosts, lack, until in rows
            }

    def remember(self, found: Mapping[str, MailHosts], now: float) -> None:
        """Keep what DNS said at `now` (UTC seconds) as long as it may be believed, and forget what is very old."""
        with translated(self.path), transaction(self._connection):
            self._connection.execute("DELETE FROM mail_hosts WHERE until < ?", (now - HOSTS_MEMORY,))
            self._connection.executemany(
                "REPLACE INTO mail_hosts VALUES (?, ?, ?, ?)",
                (
                    (domain, " ".join(each.hosts), each.lack, now + min(each.ttl, LONGEST_BELIEVED))
                    for domain, each in found.items()
                ),
            )

    def sts_policy(self, domain: str, now: float) -> KnownPolicy | None:
        """The MTA-STS policy of `domain` that holds at `now` (UTC seconds), if one is kept."""
        with translated(self.path):
            row = self._connection.execute(
                "SELECT id, mode, mx, max_age, fetched_at FROM sts_policies "
                "WHERE domain = ? AND fetched_at + max_age > ?",
                (domain, now),
            ).fetchone()
            if row is None:
                return None
            id_, mode, mx, max_age, fetched_at = row
            return KnownPolicy(id_, StsPolicy(Mode(mode), tuple(mx.split()), max_age), fetched_at)

    def keep_sts_policy(self, domain: str, known: KnownPolicy) -> None:
        """Keep the MTA-STS policy of `domain` in the place of what it had; forget those that hold no more."""
        policy = known.policy
        with translated(self.path), transaction(self._connection):
            self._connection.execute("DELETE FROM sts_policies WHERE fetched_at + max_age < ?", (known.fetched_at,))
            self._connection.execute(
                "REPLACE INTO sts_policies VALUES (?, ?, ?, ?, ?, ?)",
                (domain, known.id, policy.mode.value, " ".join(policy.mx), policy.max_age, known.fetched_at),
            )

    def suppress(self, addresses: Iterable[Address], *, reason: str, now: float) -> int:
        """Never mail these again; how many were not suppressed before. `now` is UTC seconds."""
        with translated(self.path), transaction(self._connection):
            before = self._connection.total_changes()
            self._connection.executemany(
                "INSERT INTO suppressions VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                ((address.key, address.email, reason, now) for address in addresses),
            )
            return self._connection.total_changes() - before

    def lift(self, addresses: Iterable[Address]) -> int:
        """Allow these again; how many were suppressed."""
        with translated(self.path), transaction(self._connection):
            before = self._connection.total_changes()
            self._connection.executemany(
                "DELETE FROM suppressions WHERE key = ?", ((address.key,) for address in addresses)
            )
            return self._connection.total_changes() - before

    def suppression(self, address: Address) -> str | None:
        """Why the address is never mailed; None: it may be."""
        with translated(self.path):
            row = self._connection.execute("SELECT reason FROM suppressions WHERE key = ?", (address.key,)).fetchone()
            return str(row[0]) if row else None

    def suppressions(self) -> Iterator[Suppression]:
        """Every suppressed address, by address."""
        with translated(self.path):
            for row in self._connection.execute("SELECT email, reason, added_at FROM suppressions ORDER BY key"):
                yield Suppression(*row)


def _utc_day() -> str:
    return datetime.now(UTC).date().isoformat()
