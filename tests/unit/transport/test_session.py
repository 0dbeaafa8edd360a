"""A session over a real loopback socket: what asyncio makes of the dialogue, and time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop

from campaign_cli.model.address import Address
from campaign_cli.model.envelope import Envelope
from campaign_cli.model.relay import Relay, Tls
from campaign_cli.model.reply import Phase, Reply
from campaign_cli.transport import session as module
from campaign_cli.transport.connect import open_session
from campaign_cli.transport.session import Session
from campaign_cli.transport.transaction import Ending, Transaction

CHUNKING, PIPELINING, PLAIN = ("PIPELINING", "CHUNKING"), ("PIPELINING",), ("8BITMIME",)
WAYS = pytest.mark.parametrize("offers", [CHUNKING, PIPELINING, PLAIN], ids=["chunking", "pipelining", "plain"])
USUAL = {"MAIL": b"250 ok\r\n", "RCPT": b"250 ok\r\n", "DATA": b"354 go\r\n", "RSET": b"250 ok\r\n"}
TAKEN = Ending(Phase.DOT, Reply(250, "2.0.0", "taken"))


@dataclass
class Script:
    """What the server answers to each verb, the n-th time too: `DOT`, `DOT2`; None closes the connection instead."""

    replies: dict[str, bytes | None] = field(default_factory=dict)
    offers: tuple[str, ...] = CHUNKING
    heard: list[str] = field(default_factory=list)
    content: list[bytes] = field(default_factory=list)
    reset: bool = False
    told: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server has heard anything."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(self, verb: str) -> bytes | None:
        self.heard.append(verb)
        if verb == "EHLO":
            return (
                b"250-scripted\r\n" + b"".join(b"250-%s\r\n" % each.encode() for each in self.offers) + b"250 HELP\r\n"
            )
        usual = self.replies.get(verb, USUAL.get(verb, b"250 2.0.0 taken\r\n"))
        return self.replies.get(f"{verb}{self.heard.count(verb)}", usual)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            if self.reset:
                writer.transport.abort()
            writer.close()
            self.told.set()
            self.ended.set()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        verb = ""
        while not (verb == "QUIT" and "QUIT" not in self.replies):
            line = (await reader.readuntil(b"\r\n")).decode()
            verb = line[:4].strip()
            if verb == "BDAT":
                self.content.append(await reader.readexactly(int(line.split()[1])))
                verb = "DOT"
            answer = self.answer(verb)
            self.told.set()
            if answer is None:
                return
            writer.write(answer)
            if verb == "DATA" and answer.startswith(b"3"):
                self.content.append(await reader.readuntil(b"\r\n.\r\n"))
                if (answer := self.answer("DOT")) is None:
                    return
                writer.write(answer)


class Clerk:
    """A client that has `names` to send to, each durable at once unless told not to."""

    def __init__(self, *names: str, durable: bool = True) -> None:
        self.waiting = [message(name) for name in names]
        self.durable = durable
        self.started: list[Transaction] = []
        self.endings: list[tuple[str, Ending]] = []
        self.idled = asyncio.Event()

    def next_for(self, session: Session) -> Transaction | None:
        if not self.waiting:
            return None
        transaction = self.waiting.pop(0)
        transaction.durable = self.durable
        self.started.append(transaction)
        return transaction

    def ended(self, session: Session, transaction: Transaction, ending: Ending) -> None:
        self.endings.append((transaction.envelope.recipient.local, ending))

    def idle(self, session: Session) -> None:
        self.idled.set()

    @property
    def told(self) -> list[str]:
        return [
            f"{name} {ending.phase} {ending.answer.code if isinstance(ending.answer, Reply) else ending.answer.reason}"
            for name, ending in self.endings
        ]


def message(name: str) -> Transaction:
    content = f"Subject: to {name}\r\n\r\n.dots\r\n..more\r\n\x00bye\r\n".encode()
    return Transaction(Envelope(Address("ada", "sender.example"), Address(name, "x.example")), content)


def during(script: Script, act: Callable[[Session], Awaitable[None]], loop: Any = None) -> None:
    """Run `act` with a session that is open to a server which follows `script`."""

    async def main() -> None:
        server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
        session = await open_session(Relay("127.0.0.1", server.sockets[0].getsockname()[1], Tls.OFF), None)
        assert isinstance(session, Session), session
        script.told.clear()
        try:
            await act(session)
        finally:
            session.abort()
            await script.ended.wait()
            server.close()
            await server.wait_closed()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(asyncio.wait_for(main(), 10))


def sent(script: Script, *names: str, loop: Any = None) -> tuple[list[str], bool]:
    """How transactions end, and whether their session could carry another."""
    found: list[tuple[list[str], bool]] = []

    async def act(session: Session) -> None:
        session.client = clerk = Clerk(*names)
        session.pump()
        await clerk.idled.wait()
        assert (session.unused, session.handed_over) == (True, 0)
        found.append((clerk.told, session.usable))

    during(script, act, loop)
    return found[0]


@pytest.mark.parametrize("loop", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@WAYS
def test_messages_arrive_byte_for_byte_in_their_order_and_the_session_goes_on(offers: Any, loop: Any) -> None:
    script, names = Script(offers=offers), [f"n{number}" for number in range(20)]
    assert sent(script, *names, loop=loop) == ([f"{name} dot 250" for name in names], True)
    received = [content.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.") for content in script.content]
    expected = [message(name).content for name in names]
    assert (script.content if offers is CHUNKING else received) == expected


@WAYS
def test_a_refusal_is_told_with_its_words_and_the_others_go_on(offers: Any) -> None:
    behind = {CHUNKING: "DOT2", PIPELINING: "DATA2", PLAIN: "never asked"}[offers]
    script = Script({"RCPT2": b"550 5.1.1 who?\r\n", behind: b"503 no\r\n"}, offers)
    assert sent(script, "ann", "bob", "cy") == (["ann dot 250", "bob rcpt 550", "cy dot 250"], True)


@pytest.mark.parametrize("loop", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("reset", [False, True], ids=["eof", "reset"])
@WAYS
def test_a_connection_that_ends_leaves_what_was_handed_over_unknown(offers: Any, reset: bool, loop: Any) -> None:
    (told,), usable = sent(Script({"DOT": None}, offers, reset=reset), "ann", loop=loop)
    assert (told.startswith(("ann dot the server closed", "ann dot the connection was lost")), usable) == (True, False)


@pytest.mark.parametrize(
    ("offers", "verb", "phase"),
    [
        (PLAIN, "MAIL", Phase.MAIL),
        (PLAIN, "RCPT", Phase.RCPT),
        (PIPELINING, "DATA", Phase.DATA),
        (PIPELINING, "DOT", Phase.DOT),
        (CHUNKING, "DOT", Phase.DOT),
    ],
)
def test_a_server_that_is_silent_is_given_up_after_the_time_its_answer_may_take_and_not_before(
    offers: Any, verb: str, phase: Phase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUTS", dict.fromkeys(module.TIMEOUTS, 0.15) | {phase: 0.3})
    began = time.monotonic()
    assert sent(Script({verb: b""}, offers), "ann") == ([f"ann {phase} the server did not answer for 0 s"], False)
    assert time.monotonic() - began > 0.3


@pytest.mark.parametrize(
    ("offers", "said"), [(CHUNKING, "dot 250"), (PIPELINING, "mail the server did not answer for 0 s")]
)
def test_first_replies_may_take_as_long_as_the_last_where_the_content_went_with_the_commands(
    offers: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUTS", dict.fromkeys(module.TIMEOUTS, 0.1) | {Phase.DOT: 5.0})
    script = Script(dict.fromkeys(("MAIL", "RCPT", "DATA"), b""), offers)

    async def act(session: Session) -> None:
        session.client = clerk = Clerk("ann")
        session.pump()
        await asyncio.sleep(0.3)
        session.data_received(b"250 ok\r\n250 ok\r\n250 taken\r\n")
        assert clerk.told == [f"ann {said}"]

    script.replies["DOT"] = b""
    during(script, act)


def test_a_session_whose_server_has_refused_enough_carries_no_more_and_ends_with_quit() -> None:
    script = Script({"RCPT": b"550 5.1.1 who?\r\n", "DOT": b"503 no\r\n"})
    refused, usable = sent(script, *(f"n{number}" for number in range(30)))
    assert (len(refused), {each.split(" ", 1)[1] for each in refused}, usable) == (10, {"rcpt 550"}, False)

    async def act(session: Session) -> None:
        session.client = clerk = Clerk(*(f"n{number}" for number in range(30)))
        session.pump()
        await clerk.idled.wait()
        await session.close()
        assert script.heard[-2:] == ["DOT", "QUIT"]

    during(script, act)


def test_a_server_that_has_said_421_has_a_few_seconds_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSING_TIMEOUT", 0.05)
    script = Script({"DOT2": b"421 4.7.0 bye\r\n", "RSET2": b"", "MAIL": b"250 ok\r\n", "MAIL3": b""})
    script.replies |= {"RCPT3": b"", "DOT3": b""}
    silent = "the server did not answer for 0 s"
    assert sent(script, "ann", "bob", "cy") == (["ann dot 250", "bob dot 421", f"cy mail {silent}"], False)


def test_nothing_is_written_before_the_mark_is_durable_and_no_time_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUTS", dict.fromkeys(module.TIMEOUTS, 0.2))
    script = Script()

    async def act(session: Session) -> None:
        session.client = clerk = Clerk("ann")
        session.pump()
        await clerk.idled.wait()
        clerk.idled.clear()
        clerk.durable = False
        clerk.waiting.append(message("bob"))
        session.pump()
        # Longer than any answer may take.
        await asyncio.sleep(0.25)
        assert (script.heard[1:], session.handed_over, session.unused) == (["MAIL", "RCPT", "DOT"], 0, False)
        session.durable(clerk.started[1])
        assert session.handed_over == 1
        await clerk.idled.wait()
        assert clerk.told == ["ann dot 250", "bob dot 250"]

    during(script, act)


def test_a_client_that_had_nothing_is_asked_again_when_it_says_so() -> None:
    async def act(session: Session) -> None:
        session.client = clerk = Clerk()
        session.pump()
        clerk.waiting.append(message("ann"))
        session.pump()
        await clerk.idled.wait()
        assert (clerk.endings, session.transactions) == ([("ann", TAKEN)], 1)

    during(Script(), act)
