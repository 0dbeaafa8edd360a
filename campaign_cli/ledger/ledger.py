"""The durable record of a campaign; the truth about every recipient.

Each change of state is one UPDATE that names the state it starts from, and whose row count is checked: the
table in `model.lifecycle`, enforced a second time. Changes made inside `transaction` become durable together.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import apsw

from campaign_cli.ledger.database import open_database, open_for_reading, statements, transaction, translated
from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.address import Address
from campaign_cli.model.contact import BadRow, Row
from campaign_cli.model.errors import StateError
from campaign_cli.model.lifecycle import RowStatus, State
from campaign_cli.model.recipient import Recipient
from campaign_cli.model.reply import Reply
from campaign_cli.model.result import Result
from campaign_cli.policy.providers import Providers


@dataclass(frozen=True, slots=True)
class Work:
    """What is left for one provider: how many recipients, and when the first is due (UTC seconds)."""

    provider: str
    count: int
    due_at: float


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a run that died had in hand: given back, and past knowing."""

    returned: int
    uncertain: int


class Ledger:
    """One campaign's `ledger.db`, open. All methods raise StateError."""

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self.path = path
        self._connection = connection
        self._sql = statements("ledger")
        with translated(path):
            row = connection.execute("SELECT name, secret, listing, list, template FROM campaign").fetchone()
        if row is None:
            raise StateError(f"{path} has no campaign in it: it was not finished being made; delete it")
        self.name, self._secret, self.listing, self.list, self.template = row

    @classmethod
    def open(cls, path: Path, *, name: str, shared: SharedState, now: float) -> Ledger:
        """For writing, with the suppressions of `shared` at hand; made when it is not there."""
        connection = open_database(path, "ledger-schema")
        with translated(path):
            connection.execute("ATTACH ? AS shared", (shared.attachment,))
            with transaction(connection):
                connection.execute(
                    "INSERT INTO campaign VALUES (1, ?, ?, ?, 0, '', '') ON CONFLICT DO NOTHING",
                    (name, secrets.token_bytes(16), now),
                )
        return cls(path, connection)

    @classmethod
    def read(cls, path: Path) -> Ledger:
        """For reading, also while a run writes; changes nothing."""
        return cls(path, open_for_reading(path))

    def copy_to(self, path: Path) -> None:
        """A copy of everything in it, as a file at `path`."""
        with translated(path):
            copy = apsw.Connection(str(path))
            with copy.backup("main", self._connection, "main") as backup:
                backup.step()
            copy.close()

    def close(self) -> None:
        """Give the file back."""
        with translated(self.path):
            self._connection.close()

    def transaction(self) -> AbstractContextManager[None]:
        """Everything done inside becomes durable at its end, or not at all."""
        return transaction(self._connection)

    @contextmanager
    def _unsynced(self) -> Iterator[None]:
        self._connection.pragma("synchronous", "NORMAL")
        try:
            yield
        finally:
            self._connection.pragma("synchronous", "FULL")

    # ---- enrolment ----

    def enrol(self, rows: Iterable[Row], providers: Providers, *, source: str, template: str) -> None:
        """Make `rows` the list of this campaign: one transaction, all of it or nothing.

        Recipients that have a final result keep it. One that `rows` no longer names is not sent to, and is counted
        by `withdrawn`.
        """
        listing = self.listing + 1
        with translated(self.path), self.transaction():
            self._connection.execute("DELETE FROM other_rows")
            for row in rows:
                self._enrol_row(row, providers, listing)
            self._connection.execute(
                "UPDATE campaign SET listing = ?, list = ?, template = ?", (listing, source, template)
            )
            self._connection.execute(self._sql["failed_again"], {"listing": listing})
            self._connection.execute(self._sql["lift"])
            self._connection.execute(self._sql["suppress"])
        self.listing, self.list, self.template = listing, source, template

    def _enrol_row(self, row: Row, providers: Providers, listing: int) -> None:
        if isinstance(row, BadRow):
            values = {"line": row.line, "email": row.email, "status": RowStatus.INVALID, "reason": row.reason}
            self._connection.execute(self._sql["other_row"], values)
            return
        address = row.address
        enrolled = {
            "key": address.key,
            "local": address.local,
            "domain": address.domain,
            "provider": providers.provider_of(address.domain),
            "listing": listing,
            "line": row.line,
            "fields": json.dumps(row.fields, ensure_ascii=False, separators=(",", ":")),
        }
        self._connection.execute(self._sql["enrol"], enrolled)
        if self._connection.changes() == 0:
            duplicate = {"line": row.line, "email": address.email, "key": address.key}
            self._connection.execute(self._sql["duplicate_row"], duplicate)

    def recover(self) -> Recovered:
        """Bring what a dead run had in hand to a state that is true: to be called under the campaign's lock."""
        with translated(self.path), self.transaction():
            self._connection.execute(self._sql["recover_claimed"])
            returned = self._connection.changes()
            self._connection.execute(self._sql["recover_submitting"])
            return Recovered(returned, self._connection.changes())

    def resend_uncertain(self) -> int:
        """Let the uncertain be sent again, as the user asked; how many."""
        with translated(self.path), self.transaction():
            self._connection.execute(self._sql["resend_uncertain"], {"listing": self.listing})
            return self._connection.changes()

    # ---- the way of a recipient ----

    def claim(self, provider: str, count: int, now: float) -> list[Recipient]:
        """At most `count` recipients of `provider` that are due, now this run's to send to.

        Not synced to disk: a claim that a power loss undoes was nothing but a plan.
        """
        with translated(self.path), self._unsynced(), self.transaction():
            values = {"provider": provider, "now": now, "listing": self.listing, "count": count}
            claimed = [_recipient(*row) for row in self._connection.execute(self._sql["claim"], values)]
            suppressed = {number for (number,) in self._connection.execute(self._sql["suppress_claimed"])}
            return [recipient for recipient in claimed if recipient.id not in suppressed]

    def release(self, recipients: Sequence[Recipient]) -> None:
        """Give claimed recipients back: nothing was done about them. Inside a transaction."""
        for recipient in recipients:
            self._change(self._sql["release"], {"id": recipient.id})

    def fail(self, recipient: Recipient, reason: str) -> None:
        """A claimed recipient's message cannot be made. Inside a transaction."""
        self._change(self._sql["fail"], {"id": recipient.id, "reason": reason})

    def mark(self, recipient: Recipient, *, message_id: str, route: str, now: float) -> None:
        """A transaction starts: from here on a crash makes the recipient uncertain. Inside a transaction."""
        values = {"id": recipient.id, "message_id": message_id, "route": route, "now": now}
        self._change(self._sql["mark"], values)

    def record(
        self, recipient: Recipient, state: State, *, reply: Reply | None, reason: str | None, due_at: float = 0.0
    ) -> None:
        """How the transaction ended. Inside a transaction."""
        values = {
            "id": recipient.id,
            "state": state,
            "code": reply.code if reply else None,
            "enhanced_code": reply.enhanced if reply else None,
            "reply": reply.text if reply else None,
            "reason": reason,
            "due_at": due_at,
        }
        self._change(self._sql["record"], values)

    def unmark(self, recipient: Recipient) -> None:
        """The session ended before anything was handed over: as if nothing had been. Inside a transaction."""
        self._change(self._sql["unmark"], {"id": recipient.id})

    def _change(self, statement: str, values: dict[str, object]) -> None:
        self._connection.execute(statement, values)
        if self._connection.changes() != 1:
            raise StateError(f"{self.path}: recipient {values['id']} is not in the state it was left in; stopping")

    def message_id(self, recipient: Recipient, domain: str) -> str:
        """The recipient's Message-ID in this campaign: the same in every attempt, like no other, telling nothing."""
        digest = blake2b(recipient.address.key.encode(), key=self._secret, digest_size=16).hexdigest()
        return f"<{digest}@{domain}>"

    # ---- what is known ----

    def work(self) -> list[Work]:
        """What is left to do, by provider, the largest first."""
        with translated(self.path):
            rows = self._connection.execute(self._sql["work"], {"listing": self.listing})
            return [Work(provider, count, due_at) for provider, count, due_at in rows]

    def next_due(self, provider: str) -> float | None:
        """When the provider's next recipient is due (UTC seconds); None: none is left."""
        with translated(self.path):
            values = {"provider": provider, "listing": self.listing}
            row = self._connection.execute(self._sql["next_due"], values).fetchone()
            return row[0] if row else None

    def states(self) -> dict[str, int]:
        """How many rows of the list stand in each state; their sum is the number of rows."""
        with translated(self.path):
            return dict(self._connection.execute(self._sql["states"], {"listing": self.listing}))

    def withdrawn(self) -> int:
        """How many recipients without a final result the list no longer names."""
        with translated(self.path):
            row = self._connection.execute(self._sql["withdrawn"], {"listing": self.listing}).fetchone()
            return row[0] if row else 0

    def samples(self, count: int) -> list[Recipient]:
        """The first recipients left to send to, in list order, unclaimed."""
        with translated(self.path):
            values = {"listing": self.listing, "count": count}
            return [_recipient(*row) for row in self._connection.execute(self._sql["samples"], values)]

    def results(self, *, withdrawn: bool = False) -> Iterator[Result]:
        """One result for each row of the list, in list order; then, if asked, of those it no longer names."""
        with translated(self.path):
            values = {"listing": self.listing}
            for row in self._connection.execute(self._sql["results"], values):
                yield Result(*row)
            if withdrawn:
                for row in self._connection.execute(self._sql["withdrawn_results"], values):
                    yield Result(*row)


def _recipient(
    number: int,
    line: int,
    local: str,
    domain: str,
    provider: str,
    fields: str,
    attempts: int,
    first_attempt_at: float | None,
) -> Recipient:
    return Recipient(number, line, Address(local, domain), provider, json.loads(fields), attempts, first_attempt_at)
