import asyncio

import pytest

from campaign_cli.model.relay import Relay, Tls
from campaign_cli.transport.connect import open_session


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
    ],
)
def test_a_port_that_speaks_something_else_is_told_in_words(greeting: bytes, tls: Tls, said: str) -> None:
    assert refusal(greeting, tls) == said
