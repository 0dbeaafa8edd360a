"""SIGINT, SIGTERM and SIGHUP: what they do, from the first moment of the process to its last.

A signal that the caller has ignored, as nohup does SIGHUP, stays ignored.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from campaign_cli.model.errors import ExitCode

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

LAST_WORDS = b"\ncampaign: interrupted\n"

SHOW_CURSOR = b"\x1b[?25h"
"""What shows a terminal's cursor again (DEC private mode 25): a live line hides it."""


def end_as_interrupted() -> None:
    """Have the first end the command as Ctrl-C does, by KeyboardInterrupt, and the second the process, at once."""
    _have(_interrupt)


@contextmanager
def heard_by(hear: Callable[[signal.Signals], None]) -> Iterator[None]:
    """While the block runs, `hear` is told of each instead, between any two steps of the main thread."""
    _have(lambda number, _: hear(signal.Signals(number)))
    try:
        yield
    finally:
        _have(_interrupt)


def ignore() -> None:
    """Hear none any more: there is nothing left to stop."""
    _have(signal.SIG_IGN)


def _have(action: Callable[[int, FrameType | None], None] | signal.Handlers) -> None:
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, action)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _have(_leave)
    raise KeyboardInterrupt


def _leave(number: int, frame: FrameType | None) -> None:
    # What is on disk is as after any death: the next run brings it to a true state.
    with suppress(OSError):
        os.write(2, (SHOW_CURSOR if os.isatty(2) else b"") + LAST_WORDS)
    os._exit(ExitCode.INTERRUPTED)
