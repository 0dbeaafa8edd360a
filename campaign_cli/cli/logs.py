"""The log: what becomes of every recipient, with UTC times."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import suppress
from pathlib import Path

from campaign_cli.cli.streams import shown
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
        print(f"campaign: the log {self.baseFilename}: {error.strerror}; going on without it", file=sys.stderr)


def start_logging(*, verbose: bool, file: Path | None) -> None:
    """Log to standard error when `verbose`, and to `file` when there is one. Raises StateError."""
    targets: list[logging.Handler] = [logging.StreamHandler(sys.stderr)] if verbose else []
    if file:
        try:
            targets.append(LogFile(file, encoding="utf-8"))
        except OSError as error:
            raise StateError(f"the log {file} cannot be written: {error.strerror}; name another file") from None
    formatter = Line("%(asctime)s.%(msecs)03d+00:00 %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    logger = logging.getLogger("campaign_cli")
    logger.handlers = targets or [logging.NullHandler()]
    logger.propagate = False
    logger.setLevel(logging.INFO if targets else logging.CRITICAL)
    for target in targets:
        target.setFormatter(formatter)
