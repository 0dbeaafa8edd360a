"""Where state lives: `shared.db`, and a folder for each campaign."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from campaign_cli.ledger.owner import network_type
from campaign_cli.model.errors import StateError


@dataclass(frozen=True, slots=True)
class StateFolder:
    """The folder of all state. Nothing is created before `create`."""

    root: Path

    @property
    def shared(self) -> Path:
        """The database that all campaigns share."""
        return self.root / "shared.db"

    def campaign(self, name: str) -> Path:
        """The folder of the campaign `name`, a file name as `config` allows it."""
        return self.root / "campaigns" / name

    def ledger(self, name: str) -> Path:
        """The ledger of the campaign `name`."""
        return self.campaign(name) / "ledger.db"

    def names(self) -> list[str]:
        """The campaigns that have a ledger here, in alphabetical order."""
        folders = self.root / "campaigns"
        return sorted(path.parent.name for path in folders.glob("*/ledger.db")) if folders.is_dir() else []

    def check(self) -> None:
        """That no file is in the folder's place. Raises StateError."""
        if os.path.isfile(self.root):
            raise StateError(f"the state folder {self.root} is a file: name a folder with --state")

    def check_local(self) -> None:
        """That the folder is on a file system of this machine alone. Raises StateError."""
        if kind := network_type(self.root):
            raise StateError(
                f"the state folder {self.root} is on a network file system ({kind}), where two machines may send the "
                "same campaign and SQLite's log is not safe (sqlite.org/wal.html): name a local folder with --state"
            )

    def create(self, name: str | None = None) -> None:
        """Make the folder, and that of the campaign `name`, for their owner's eyes only. Raises StateError.

        A folder that is there already keeps its permissions: it may be others' as well.
        """
        self.check()
        folder = self.campaign(name) if name else self.root
        try:
            for each in (self.root, folder.parent, folder) if name else (self.root,):
                each.mkdir(mode=0o700, parents=each is self.root, exist_ok=True)
        except OSError as error:
            raise StateError(
                f"the state folder {folder} cannot be made: {error.strerror}; name another with --state"
            ) from error


def default_root() -> Path:
    """`CAMPAIGN_STATE`, else the platform's folder for a user's state."""
    if chosen := os.environ.get("CAMPAIGN_STATE"):
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_state_dir("campaign"))
