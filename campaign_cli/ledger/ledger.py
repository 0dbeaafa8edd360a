"""The durable record of a campaign; the truth about every recipient.

Each change of state is one UPDATE that names the state it starts from, and whose row count is checked: the
table in `model.lifecycle`, enforced a second time. Changes that are committed together become durable together.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import apsw

from campaign_cli.ledger.changes import Change, in_turns
from campaign_cli.ledger.database import (
    disk_failed,
    open_database,
    open_for_reading,
    roomy,
    statements,
    transaction,
    translated,
)
from campaign_cli.ledger.entries import Batch, Entry
from campaign_cli.ledger.owner import Owner, noticed, owner_here
from campaign_cli.ledger.revisions import Revisions
from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.address import Address
from campaign_cli.model.dns import Lack
from campaign_cli.model.errors import StateError
from campaign_cli.model.lifecycle import State
from campaign_cli.model.recipient import Recipient
from campaign_cli.model.result import Result

SCHEMA = "ledger-schema"

CHECKPOINTED_AT_ONCE = 8192
"""Pages (32 MiB) of the log after which a commit writes them to the database and waits for the disk: SQLite's own 1000
would make it wait every tenth of a second of a fast run, for pages that are about to change again."""


@dataclass(frozen=True, slots=True)
class Work:
    """What is left for one provider: how many recipients, and when the first is due (UTC seconds)."""

    provider: str
    count: int
    due_at: float


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the recipient with this key stands. `email` is the address as it is sent to."""

    key: str
    email: str
    state: State


@dataclass(frozen=True, slots=True)
class Listing:
    """One enrolment: of which list, the hash of its file's bytes ("" when not known), and when (UTC seconds)."""

    number: int
    list: str
    digest: str
    enrolled_at: float


@dataclass(frozen=True, slots=True)
class Place:
    """How far a lane has come in its queue, which is ordered by when a recipient is due and by its line."""

    due_at: float = -1.0
    line: int = 0

    @property
    def values(self) -> dict[str, float]:
        """As the statements take it."""
        return {"after_due": self.due_at, "after_line": self.line}


