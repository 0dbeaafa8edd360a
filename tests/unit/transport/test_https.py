import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from campaign_cli.transport import https
from campaign_cli.transport.https import Unfetched, fetch_text

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What comes of it when a server of that name says these octets and closes."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    def fetched(octets: bytes, name: str = "web.test") -> str | Unfetched:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(octets)
            if octets:
                writer.close()

        async def main() -> str | Unfetched:
            listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
            monkeypatch.setattr(https, "PORT", listening.sockets[0].getsockname()[1])
            async with listening:
                return await fetch_text("web.test", "/a.txt", address="127.0.0.1")

        heard: list[bytes] = []
        said = asyncio.run(asyncio.wait_for(main(), 20))
        assert all(each.startswith(b"GET /a.txt HTTP/1.1\r\nHost: web.test\r\n") for each in heard)
        return said

    return fetched


def test_a_text_is_fetched_however_the_server_sends_it(fetched) -> None:
    assert fetched(HEAD + b"Content-Length: 3\r\n\r\nabc") == "abc"
    assert fetched(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n") == "abc"
    assert fetched(HEAD + b"\r\nabc") == "abc"


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"HTTP/1.1 301 Moved\r\nLocation: https://web.test/b.txt\r\n\r\n", "it says 301"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "it says 404"),
        (HEAD.replace(b"plain", b"html") + b"\r\nabc", "it is text/html, not text/plain"),
        (HEAD + b"Content-Length: 5\r\n\r\nabc", "IncompleteRead"),
        (HEAD + b"\r\n" + b"a" * https.MOST, "its answer has more than 65536 bytes"),
        (HEAD + b"\r\n\xff", "'utf-8' codec can't decode"),
        (b"220 hello\r\n", "220 hello"),
        (HEAD + b"A: b\r\n" * 200 + b"\r\nabc", "got more than 100 headers"),
    ],
)
def test_whatever_else_comes_is_no_text(fetched, octets: bytes, said: str) -> None:
    found = fetched(octets)
    assert isinstance(found, Unfetched)
    assert said in found.reason


def test_the_certificate_is_checked(fetched) -> None:
    found = fetched(HEAD + b"\r\nabc", name="other.test")
    assert isinstance(found, Unfetched)
    assert found.reason.startswith("its certificate is not valid: Hostname mismatch")


def test_a_server_that_says_nothing_is_given_up(fetched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(https, "TIMEOUT", 0.3)
    assert fetched(b"") == Unfetched("no answer within 0 s")


def test_nobody_there_is_said() -> None:
    found = asyncio.run(fetch_text("web.test", "/", address="127.0.0.9"))
    assert isinstance(found, Unfetched)
    assert "Errno 111" in found.reason
