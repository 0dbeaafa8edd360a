"""Where state lives: `shared.db`, and a folder for each campaign."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
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

    @property
    def unsubscribe_key(self) -> Path:
        """The key by which unsubscribe tokens are made."""
        return self.root / "unsubscribe.key"

    def make_unsubscribe_key(self) -> None:
        """Make that key, for its owner's eyes only, where there is none. Durable when it returns. Raises StateError."""
        if self.unsubscribe_key.exists():
            return
        self.create()
        draft = self.root / f"unsubscribe.key.{secrets.token_hex(8)}"
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(f"{secrets.token_hex(32)}\n")
                file.flush()
                os.fsync(descriptor)
            # Whole or not at all; and of two that begin at once, both have the key of the first.
            with suppress(FileExistsError):
                os.link(draft, self.unsubscribe_key)
            draft.unlink()
            _sync(self.root)
        except OSError as error:
            raise StateError(f"{self.unsubscribe_key} cannot be written: {error.strerror}") from None

    def names(self) -> list[str]:
        """The campaigns that have a ledger here, in alphabetical order."""
        folders = self.root / "campaigns"
        return sorted(path.parent.name for path in folders.glob("*/ledger.db")) if folders.is_dir() else []

    def check(self) -> None:
        """That the folder can be read, or is not there yet. Raises StateError."""
        try:
            if not stat.S_ISDIR(os.stat(self.root).st_mode):
                raise StateError(f"the state folder {self.root} is a file: name a folder with --state")
            os.stat(self.shared)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise StateError(
                f"the state folder {self.root} cannot be read: {error.strerror}; name another with --state"
            ) from None

    def check_local(self) -> None:
        """That the folder is on a file system of this machine alone. Raises StateError."""
        if kind := network_type(self.root):
            raise StateError(
                f"the state folder {self.root} is on a network file system ({kind}), where two machines may send the "
                "same campaign and SQLite's log is not safe (sqlite.org/wal.html): name a local folder with --state"
            )

    def create(self, name: str | None = None) -> None:
        """Make the folder, and that of the campaign `name`, for their owner's eyes only. Raises StateError.

        A folder that is there already keeps its permissions: it may be others' as well. Durable when it returns: SQLite
        syncs the folder that its files are in, and not that folder's own name in the one above.
        """
        self.check()
        folder = (self.campaign(name) if name else self.root).absolute()
        above = next(each for each in self.root.absolute().parents if each.is_dir())
        try:
            for each in (self.root, folder.parent, folder) if name else (self.root,):
                each.mkdir(mode=0o700, parents=each is self.root, exist_ok=True)
            # Also when nothing was made: who made it may have been killed before it was synced.
            for each in folder.parents:
                _sync(each)
                if each == above:
                    break
        except OSError as error:
            raise StateError(
                f"the state folder {folder} cannot be made: {error.strerror}; name another with --state"
            ) from error


def _sync(folder: Path) -> None:
    """Have the names in `folder` on disk; one that we may not even read has none of ours in it."""
    try:
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return
    try:
        os.fsync(file)
    except OSError as error:
        # A file system that has no such thing.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(file)


def default_root() -> Path:
    """`CAMPAIGN_STATE`, else the platform's folder for a user's state."""
    if chosen := os.environ.get("CAMPAIGN_STATE"):
        return Path(chosen)
    import platformdirs

    return Path(platformdirs.user_state_dir("campaign"))
