import asyncio
from threading import Thread

import pytest

from campaign_cli.model.relay import Relay, Tls
from campaign_cli.model.shortage import NO_THREAD
from campaign_cli.transport.connect import Refusal, open_session


def refusal(greeting: bytes, tls: Tls) -> str:
    """What is said of a server that greets like this."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await writer.drain()
        await reader.read(1)
        writer.close()

    async def main() -> str:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            return str(await open_session(Relay("127.0.0.1", server.sockets[0].getsockname()[1], tls), None))

    return asyncio.run(asyncio.wait_for(main(), 10))


@pytest.mark.parametrize(
    ("greeting", "tls", "said"),
    [
        (b"220 mail.example.org\r\n", Tls.IMPLICIT, "TLS failed: it does not speak TLS on this port: try smtp://"),
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            Tls.OFF,
            "cannot connect: Malformed SMTP response line: HTTP/1.1 400 Bad Request",
        ),
        (b"554 \xff\x1b[2Jgo\r\n", Tls.OFF, "refused the connection: 554 \ufffd\ufffd[2Jgo"),
        (b"2_5 hi\r\n", Tls.OFF, "cannot connect: not an SMTP reply: 25 hi"),
        (b"?" * 5000 + b"\r\n", Tls.OFF, f"cannot connect: {'Malformed SMTP response line: '.ljust(200, '?')}"),
    ],
)
def test_a_greeting_that_is_none_is_told_in_words_and_never_moves_a_cursor(
    greeting: bytes, tls: Tls, said: str
) -> None:
    assert refusal(greeting, tls) == said


@pytest.mark.parametrize(
    ("answer", "said", "lasting"),
    [
        (b"535 5.7.8 wrong\r\n", "refused the login: 535 5.7.8 wrong", True),
        (b"454 4.7.0 not now\r\n", "refused the login: 454 4.7.0 not now", False),
        (b"999 what\r\n", "the login failed: not an SMTP reply: 999 what", False),
        (b"", "the login failed: the server closed the connection", False),
    ],
)
def test_a_login_is_refused_for_good_only_by_a_server_that_says_so(answer: bytes, said: str, lasting: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in (b"220 hi\r\n", b"250-hi\r\n250 AUTH PLAIN\r\n", answer):
            writer.write(reply)
            await writer.drain()
            if reply:
                await reader.readline()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            relay = Relay("127.0.0.1", server.sockets[0].getsockname()[1], Tls.OFF, "ada")
            refusal = await open_session(relay, "open sesame")
            assert isinstance(refusal, Refusal)
            assert (str(refusal), refusal.lasting) == (said, lasting)

    asyncio.run(asyncio.wait_for(main(), 10))


def test_that_there_is_no_thread_is_the_systems_word_and_never_a_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def asked(words: bytes) -> list[bool]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(words)
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with monkeypatch.context() as short:
                short.setattr(Thread, "start", lambda self: (_ for _ in ()).throw(RuntimeError(NO_THREAD)))
                threadless = await open_session(Relay("127.0.0.1", port, Tls.OFF), None)
            refused = await open_session(Relay("127.0.0.1", port, Tls.OFF), None)
            assert isinstance(threadless, Refusal)
            assert isinstance(refused, Refusal)
            return [threadless.threadless, refused.threadless]

    assert asyncio.run(asked(f"421 {NO_THREAD}\r\n".encode())) == [True, False]
