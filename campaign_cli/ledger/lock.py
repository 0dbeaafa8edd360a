"""One process at a time works on a campaign: a lock of the operating system, which dies with its process."""

from __future__ import annotations

import fcntl
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from campaign_cli.model.errors import HeldError, StateError


class CampaignLock:
    """Held from its creation until `release` or the end of the process, however that comes.

    Raises HeldError, saying who holds it, when another process does.
    """

    def __init__(self, folder: Path, name: str) -> None:
        path = folder / "lock"
        try:
            self._file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"{path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _read(self._file)
            os.close(self._file)
            raise HeldError(f"campaign {name!r} is being sent by {owner}: nothing was started") from None
        now = datetime.now(UTC).isoformat(timespec="seconds")
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"process {os.getpid()} on {socket.gethostname()} since {now}\n".encode(), 0)

    def release(self) -> None:
        """Let another process have the campaign."""
        os.ftruncate(self._file, 0)
        os.close(self._file)


def holder(folder: Path) -> str | None:
    """Who holds the campaign whose folder this is, in words; None: nobody."""
    try:
        file = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(file)
    else:
        return None
    finally:
        os.close(file)


def _read(file: int) -> str:
    return os.pread(file, 1000, 0).decode("utf-8", "replace").strip() or "another process"
