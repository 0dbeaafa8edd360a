"""What a ledger says of its campaign; read also while a run writes, and without changing anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import apsw

from campaign_cli.ledger.database import open_for_reading, statements, translated
from campaign_cli.ledger.owner import Owner, noticed, owner_here
from campaign_cli.ledger.revisions import Revisions
from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.address import Address
from campaign_cli.model.errors import StateError
from campaign_cli.model.lifecycle import State
from campaign_cli.model.recipient import Recipient
from campaign_cli.model.reply import Reply
from campaign_cli.model.result import Result
from campaign_cli.model.variants import Split

SCHEMA = "ledger-schema"


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


class LedgerView:
    """One campaign's `ledger.db`, open for reading. All methods raise StateError."""

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self.path = path
        self._connection = connection
        self._sql = statements("ledger")
        with translated(path):
            row = connection.execute("SELECT name, secret, listing, list, template, epoch FROM campaign").fetchone()
        if row is None:
            raise StateError(f"{path} has no campaign in it: it was not finished being made; delete it")
        self.name, self._secret, self.listing, self.list, self.template, self._epoch = row
        self.revisions = Revisions(path, connection)

    @classmethod
    def read(cls, path: Path) -> LedgerView:
        """The ledger at `path`, as it is now."""
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
            self._connection.close()

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
            return [recipient_of(*row) for row in self._connection.execute(self._sql["samples"], values)]

    def left(self) -> Iterator[str]:
        """The keys of all who are left to send to."""
        with translated(self.path):
            for (key,) in self._connection.execute(self._sql["left"], {"listing": self.listing}):
                yield key

    def results(self, *, withdrawn: bool = False) -> Iterator[Result]:
        """One result for each row of the list, in list order; then, if asked, of those it no longer names."""
        with translated(self.path):
            yield from self._results("results")
            if withdrawn:
                yield from self._results("withdrawn_results")

    def _results(self, statement: str) -> Iterator[Result]:
        """Those of a statement, each with the variant that its revision's split says: none is stored."""
        found = map(Result._make, self._connection.execute(self._sql[statement], {"listing": self.listing}))
        splits = {each.number: each.split for each in self.revisions.all() if each.split}
        return (_varied(result, splits) for result in found) if splits else found

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

    def last_answer(self, recipient: Recipient) -> tuple[str, Reply] | None:
        """The route of the recipient's last transaction and the reply that ended it; None: there was none."""
        with translated(self.path):
            row = self._connection.execute(self._sql["last_answer"], (recipient.id,)).fetchone()
            return (row[0], Reply(*row[1:])) if row else None

    def message_id(self, recipient: Recipient, domain: str) -> str:
        """The recipient's Message-ID in this campaign: the same in every attempt, like no other, telling nothing."""
        digest = blake2b(recipient.address.key.encode(), key=self._secret, digest_size=16).hexdigest()
        return f"<{digest}@{domain}>"


def _varied(result: Result, splits: Mapping[int, Split]) -> Result:
    """The result with its variant, by the split of its revision."""
    split = splits.get(result.revision) if result.revision else None
    return result._replace(variant=split.variant_of(Address(*result.email.rsplit("@", 1)).key)) if split else result


def recipient_of(
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
    """A recipient, as the statements give it."""
    return Recipient(number, line, Address(local, domain), provider, fields, attempts, first_attempt_at, dated_at)
