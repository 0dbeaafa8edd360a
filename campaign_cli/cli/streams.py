"""The standard streams, whatever the caller made of them: closed, full, of another encoding, or with nobody there."""

from __future__ import annotations

import errno
import io
import json as json_module
import os
import re
import sys
from typing import IO, Any, TextIO

from campaign_cli.model.errors import CampaignError, ExitCode

NOBODY_THERE = (errno.EPIPE, errno.EIO)
"""What writing to a pipe without a reader ends in, and to a terminal that was closed: that is no error of ours."""

UNKNOWN_WIDTH = 80
"""Columns of a terminal that does not say how many it has: a serial line's."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def shown(text: str) -> str:
    """`text` on one line that cannot move a terminal's cursor, whatever a list, a server or a file had in it."""
    return text if text.isprintable() else _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def broken(line: str, width: int, *, indent: str = "") -> str:
    """`line` in as many lines as `width` columns need, broken between words; those after the first are indented."""
    # Only terminals need it.
    from textwrap import fill

    return fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def complain(line: str) -> None:
    """One line on standard error; on a terminal in as many as it needs."""
    line = shown(line)
    if sys.stderr.isatty():
        line = broken(line, os.get_terminal_size(sys.stderr.fileno()).columns or UNKNOWN_WIDTH)
    print(line, file=sys.stderr, flush=True)


def beside_errors(stream: IO[str]) -> bool:
    """Whether who reads `stream` reads standard error with it: on one terminal, in one file, in cron's mail."""
    try:
        return os.path.sameopenfile(stream.fileno(), sys.stderr.fileno())
    except (OSError, ValueError):
        return False


class OutputError(CampaignError):
    """What was asked for could not be said."""

    exit_code = ExitCode.DISK


class Output(io.TextIOWrapper):
    """A stream to which writing never fails: what cannot be written any more is dropped, for sending goes on.

    `lost` is the first error. A character that the locale's encoding does not have is written as its escape.
    """

    lost: OSError | None = None

    def write(self, text: str) -> int:
        """Write `text`, or drop it. Returns its length."""
        try:
            return super().write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        """Write what is buffered, or drop it."""
        try:
            super().flush()
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        if self.lost is None:
            self.lost = error
            # What is buffered goes there as well, or it would be tried again at exit.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)


def open_streams() -> None:
    """Make the standard streams such that no command need care for their state."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            # It was closed, so this takes its number, and no file of ours may have it.
            os.open(os.devnull, os.O_RDWR)
            stream = open(number, "w" if number else "r", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
        if number and isinstance(stream, io.TextIOWrapper):
            encoding, by_line = stream.encoding, stream.line_buffering
            output = Output(stream.detach(), encoding=encoding, errors="backslashreplace", line_buffering=by_line)
            setattr(sys, name, output)


def for_programs() -> TextIO:
    """Standard output, in UTF-8 whatever the locale. Half a surrogate pair is escaped, as JSON has it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    return sys.stdout


def print_json(value: Any) -> None:
    """Say `value` to a program. Raises OutputError."""
    said = json_module.dumps(value, ensure_ascii=False, indent=2)
    # JSON need not escape these, and a terminal obeys them.
    print(re.sub(r"[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", said), file=for_programs())
    check_written()


def check_written() -> None:
    """That all that was printed is where it should be, or that nobody wants it. Raises OutputError."""
    sys.stdout.flush()
    lost = sys.stdout.lost if isinstance(sys.stdout, Output) else None
    if lost and lost.errno not in NOBODY_THERE:
        raise OutputError(f"standard output cannot be written: {lost.strerror}; make room, or send it elsewhere")
