"""A process that composes messages, so that the one that sends has its hands free.

It is given a Composer, then batches of orders; it answers each batch with the messages, or with what is wrong. It ends
when nobody is at the other end of its socket any more. A template is a program: what it may take of time and of memory
has a bound here, and the process that sends is not the one to suffer.

An answer is the lengths of all its texts, and then the texts, one behind the other: so they are copied but once on
their way to the other process.
"""

from __future__ import annotations

import gc
import json
import marshal
import os
import pickle
import resource
import signal
import socket
from array import array
from collections.abc import Sequence
from types import FrameType

from campaign_cli.content.composer import Composer
from campaign_cli.model.address import Address
from campaign_cli.model.errors import ComposeError
from campaign_cli.model.frames import HEAD, framed, next_frame

LOOKED_AFTER = 5.0
"""Seconds after which it is seen whether the message in work is still the same: it may take up to twice as long, a
thousand times what a large one needs. One timer for all: to set one for each costs as much as a part of the message."""

GIVES_WAY = 10
"""How much nicer than the process that sends: woken, it must not take the core from one that a server waits for."""

MOST_MEMORY = 2 * 1024**3
"""Bytes of address space: what the libraries map, and more than any message."""

ENOUGH = 8 * 1024**2
"""Octets in an answer from which on it says no more: a batch of messages with large files is answered in several."""

STARTED = framed(b"")
"""What a worker says first: it has what it needs, so that what it may die of now is a message."""

Order = tuple[str, str, str, str, float]
"""One message to make: local part, domain, fields as JSON, Message-ID, date."""


_fields_of = json.JSONDecoder().raw_decode
"""Half of what `json.loads` takes, which looks for white space around."""


class TooLong(BaseException):
    """A message takes too long. No Exception: those that a template raises are caught on the way."""


def answer(texts: Sequence[bytes | str]) -> bytes:
    """Messages, and in words what is wrong with others, as a frame. A negative length is that of words.

    What has no length is not made yet.
    """
    octets = [text if isinstance(text, bytes) else text.encode() for text in texts]
    lengths = [len(each) if isinstance(text, bytes) else -len(each) for each, text in zip(octets, texts, strict=True)]
    head = array("i", lengths).tobytes()
    return b"".join([HEAD.pack(len(head) + sum(map(len, octets))), head, *octets])


def answered(frame: memoryview, count: int) -> list[bytes | str]:
    """The texts of an `answer` to `count` orders, without its head: of all or, where that was enough, of the first."""
    lengths = array("i", frame[: count * array("i").itemsize].tobytes())
    texts: list[bytes | str] = []
    end = count * lengths.itemsize
    for length in lengths:
        if length == 0:
            break
        start, end = end, end + abs(length)
        octets = bytes(frame[start:end])
        texts.append(octets if length > 0 else octets.decode())
    return texts


def main(descriptor: int) -> None:
    """Serve the socket `descriptor` until it is closed."""
    os.nice(GIVES_WAY)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rb") as frames:
        composer: Composer = pickle.loads(next_frame(frames))  # noqa: S301 (from our own process)
        # What is there now stays: it need not be looked through for garbage again and again.
        gc.freeze()
        watch = _Watch()
        connection.sendall(STARTED)
        while orders := next_frame(frames):
            connection.sendall(answer(_composed(composer, marshal.loads(orders), watch)))  # noqa: S302


def _composed(composer: Composer, orders: Sequence[Order], watch: _Watch) -> list[bytes | str]:
    texts: list[bytes | str] = []
    octets = 0
    for order in orders:
        text = _compose(composer, order, watch)
        texts.append(text)
        octets += len(text)
        if octets > ENOUGH:
            return texts + [b""] * (len(orders) - len(texts))
    return texts


def _compose(composer: Composer, order: Order, watch: _Watch) -> bytes | str:
    local, domain, fields, message_id, date = order
    try:
        with watch:
            return composer.compose(
                Address(local, domain), _fields_of(fields)[0], message_id=message_id, date=date
            ).content
    except ComposeError as error:
        return str(error)
    except TooLong:
        return f"the template takes more than {LOOKED_AFTER:.0f} s for this row"


class _Watch:
    """Raises TooLong in a message that is still in work when it is looked after for the second time."""

    def __init__(self) -> None:
        self._number = 0
        self._seen = 0
        self._at_work = False
        signal.signal(signal.SIGALRM, self._look)
        signal.setitimer(signal.ITIMER_REAL, LOOKED_AFTER, LOOKED_AFTER)
        signal.setitimer(signal.ITIMER_PROF, 4 * LOOKED_AFTER)

    def __enter__(self) -> None:
        self._number += 1
        self._at_work = True

    def __exit__(self, *_: object) -> None:
        self._at_work = False

    def _look(self, number: int, frame: FrameType | None) -> None:
        # A call of the interpreter's own that does not end hears no signal: the other, of processor time, then ends the
        # process. It begins anew whenever this one is heard.
        signal.setitimer(signal.ITIMER_PROF, 4 * LOOKED_AFTER)
        if self._at_work and self._seen == self._number:
            raise TooLong
        self._seen = self._number
