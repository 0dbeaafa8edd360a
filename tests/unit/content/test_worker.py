"""The worker as its parent sees it: a process, for it bounds its own memory."""

import marshal
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from campaign_cli.content.composer import Composer
from campaign_cli.content.template import load_template
from campaign_cli.content.worker import Order, answered
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.frames import HEAD, framed

TEMPLATE = "---\nsubject: Hi\n---\n{% if name == 'odd' %}{{ 1 // 0 }}{% endif %}Dear {{ name }}\n"
START = "import sys; from campaign_cli.content import worker; {before}; worker.main({descriptor})"
ENDLESS = """
from campaign_cli.content.composer import Composer
made = Composer.compose
def endless(self, address, *rest, **more):
    while address.local == "endless":
        pass
    return made(self, address, *rest, **more)
Composer.compose = endless
worker.LOOKED_AFTER = 0.1
"""
Ask = Callable[..., list[bytes | str]]


class Worker:
    """A worker process that was given its composer, after it ran `before`."""

    def __init__(self, folder: Path, before: str = "pass") -> None:
        path = folder / "mail.txt"
        path.write_text(TEMPLATE)
        self.composer = Composer(load_template(path), Mailbox("News", Address("news", "y.example")))
        self.connection, theirs = socket.socketpair()
        self.connection.settimeout(20)
        start = START.format(before=f"exec({before!r})", descriptor=theirs.fileno())
        with theirs:
            self.process = subprocess.Popen([sys.executable, "-c", start], pass_fds=[theirs.fileno()])
        self.connection.sendall(framed(pickle.dumps(self.composer)))
        assert self.exactly(HEAD.size) == HEAD.pack(0)

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()
        try:
            assert self.process.wait(timeout=20) == 0
        finally:
            self.process.kill()
            self.process.wait()

    def exactly(self, count: int) -> bytes:
        octets = b""
        while len(octets) < count:
            received = self.connection.recv(count - len(octets))
            assert received
            octets += received
        return octets

    def answer(self, count: int) -> list[bytes | str]:
        (length,) = HEAD.unpack(self.exactly(HEAD.size))
        return answered(memoryview(self.exactly(length)), count)

    def ask(self, *names: str) -> list[bytes | str]:
        self.connection.sendall(framed(marshal.dumps([order(name) for name in names])))
        return self.answer(len(names))

    def made_here(self, name: str) -> bytes:
        local, domain, _, message_id, date = order(name)
        return self.composer.compose(Address(local, domain), {"name": name}, message_id=message_id, date=date).content


def order(name: str) -> Order:
    return name, "x.example", f'{{"name":"{name}"}}', f"<{name}@y.example>", 1_700_000_000.0


def test_a_batch_is_answered_with_messages_and_with_what_is_wrong_in_its_order(tmp_path: Path) -> None:
    with Worker(tmp_path) as worker:
        wrong = f"{tmp_path / 'mail.txt'}:4: integer division or modulo by zero"
        assert worker.ask("ann", "odd", "bob") == [worker.made_here("ann"), wrong, worker.made_here("bob")]
        assert worker.ask("cy") == [worker.made_here("cy")]


def test_a_batch_of_large_messages_is_answered_as_far_as_is_enough(tmp_path: Path) -> None:
    with Worker(tmp_path, "from campaign_cli.content import worker; worker.ENOUGH = 300") as worker:
        assert worker.ask("ann", "bob", "cy", "di") == [worker.made_here("ann"), worker.made_here("bob")]
        assert worker.ask("cy", "di") == [worker.made_here("cy"), worker.made_here("di")]


def test_batches_may_come_in_one_piece_or_byte_by_byte(tmp_path: Path) -> None:
    with Worker(tmp_path) as worker:
        frames = framed(marshal.dumps([order("ann")])), framed(marshal.dumps([order("bob"), order("cy")]))
        expected = [[worker.made_here("ann")], [worker.made_here("bob"), worker.made_here("cy")]]
        worker.connection.sendall(b"".join(frames))
        assert [worker.answer(1), worker.answer(2)] == expected
        for octet in b"".join(frames):
            worker.connection.sendall(bytes([octet]))
        assert [worker.answer(1), worker.answer(2)] == expected


def test_a_message_that_takes_too_long_is_told_in_words_and_the_others_are_made(tmp_path: Path) -> None:
    with Worker(tmp_path, ENDLESS) as worker:
        too_long = "the template takes more than 0 s for this row"
        assert worker.ask("ann", "endless", "bob") == [worker.made_here("ann"), too_long, worker.made_here("bob")]
