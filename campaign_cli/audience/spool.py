"""Temporary copies of lists that cannot be read as they are. Each goes when it is closed."""

from __future__ import annotations

import shutil
import stat
import tempfile
from pathlib import Path
from typing import IO, AnyStr, BinaryIO

from campaign_cli.model.errors import ListError

STANDARD_INPUT = "-"
"""What a command is given in place of a file's name."""

PREFIX = "campaign-list-"


def shown_source(source: str) -> str:
    """What messages call the list `source`."""
    return "standard input" if source == STANDARD_INPUT else source


def spooled(source: str, stdin: BinaryIO | None) -> IO[bytes] | None:
    """A copy of a list that can be read but once, such as a pipe; None for a file, and for what is not there.

    Raises ListError.
    """
    name = shown_source(source)
    try:
        if source == STANDARD_INPUT:
            if stdin is None:
                raise ListError(f"{name}: there is none to read a list from")
            return _copied(stdin, tempfile.NamedTemporaryFile(prefix=PREFIX), b"")
        mode = Path(source).stat().st_mode
        if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
            return None
        with Path(source).open("rb") as pipe:
            return _copied(pipe, tempfile.NamedTemporaryFile(prefix=PREFIX, suffix=Path(source).suffix), b"")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ListError(f"{name}: cannot be read: {error.strerror}") from None


def without_comments(file: IO[str], first: int, suffix: str) -> IO[str] | None:
    """A copy of `file` in which the lines before the line `first` are blank; None when they are so already."""
    before = [file.readline() for _ in range(first - 1)]
    if not any(map(str.strip, before)):
        return None
    spool = tempfile.NamedTemporaryFile("w", prefix=PREFIX, suffix=suffix, encoding="utf-8", newline="")  # noqa: SIM115
    return _copied(file, spool, "\n" * len(before))


def _copied(file: IO[AnyStr], spool: IO[AnyStr], head: AnyStr) -> IO[AnyStr]:
    """`spool`, filled with `head` and what is left in `file`; closed when that fails."""
    try:
        spool.write(head)
        shutil.copyfileobj(file, spool)
        spool.flush()
    except BaseException:
        spool.close()
        raise
    return spool
