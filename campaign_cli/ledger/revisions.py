"""Who got what: each template and sender that a campaign was sent with, and how many were sent to with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import apsw

from campaign_cli.ledger.database import statements, transaction, translated
from campaign_cli.model.variants import Split, split_of


@dataclass(frozen=True, slots=True)
class Revision:
    """What messages were made of. `digest` is the same where they are for the same fields; times are UTC seconds.

    `split` says who got which variant; None: there was but one.
    """

    number: int
    digest: str
    template: str
    sender: str
    first_used_at: float
    split: Split | None = None


class Revisions:
    """The revisions of one ledger. All methods raise StateError."""

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self._path = path
        self._connection = connection
        self._sql = statements("revisions")

    def all(self) -> list[Revision]:
        """Every one that was ever used, the first first."""
        with translated(self._path):
            return [_revision(*row) for row in self._connection.execute(self._sql["all"])]

    def current(self) -> Revision | None:
        """The one that was used last; None: nothing was sent since they are recorded."""
        with translated(self._path):
            row = self._connection.execute(self._sql["current"]).fetchone()
            return _revision(*row) if row else None

    def sent_to(self) -> dict[int, int]:
        """By number, how many recipients' last transaction was with it; those without any are left out."""
        with translated(self._path):
            return dict(self._connection.execute(self._sql["sent_to"]))

    def handed_over(self, digest: str, listing: int, *, resend_uncertain: bool) -> int:
        """How many of the list are to be sent to who may already have had a message of another revision than this."""
        values = {"digest": digest, "listing": listing, "resend_uncertain": resend_uncertain}
        with translated(self._path):
            return int(self._connection.execute(self._sql["handed_over"], values).get)

    def use(self, digest: str, *, template: str, sender: str, now: float, split: Split | None = None) -> None:
        """Have who is marked from now on recorded with this one. On disk with the first mark at the latest."""
        with translated(self._path), transaction(self._connection):
            self._connection.execute(self._sql["add"], (digest, template, sender, split.text if split else "", now))
            self._connection.execute(self._sql["use"], (digest,))


def _revision(number: int, digest: str, template: str, sender: str, first_used_at: float, split: str) -> Revision:
    """A revision, as the statements give it."""
    return Revision(number, digest, template, sender, first_used_at, split_of(split))
