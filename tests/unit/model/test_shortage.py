import errno

import pytest

from campaign_cli.model.shortage import shortage_in


def coming_of(cause: Exception) -> Exception:
    """An error that was met while `cause` was dealt with: as when an event loop cannot be closed."""
    error = RuntimeError("Cannot close a running event loop")
    error.__context__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EMFILE, "x"), "Too many open files"),
        (BlockingIOError(errno.EAGAIN, "x"), "Resource temporarily unavailable"),
        (OSError(errno.EACCES, "x"), None),
        (MemoryError(), "Cannot allocate memory"),
        (RuntimeError("can't start new thread"), "can't start new thread"),
        (RuntimeError("other"), None),
        (ImportError("x.so: cannot open shared object file: Too many open files"), "Too many open files"),
        (ExceptionGroup("tasks", [ValueError(), MemoryError()]), "Cannot allocate memory"),
        (ExceptionGroup("tasks", [ValueError()]), None),
        (OSError(errno.ENFILE, "x"), "Too many open files in system"),
        (coming_of(OSError(errno.EMFILE, "x")), "Too many open files"),
        (coming_of(ValueError()), None),
    ],
)
def test_what_the_system_is_short_of_is_told_from_what_is_wrong_here(error: Exception, words: str | None) -> None:
    assert shortage_in(error) == words
