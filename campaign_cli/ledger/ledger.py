"""The durable record of a campaign; the truth about every recipient.

Each change of state is one UPDATE that names the state it starts from, and whose row count is checked: the
table in `model.lifecycle`, enforced a second time. Changes that are committed together become durable together.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from campaign_cli.ledger.changes import Change, in_turns
from campaign_cli.ledger.database import disk_failed, of_rows, open_database, roomy, transaction, translated
from campaign_cli.ledger.entries import Batch, Entry
from campaign_cli.ledger.owner import owner_here
from campaign_cli.ledger.shared import SharedState
from campaign_cli.ledger.view import SCHEMA, LedgerView, Place, Standing, recipient_of
from campaign_cli.model.dns import Lack
from campaign_cli.model.errors import StateError
from campaign_cli.model.lifecycle import State
from campaign_cli.model.recipient import Recipient

CHECKPOINTED_AT_ONCE = 8192
"""Pages (32 MiB) of the log after which a commit writes them to the database and waits for the disk: SQLite's own 1000
would make it wait every tenth of a second of a fast run, for pages that are about to change again."""

ENROLLED_AT_ONCE = 16
"""Recipients that one statement enrols: a row costs a third less than alone. More gain nothing."""


class Ledger(LedgerView):
    """One campaign's `ledger.db`, open for writing. All methods raise StateError."""

    def __init__(self, path: Path, connection: apsw.Connection, log: int) -> None:
        super().__init__(path, connection)
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

    def close(self) -> None:
        """Give the file back."""
        with translated(self.path):
            os.close(self._log)
            if self._lost:
                # To write the log into the database would take for written what may not be.
                self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        super().close()

    @contextmanager
    def _durable(self) -> Iterator[None]:
        """One transaction, on disk at the end."""
        with translated(self.path), transaction(self._connection):
            self._check_owner()
            yield
        self.sync()

    # ---- whose it is ----

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
        for first in range(0, len(entries), ENROLLED_AT_ONCE):
            some = entries[first : first + ENROLLED_AT_ONCE]
            values = [value for entry in some for value in (*entry, listing)]
            self._connection.execute(of_rows(self._sql["enrol"], len(some)), values)
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

    def resolve(self, recipients: Iterable[Standing], state: State, *, reason: str) -> None:
        """Take the user's word for what became of uncertain recipients: all of them or none."""
        rows = [(state.value, reason, each.key) for each in recipients]
        with self._durable():
            self._change("resolve", rows)

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
        claimed = [recipient_of(*columns) for *columns, _, is_suppressed in rows if not is_suppressed]
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