class Ledger:
    """One campaign's `ledger.db`, open. All methods raise StateError."""

    def __init__(self, path: Path, connection: apsw.Connection, log: int = -1) -> None:
        self.path = path
        self._connection = connection
        self._sql = statements("ledger")
        with translated(path):
            row = connection.execute("SELECT name, secret, listing, list, template, epoch FROM campaign").fetchone()
        if row is None:
            raise StateError(f"{path} has no campaign in it: it was not finished being made; delete it")
        self.name, self._secret, self.listing, self.list, self.template, self._epoch = row
        self.revisions = Revisions(path, connection)
        self._log = log
        self._lost: StateError | None = None

    @classmethod
    def open(cls, path: Path, *, name: str, shared: SharedState, now: float) -> Ledger:
        """For writing, with the suppressions of `shared` at hand; made when it is not there."""
        connection = open_database(path, SCHEMA)
        with translated(path):
            connection.execute("ATTACH ? AS shared", (shared.attachment,))
            with transaction(connection):
                connection.execute(
                    "INSERT INTO campaign (one, name, secret, created_at, listing, list, template) "
                    "VALUES (1, ?, ?, ?, 0, '', '') ON CONFLICT DO NOTHING",
                    (name, secrets.token_bytes(16), now),
                )
            # From here on what is committed is synced by `sync`, and not by SQLite within each commit.
            connection.pragma("synchronous", "NORMAL")
            connection.wal_autocheckpoint(CHECKPOINTED_AT_ONCE)
            # Beside the file itself, where `path` is a link to it.
            log = os.open(f"{connection.db_filename('main')}-wal", os.O_RDWR | os.O_CLOEXEC)
        return cls(path, connection, log)

    @classmethod
    def read(cls, path: Path) -> Ledger:
        """For reading, also while a run writes; changes nothing."""
        return cls(path, open_for_reading(path, SCHEMA))

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
            if self._log >= 0:
                os.close(self._log)
            if self._lost:
                # To write the log into the database would take for written what may not be.
                self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            self._connection.close()

    @contextmanager
    def _durable(self) -> Iterator[None]:
        """One transaction, on disk at the end."""
        with translated(self.path), transaction(self._connection):
            self._check_owner()
            yield
        self.sync()

    # ---- whose it is ----

    def noticed(self, shared: SharedState, name: str) -> str | None:
        """Why it is not the ledger that the campaign `name` was last sent from, in words; None: it is.

        `shared` is what the campaigns of its folder share.
        """
        with translated(self.path):
            recorded = Owner(*next(self._connection.execute(self._sql["owner"])))
            here = owner_here(self.path)
        if self.name != name:
            return f"is that of the campaign {self.name!r}: it was copied or renamed"
        return noticed(recorded, here, shared.epoch(name), empty=self.listing == 0)

    def own(self, shared: SharedState, name: str, *, adopt: bool) -> str | None:
        """Make it this process's to send the campaign `name` from, to be called under that campaign's lock.

        Whoever had it before can change nothing in it any more. One that is not the ledger last sent from raises
        StateError; with `adopt` it is taken as it is, and what was noticed is returned, in words.
        """
        strange = self.noticed(shared, name)
        if strange and not adopt:
            raise StateError(
                f"{self.path} {strange}. To send from it may mail people twice: put back the one that was last sent "
                "from; or, if there is no other, take this one as it is with --adopt"
            )
        epoch = max(self._epoch, shared.epoch(name)) + 1
        with self._durable():
            here = owner_here(self.path)
            self._connection.execute(self._sql["own"], (name, here.machine, here.inode, here.generation, epoch))
        self.name, self._epoch = name, epoch
        # After the ledger: a crash in between must not make the ledger look like the older one.
        shared.record_epoch(name, epoch)
        return strange

    def _check_owner(self) -> None:
        """In a transaction: that nobody else has made the ledger theirs, and that the disk keeps what it is given."""
        if self._lost:
            raise self._lost
        if self._connection.execute(self._sql["epoch"]).get != self._epoch:
            raise StateError(f"{self.path}: another process has taken this campaign over; stopping")

    # ---- enrolment ----

    def enrol(
        self, batches: Iterable[Batch], *, source: str, template: str, digest: str = "", now: float = 0.0
    ) -> None:
        """Make the rows in `batches` the list of this campaign: one transaction, all of it or nothing.

        Recipients that have a final result keep it. One that they no longer name is not sent to, and is counted
        by `withdrawn`. `digest` is the hash of the list's bytes, `now` UTC seconds.
        """
        listing = self.listing + 1
        with translated(self.path), roomy(self._connection), self._durable():
            self._connection.execute("DELETE FROM other_rows")
            for entries, invalid in batches:
                self._enrol_entries(entries, listing)
                self._connection.executemany(self._sql["invalid_row"], invalid)
            self._connection.execute(
                "UPDATE campaign SET listing = ?, list = ?, template = ?", (listing, source, template)
            )
            self._connection.execute(self._sql["listing"], (listing, source, digest, now))
            if listing > 1:
                self._connection.execute(self._sql["failed_again"], {"listing": listing})
                self._connection.execute(self._sql["lift"])
            self._connection.execute(self._sql["suppress"])
        self.listing, self.list, self.template = listing, source, template

    def _enrol_entries(self, entries: list[Entry], listing: int) -> None:
        before = self._connection.total_changes()
        self._connection.executemany(self._sql["enrol"], [(*entry, listing) for entry in entries])
        if self._connection.total_changes() - before != len(entries):
            # An entry of which nothing came is another's address once more.
            named = [
                {"line": line, "email": f"{local}@{domain}", "key": key} for key, local, domain, _, line, _ in entries
            ]
            self._connection.executemany(self._sql["duplicate_row"], named)

    def recover(self) -> int:
        """Admit what a dead run had in flight, to be called under the campaign's lock; how many are uncertain now."""
        with self._durable():
            self._connection.execute(self._sql["recover"])
            return self._connection.changes()

    def resend_uncertain(self) -> int:
        """Let the uncertain be sent again, as the user asked; how many."""
        with self._durable():
            self._connection.execute(self._sql["resend_uncertain"], {"listing": self.listing})
            return self._connection.changes()

    # ---- domains that no provider claims, each a group of its own ----

    def regroup(self, groups: Mapping[str, str], lacks: Mapping[str, Lack]) -> None:
        """Put what is left of each domain into its group, and bounce it where no mail can ever get to the domain."""
        with self._durable():
            self._connection.executemany(
                self._sql["regroup"],
                ({"domain": domain, "group": group, "listing": self.listing} for domain, group in groups.items()),
            )
            self._connection.executemany(
                self._sql["bounce_domain"],
                (
                    {"domain": domain, "enhanced_code": lack.enhanced_code, "reason": lack, "listing": self.listing}
                    for domain, lack in lacks.items()
                ),
            )

    def defer_domains(self, reasons: Mapping[str, str], *, due_at: float, now: float, lifetime: float) -> None:
        """Defer what is left of each domain until `due_at`, or let it expire: its first attempt was `lifetime` ago."""
        with self._durable():
            values = {"due_at": due_at, "now": now, "too_long_ago": now - lifetime, "listing": self.listing}
            self._connection.executemany(
                self._sql["defer_domain"],
                (values | {"domain": domain, "reason": reason} for domain, reason in reasons.items()),
            )

    # ---- the uncertain ----

    def uncertain(self) -> int:
        """How many recipients of the list are uncertain."""
        with translated(self.path):
            return int(self._connection.execute(self._sql["uncertain"], {"listing": self.listing}).get)

    def all_uncertain(self) -> list[Standing]:
        """Every uncertain recipient, also those whom the list no longer names."""
        with translated(self.path):
            return [
                Standing(key, email, State(state))
                for key, email, state in self._connection.execute(self._sql["all_uncertain"])
            ]

    def standing(self, address: Address) -> Standing | None:
        """The recipient with this address; None: there is none."""
        with translated(self.path):
            row = self._connection.execute(self._sql["standing"], (address.key,)).fetchone()
            return Standing(row[0], row[1], State(row[2])) if row else None

    def resolve(self, recipients: Iterable[Standing], state: State, *, reason: str) -> None:
        """Take the user's word for what became of uncertain recipients: all of them or none."""
        rows = [(state.value, reason, each.key) for each in recipients]
        with self._durable():
            self._change("resolve", rows)

    # ---- the way of a recipient ----

    def claim(self, provider: str, count: int, now: float, after: Place) -> tuple[list[Recipient], Place]:
        """The next recipients of `provider` that are due, at most `count`, and the place of the last.

        Nothing is written about them: that they are in hand is known by their place, to the one run there is.
        """
        values = {"provider": provider, "now": now, "listing": self.listing, "count": count}
        with translated(self.path):
            rows: list[Any] = self._connection.execute(self._sql["claim"], values | after.values).fetchall()
            if suppressed := [row[:1] for row in rows if row[-1]]:
                # Suppressed while the run was under way.
                with transaction(self._connection):
                    self._check_owner()
                    self._connection.executemany(self._sql["suppress_one"], suppressed)
        claimed = [_recipient(*columns) for *columns, _, is_suppressed in rows if not is_suppressed]
        return claimed, Place(rows[-1][-2], rows[-1][1]) if rows else after

    def commit(self, changes: Iterable[Change]) -> None:
        """Make the changes (`ledger.changes`), all or none; those of one recipient in their order.

        They are on disk after the next `sync`. Raises StateError when a recipient is not in the state that its change
        starts from.
        """
        with translated(self.path), transaction(self._connection):
            self._check_owner()
            for statement, rows in in_turns(changes):
                self._change(statement, rows)

    def _change(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        before = self._connection.total_changes()
        self._connection.executemany(self._sql[statement], rows)
        if self._connection.total_changes() - before != len(rows):
            raise StateError(f"{self.path}: a recipient is not in the state it was left in; stopping")

    def sync(self) -> None:
        """Return when every commit made before is on disk. May be called from another thread.

        In WAL mode a commit is durable when its frames in the log are (sqlite.org/wal.html). With synchronous=FULL
        SQLite would sync the log itself in every commit, and everything else would wait for it; with NORMAL it syncs
        only around a checkpoint.

        One that fails is the last: nothing is written to the ledger after it, and it is never tried again, for the
        kernel takes for clean what it could not write, and would call the next one a success (fsync(2)).
        """
        if self._lost:
            raise self._lost
        try:
            os.fdatasync(self._log)
        except OSError as error:
            self._lost = disk_failed(self.path, error.strerror)
            raise self._lost from error

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

    def has_work(self) -> bool:
        """Whether anything is left to do."""
        with translated(self.path):
            return bool(self._connection.execute(self._sql["has_work"], {"listing": self.listing}).get)

    def next_due(self, provider: str, after: Place) -> float | None:
        """When the provider's next recipient behind `after` is due (UTC seconds); None: none is left."""
        with translated(self.path):
            values = {"provider": provider, "listing": self.listing}
            row = self._connection.execute(self._sql["next_due"], values | after.values).fetchone()
            return row[0] if row else None

    def states(self) -> dict[str, int]:
        """How many rows of the list stand in each state; their sum is the number of rows."""
        with translated(self.path):
            return dict(self._connection.execute(self._sql["states"], {"listing": self.listing}))

    def last_listing(self) -> Listing | None:
        """The list as it is now; None: it was enrolled before that was recorded, or never."""
        with translated(self.path):
            row = self._connection.execute(self._sql["last_listing"]).fetchone()
            return Listing(*row) if row else None

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
            yield from map(Result._make, self._connection.execute(self._sql["results"], values))
            if withdrawn:
                yield from map(Result._make, self._connection.execute(self._sql["withdrawn_results"], values))


def _recipient(
    number: int,
    line: int,
    local: str,
    domain: str,
    provider: str,
    fields: str,
    attempts: int,
    first_attempt_at: float | None,
    dated_at: float | None,
) -> Recipient:
    return Recipient(number, line, Address(local, domain), provider, fields, attempts, first_attempt_at, dated_at)
