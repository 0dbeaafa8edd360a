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
            holder = os.pread(self._file, 1000, 0).decode("utf-8", "replace").strip() or "another process"
            os.close(self._file)
            raise HeldError(f"campaign {name!r} is being sent by {holder}: nothing was started") from None
        now = datetime.now(UTC).isoformat(timespec="seconds")
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"process {os.getpid()} on {socket.gethostname()} since {now}\n".encode(), 0)

    def release(self) -> None:
        """Let another process have the campaign."""
        os.ftruncate(self._file, 0)
        os.close(self._file)
