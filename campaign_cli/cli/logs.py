"""The log: what becomes of every recipient, with UTC times."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from campaign_cli.cli.streams import complain, shown
from campaign_cli.model.errors import StateError


class Line(logging.Formatter):
    """One line for each record, whatever a server or a list had in it."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """What a log makes of a record."""
        return shown(super().format(record))


class LogFile(logging.FileHandler):
    """A log in a file. When that cannot be written it says so once, and the run goes on without it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging asks for it)
        """What a log does with an error of its own."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self.setLevel(logging.CRITICAL + 1)
        with suppress(OSError):
            self.close()
        complain(f"campaign: the log {self.baseFilename}: {error.strerror}; going on without it")


class Warnings(logging.Handler):
    """Tells a person the few lines of a log that are not about recipients."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it, as it stands."""
        self._tell(record.getMessage())


def start_logging(*, verbose: bool, file: Path | None, tell: Callable[[str], None]) -> None:
    """Log to standard error when `verbose`, else `tell` the warnings; and to `file` when there is one. Raises
    StateError."""
    targets: list[logging.Handler] = [logging.StreamHandler(sys.stderr) if verbose else Warnings(tell)]
    if file:
        try:
            targets.append(LogFile(file, encoding="utf-8"))
        except OSError as error:
            raise StateError(f"the log {file} cannot be written: {error.strerror}; name another file") from None
    formatter = Line("%(asctime)s.%(msecs)03d+00:00 %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    logger = logging.getLogger("campaign_cli")
    logger.handlers = targets
    logger.propagate = False
    logger.setLevel(logging.INFO if verbose or file else logging.WARNING)
    for target in targets:
        target.setFormatter(formatter)
