"""How a session ends when its client wants it to, with a server that says only what a test has it say."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from campaign_cli.model.address import Address
from campaign_cli.model.envelope import Envelope
from campaign_cli.model.reply import Reply
from campaign_cli.transport import session as module
from campaign_cli.transport.session import Session
from campaign_cli.transport.transaction import Ending, Offers, Transaction

PIPELINING, CHUNKING = Offers(pipelining=True), Offers(pipelining=True, chunking=True)
LOOPS = pytest.mark.parametrize("loop", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])


class Peer(asyncio.Protocol):
    """The server's end of the connection."""

    def __init__(self) -> None:
        self.heard = b""
        self.something = asyncio.Event()
        self.closed = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self.something.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()

    async def hears(self, what: bytes) -> None:
        while what not in self.heard:
            self.something.clear()
            await self.something.wait()


class Clerk:
    """A client with messages to send; what it was told, and what it does then."""

    def __init__(self, *names: str, then: Callable[[Session], None] = lambda session: None) -> None:
        self.waiting = [transaction(name) for name in names]
        self.told: list[str] = []
        self.something = asyncio.Event()
        self._then = then

    def next_for(self, session: Session) -> Transaction | None:
        return self.waiting.pop(0) if self.waiting else None

    def ended(self, session: Session, transaction: Transaction, ending: Ending) -> None:
        said = ending.answer.code if isinstance(ending.answer, Reply) else ending.answer.reason
        self.told.append(f"{transaction.envelope.recipient.local} {ending.phase} {said}")
        self._then(session)

    def idle(self, session: Session) -> None:
        self.told.append("idle")
        self.something.set()


def transaction(name: str) -> Transaction:
    return Transaction(
        Envelope(Address("ada", "s.example"), Address(name, "x.example")), f"to {name}\r\n".encode(), durable=True
    )


def during(act: Callable[[Session, Peer], Awaitable[None]], offers: Offers = CHUNKING, loop: Any = None) -> None:
    async def main() -> None:
        running = asyncio.get_running_loop()
        peers: asyncio.Queue[Peer] = asyncio.Queue()

        def accepted() -> Peer:
            peers.put_nowait(peer := Peer())
            return peer

        server = await running.create_server(accepted, "127.0.0.1", 0)
        transport, _ = await running.create_connection(asyncio.Protocol, *server.sockets[0].getsockname())
        session, peer = Session(transport, route="relay:25", offers=offers), await peers.get()
        try:
            await act(session, peer)
        finally:
            session.abort()
            await peer.closed.wait()
            server.close()
            await server.wait_closed()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(main(), 10))


@LOOPS
@pytest.mark.parametrize("answer", [b"221 bye\r\n", b"500 what?\r\n", None], ids=["answered", "refused", "closed"])
def test_closing_says_quit_and_waits_for_any_answer(answer: bytes | None, loop: Any) -> None:
    async def act(session: Session, peer: Peer) -> None:
        session.client = clerk = Clerk()
        closing = asyncio.create_task(session.close())
        await peer.hears(b"QUIT\r\n")
        assert (closing.done(), session.usable) == (False, False)
        peer.transport.write(answer) if answer else peer.transport.close()
        await closing
        await peer.closed.wait()
        assert (peer.heard, clerk.told) == (b"QUIT\r\n", [])

    during(act, loop=loop)


def test_a_server_that_does_not_answer_quit_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "QUIT_TIMEOUT", 0.02)

    async def act(session: Session, peer: Peer) -> None:
        await session.close()
        await peer.closed.wait()
        assert peer.heard == b"QUIT\r\n"

    during(act)


def test_closing_with_something_in_flight_is_no_polite_end_and_tells_nobody() -> None:
    async def act(session: Session, peer: Peer) -> None:
        session.client = clerk = Clerk("ann")
        session.pump()
        await session.close()
        await peer.closed.wait()
        assert (b"QUIT" in peer.heard, clerk.told) == (False, [])

    during(act)


@LOOPS
def test_aborting_ends_the_connection_at_once_and_tells_nobody_anything(loop: Any) -> None:
    async def act(session: Session, peer: Peer) -> None:
        session.client = clerk = Clerk("ann", "bob")
        session.pump()
        peer.transport.write(b"250 ok\r\n250 ok\r\n")
        await peer.hears(b"to bob")
        session.abort()
        await peer.closed.wait()
        session.pump()
        assert clerk.told == []

    during(act, loop=loop)


def test_a_session_that_is_stopped_hands_nothing_more_over_and_waits_for_what_it_has() -> None:
    async def act(session: Session, peer: Peer) -> None:
        session.client = clerk = Clerk("ann", "bob", "cy")
        session.pump()
        peer.transport.write(b"250 ok\r\n250 ok\r\n354 go\r\n")
        await peer.hears(b"to ann\r\n.\r\nMAIL")
        session.stop("the run was stopped")
        assert (clerk.told, session.handed_over, session.usable) == (["bob mail the run was stopped"], 1, False)
        peer.transport.write(b"250 taken\r\n250 ok\r\n250 ok\r\n354 go\r\n")
        await clerk.something.wait()
        assert clerk.told[1:3] == ["ann dot 250", "idle"]
        assert (b"to bob" in peer.heard, len(clerk.waiting)) == (False, 1)

    during(act, PIPELINING)


def test_stopping_a_session_with_nothing_in_flight_says_that_it_is_idle() -> None:
    async def act(session: Session, peer: Peer) -> None:
        session.client = clerk = Clerk()
        session.stop("the run was stopped")
        assert (clerk.told, session.usable) == (["idle"], False)

    during(act)


@LOOPS
@pytest.mark.parametrize("said", [b"421 4.4.2 idle too long\r\n", None], ids=["421", "eof"])
def test_a_session_that_the_server_ends_while_nothing_is_in_flight_says_so(said: bytes | None, loop: Any) -> None:
    async def act(session: Session, peer: Peer) -> None:
        session.client = clerk = Clerk()
        peer.transport.write(said) if said else peer.transport.write_eof()
        await clerk.something.wait()
        assert (session.usable, session.room, session.unused, set(clerk.told)) == (False, 0, True, {"idle"})
        clerk.waiting.append(transaction("ann"))
        session.pump()
        assert (len(clerk.waiting), peer.heard) == (1, b"")

    during(act, loop=loop)


def test_a_client_may_end_the_session_while_it_is_told_of_an_ending() -> None:
    async def act(session: Session, peer: Peer) -> None:
        session.client = clerk = Clerk("ann", "bob", then=Session.abort)
        session.pump()
        await peer.hears(b"to bob")
        peer.transport.write(b"250 ok\r\n250 ok\r\n250 taken\r\n")
        await peer.closed.wait()
        assert clerk.told == ["ann dot 250"]

    during(act)


def test_a_server_that_answers_an_octet_at_a_time_is_given_up_as_a_silent_one_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "TIMEOUTS", dict.fromkeys(module.TIMEOUTS, 0.1))

    async def act(session: Session, peer: Peer) -> None:
        def drip() -> None:
            if not peer.closed.is_set():
                peer.transport.write(b"2")
                asyncio.get_running_loop().call_later(0.02, drip)

        session.client = clerk = Clerk("ann")
        session.pump()
        drip()
        await clerk.something.wait()
        assert clerk.told[0] == "ann dot the server did not answer for 0 s"

    during(act)
