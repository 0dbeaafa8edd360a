"""A process that composes messages, so that the one that sends has its hands free.

It is given a Composer, then batches of orders; it answers each batch with the messages, or with what is wrong. It ends
when nobody is at the other end of its socket any more. A template is a program: what it may take of time and of memory
has a bound here, and the process that sends is not the one to suffer.
"""

from __future__ import annotations

import json
import marshal
import pickle
import resource
import signal
import socket
from types import FrameType

from campaign_cli.content.composer import Composer
from campaign_cli.model.address import Address
from campaign_cli.model.errors import ComposeError
from campaign_cli.model.frames import framed, next_frame

LONGEST = 10.0
"""Seconds that one message may take: a thousand times what a large one needs."""

MOST_MEMORY = 2 * 1024**3
"""Bytes of address space: what the libraries map, and more than any message."""

STARTED = marshal.dumps(None)
"""What a worker says first: it has what it needs, so that what it may die of now is a message."""

Order = tuple[str, str, str, str, float]
"""One message to make: local part, domain, fields as JSON, Message-ID, date."""


class TooLong(BaseException):
    """A message takes too long. No Exception: those that a template raises are caught on the way."""


def main(descriptor: int) -> None:
    """Serve the socket `descriptor` until it is closed."""
    signal.signal(signal.SIGALRM, _too_long)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rb") as frames:
        composer: Composer = pickle.loads(next_frame(frames))  # noqa: S301 (from our own process)
        connection.sendall(framed(STARTED))
        while orders := next_frame(frames):
            contents = [_compose(composer, order) for order in marshal.loads(orders)]  # noqa: S302
            connection.sendall(framed(marshal.dumps(contents)))


def _compose(composer: Composer, order: Order) -> bytes | str:
    local, domain, fields, message_id, date = order
    signal.setitimer(signal.ITIMER_REAL, LONGEST)
    # A call of the interpreter's own that does not end hears no signal: this one ends the process.
    signal.setitimer(signal.ITIMER_PROF, 2 * LONGEST)
    try:
        return composer.compose(Address(local, domain), json.loads(fields), message_id=message_id, date=date).content
    except ComposeError as error:
        return str(error)
    except TooLong:
        return f"the template takes more than {LONGEST:.0f} s for this row"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TooLong
