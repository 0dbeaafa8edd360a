"""The log: what becomes of every recipient, with UTC times."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path

from campaign_cli.model.errors import StateError


def start_logging(*, verbose: bool, file: Path | None) -> None:
    """Log to standard error when `verbose`, and to `file` when there is one. Raises StateError."""
    targets: list[logging.Handler] = [logging.StreamHandler(sys.stderr)] if verbose else []
    if file:
        try:
            targets.append(logging.FileHandler(file, encoding="utf-8"))
        except OSError as error:
            raise StateError(f"the log {file} cannot be written: {error.strerror}; name another file") from None
    formatter = logging.Formatter("%(asctime)s.%(msecs)03d+00:00 %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    logger = logging.getLogger("campaign_cli")
    logger.handlers = targets or [logging.NullHandler()]
    logger.propagate = False
    logger.setLevel(logging.INFO)
    for target in targets:
        target.setFormatter(formatter)
