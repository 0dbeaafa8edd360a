"""What the system refuses when there is too little of it: memory, processes, threads, open files."""

from __future__ import annotations

import errno
import os

SHORT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOBUFS}

MORE = "give it more (see `ulimit -a`) and run the same command again"
"""What to do."""

NO_THREAD = "can't start new thread"
"""What Python says, and with which exception is no matter."""


def shortage_in(error: BaseException) -> str | None:
    """What the system is short of, in words; None: the error is another, and does not come of one that says so."""
    found = _said_by(error)
    return shortage_in(error.__context__) if found is None and error.__context__ else found


def _said_by(error: BaseException) -> str | None:
    if isinstance(error, ExceptionGroup):
        return next((found for each in error.exceptions if (found := shortage_in(each))), None)
    if isinstance(error, MemoryError):
        return os.strerror(errno.ENOMEM)
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno in SHORT else None
    # A library of an extension module that cannot be opened is an ImportError, whatever the reason.
    reasons = (NO_THREAD, *map(os.strerror, (errno.EMFILE, errno.ENFILE, errno.ENOMEM)))
    return next((reason for reason in reasons if reason in str(error)), None)
