import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.model.address import Address
from campaign_cli.model.envelope import Envelope
from campaign_cli.model.relay import Relay, Tls
from campaign_cli.model.reply import Phase, Reply, Silence
from campaign_cli.transport import session as session_module
from campaign_cli.transport.connect import open_session
from campaign_cli.transport.session import Ending, Session, dot_stuffed

ENVELOPE = Envelope(Address("ada", "sender.example"), Address("ann", "gmail.com"))
CONTENT = b"Subject: hello\r\n\r\n.dots\r\n..more\r\nbye\r\n"


@dataclass
class Script:
    """What the server answers to each verb, `.` being the end of content; None ends the connection instead."""

    replies: dict[str, bytes | None] = field(default_factory=dict)
    offers: tuple[str, ...] = ("PIPELINING", "SIZE 1000")
    heard: list[str] = field(default_factory=list)
    chunks: list[bytes] = field(default_factory=list)
    content: bytes = b""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def answer(self, verb: str) -> bytes | None:
        usual = {"MAIL": b"250 ok\r\n", "RCPT": b"250 ok\r\n", "DATA": b"354 go\r\n", ".": b"250 2.0.0 taken\r\n"}
        return self.replies.get(verb, usual.get(verb, b"250 ok\r\n"))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.dialogue(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()
            self.ended.set()

    async def dialogue(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        buffer, in_content = b"", False
        while chunk := await reader.read(65536):
            self.chunks.append(chunk)
            buffer += chunk
            while (end := buffer.find(b"\r\n")) >= 0:
                line, buffer = buffer[: end + 2], buffer[end + 2 :]
                if in_content and line != b".\r\n":
                    self.content += line
                    continue
                verb = "." if in_content else line[:4].decode().strip().upper()
                self.heard.append(verb)
                offers = [b"scripted", *(offer.encode() for offer in self.offers)]
                reply = b"".join(b"250-%s\r\n" % each for each in offers[:-1]) + b"250 %s\r\n" % offers[-1]
                answer = reply if verb == "EHLO" else self.answer(verb)
                in_content = verb == "DATA" and bool(answer) and answer[:1] == b"3"
                if answer is None:
                    return
                writer.write(answer)


def during(script: Script, act: Callable[[Session], Awaitable[None]]) -> None:
    """Run `act` with a session that is open to a server which follows `script`."""

    async def main() -> None:
        server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        session = await open_session(Relay("127.0.0.1", port, Tls.OFF), None)
        assert isinstance(session, Session), session
        try:
            await act(session)
        finally:
            session.abort()
            await script.ended.wait()
            server.close()
            await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(main(), 10))


def durable() -> asyncio.Future[None]:
    """The barrier of a mark that is on disk."""
    barrier = asyncio.get_running_loop().create_future()
    barrier.set_result(None)
    return barrier


def one(script: Script) -> tuple[Ending, bool]:
    """How one transaction ends, and whether its session could carry another."""
    ended: list[tuple[Ending, bool]] = []

    async def act(session: Session) -> None:
        ending = await session.transact(ENVELOPE, CONTENT, durable())
        ended.append((ending, session.usable))

    during(script, act)
    return ended[0]


@pytest.mark.parametrize("offers", [("PIPELINING",), ("8BITMIME",)], ids=["pipelining", "one command at a time"])
def test_a_message_arrives_as_it_was_and_the_session_goes_on(offers: tuple[str, ...]) -> None:
    script = Script(offers=offers)
    assert one(script) == (Ending(Phase.DOT, Reply(250, "2.0.0", "taken")), True)
    assert script.heard == ["EHLO", "MAIL", "RCPT", "DATA", "."]
    assert script.content == b"Subject: hello\r\n\r\n..dots\r\n...more\r\nbye\r\n"


def test_with_pipelining_mail_rcpt_and_data_are_one_write() -> None:
    script = Script()
    one(script)
    assert script.chunks[1] == b"MAIL FROM:<ada@sender.example> SIZE=38\r\nRCPT TO:<ann@gmail.com>\r\nDATA\r\n"


@pytest.mark.parametrize(
    ("replies", "ending", "usable"),
    [
        ({"MAIL": b"550 5.7.1 no\r\n", "RCPT": b"503 no\r\n", "DATA": b"503 no\r\n"}, (Phase.MAIL, 550), True),
        ({"RCPT": b"550 5.1.1 who?\r\n", "DATA": b"503 no\r\n"}, (Phase.RCPT, 550), True),
        ({"RCPT": b"450 4.2.1 busy\r\n", "DATA": b"354 go\r\n", ".": b"554 empty\r\n"}, (Phase.RCPT, 450), True),
        # A server that takes the empty message of a refused recipient has delivered nothing to anybody.
        ({"RCPT": b"550 5.1.1 who?\r\n", "DATA": b"354 go\r\n", ".": b"250 taken\r\n"}, (Phase.RCPT, 550), True),
        ({"DATA": b"451 4.3.0 later\r\n"}, (Phase.DATA, 451), True),
        ({".": b"550 5.7.1 spam\r\n"}, (Phase.DOT, 550), True),
        ({".": b"421 4.3.2 going down\r\n"}, (Phase.DOT, 421), False),
        ({"RCPT": b"421 4.7.0 enough\r\n"}, (Phase.RCPT, 421), False),
        ({"MAIL": b"250 ok\r\n", "RCPT": None}, (Phase.RCPT, None), False),
        ({"DATA": None}, (Phase.DATA, None), False),
        ({".": None}, (Phase.DOT, None), False),
        ({".": b"250-2.0.0 taken\r\n550 not\r\n"}, (Phase.DOT, None), False),
        ({".": b"hello\r\n"}, (Phase.DOT, None), False),
    ],
)
@pytest.mark.parametrize("offers", [("PIPELINING",), ("8BITMIME",)], ids=["pipelining", "one command at a time"])
def test_a_transaction_ends_in_the_first_answer_that_stops_it(
    replies: dict[str, bytes | None], ending: tuple[Phase, int | None], usable: bool, offers: tuple[str, ...]
) -> None:
    found, still_usable = one(Script(replies, offers))
    code = found.answer.code if isinstance(found.answer, Reply) else None
    assert ((found.phase, code), still_usable) == (ending, usable)


def test_no_content_is_written_before_the_mark_is_durable() -> None:
    script = Script()

    async def act(session: Session) -> None:
        mark = asyncio.get_running_loop().create_future()
        sending = asyncio.create_task(session.transact(ENVELOPE, CONTENT, mark))
        while "DATA" not in script.heard:  # noqa: ASYNC110
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        assert (script.content, session.handed_over) == (b"", False)
        mark.set_result(None)
        assert (await sending).phase is Phase.DOT
        assert script.content

    during(script, act)


def test_a_transaction_that_is_cancelled_ends_its_session() -> None:
    async def act(session: Session) -> None:
        sending = asyncio.create_task(session.transact(ENVELOPE, CONTENT, asyncio.Future()))
        await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert not session.usable

    during(Script(), act)


def test_a_server_that_says_something_unasked_gets_no_further_transaction() -> None:
    async def act(session: Session) -> None:
        await session.transact(ENVELOPE, CONTENT, durable())
        async with asyncio.timeout(5):
            while session.usable:  # noqa: ASYNC110
                await asyncio.sleep(0)
        ending = await session.transact(ENVELOPE, CONTENT, durable())
        assert (ending.phase, isinstance(ending.answer, Silence)) == (Phase.MAIL, True)

    during(Script({".": b"250 taken\r\n421 idle too long\r\n"}), act)


def test_a_server_that_is_silent_after_the_final_dot_leaves_it_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(session_module.TIMEOUTS, Phase.DOT, 0.05)
    ending, usable = one(Script({".": b""}))
    assert (ending, usable) == (Ending(Phase.DOT, Silence("the server did not answer for 0 s")), False)


def test_what_the_server_would_refuse_is_refused_before_it_is_asked() -> None:
    script = Script(offers=("SIZE 10",))

    async def act(session: Session) -> None:
        too_big = await session.transact(ENVELOPE, CONTENT, durable())
        intl = Envelope(ENVELOPE.sender, Address("jürgen", "gmail.com"))
        no_utf8 = await session.transact(intl, b"", durable())
        assert [(each.phase, str(each.answer)[:9]) for each in (too_big, no_utf8)] == [
            (Phase.MAIL, "552 5.3.4"),
            (Phase.RCPT, "553 5.6.7"),
        ]
        assert session.usable

    during(script, act)
    assert script.heard == ["EHLO"]


@given(st.lists(st.sampled_from([b".", b"..", b"a", b".a", b"", b"\r\n", b"\r\n.\r\n"])).map(b"\r\n".join))
def test_dot_stuffing_is_undone_by_the_rule_of_the_rfc(content: bytes) -> None:
    wire = dot_stuffed(content)
    lines = wire.split(b"\r\n")
    end = lines.index(b".")
    assert lines[end + 1 :] == [b""]
    received = b"".join((line[1:] if line.startswith(b".") else line) + b"\r\n" for line in lines[:end])
    assert received in (content, content + b"\r\n")
