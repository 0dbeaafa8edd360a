import asyncio
import re
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP, AuthResult

from campaign_cli.model.relay import Relay, Tls
from campaign_cli.transport.connect import open_session
from campaign_cli.transport.session import Session
from campaign_cli.transport.transaction import Offers

PASSWORD = "open sesame"


class Taker:
    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd asks for it)
        return "250 ok"


def check(server: Any, session: Any, envelope: Any, mechanism: str, credentials: Any) -> AuthResult:
    return AuthResult(success=credentials.password == PASSWORD.encode(), handled=False)


def opened(
    tls: Tls,
    *,
    user: str | None = None,
    password: str | None = None,
    implicit: bool = False,
    client_cert: Path | None = None,
    **server: Any,
) -> str:
    """What becomes of a session with an aiosmtpd server: `open`, or why not."""
    return session_with(tls, user, password, implicit, client_cert, server)[0]


def session_with(
    tls: Tls, user: str | None, password: str | None, implicit: bool, client_cert: Path | None, server: dict[str, Any]
) -> tuple[str, str]:
    """The same, and what protects it."""

    async def main() -> tuple[str, str]:
        loop = asyncio.get_running_loop()
        context = server.get("tls_context") if implicit else None
        options = {key: value for key, value in server.items() if key != "tls_context" or not implicit}
        listening = await loop.create_server(
            lambda: SMTP(Taker(), hostname="judge", loop=loop, **options), "127.0.0.1", 0, ssl=context
        )
        port = listening.sockets[0].getsockname()[1]
        session = await open_session(Relay("localhost", port, tls, user, client_cert=client_cert), password)
        try:
            if isinstance(session, Session):
                await session.close()
                return "open", session.tls
            return str(session), ""
        finally:
            listening.close()

    return asyncio.run(asyncio.wait_for(main(), 10))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return context, file


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: tuple[ssl.SSLContext, Path]) -> None:
    context, _ = certificate
    for tls, implicit in ((Tls.VERIFIED, False), (Tls.IMPLICIT, True)):
        assert opened(tls, implicit=implicit, tls_context=context).startswith(
            "TLS failed: its certificate is not valid: unable to get local issuer certificate"
        )


def test_a_good_certificate_opens_a_session(
    certificate: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    assert opened(Tls.VERIFIED, tls_context=context, user="ada", password=PASSWORD, authenticator=check) == "open"
    assert opened(Tls.IMPLICIT, implicit=True, tls_context=context) == "open"


def test_a_session_says_what_protects_it(
    certificate: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    options = {"tls_context": context}
    assert session_with(Tls.VERIFIED, None, None, False, None, options) == ("open", "TLSv1.3, verified")
    assert session_with(Tls.IMPLICIT, None, None, True, None, options) == ("open", "TLSv1.3, verified")
    assert session_with(Tls.OPPORTUNISTIC, None, None, False, None, options) == ("open", "TLSv1.3, unverified")
    assert session_with(Tls.OPPORTUNISTIC, None, None, False, None, {}) == ("open", "none")


def test_a_relay_that_asks_who_we_are_is_shown_the_client_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # With TLS 1.3 a client hears only later that its certificate is missed.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    both = tmp_path / "us.pem"
    authority.issue_cert("us.test").private_key_and_cert_chain_pem.write_to_path(str(both))
    both.chmod(0o600)
    assert opened(Tls.OPPORTUNISTIC, client_cert=both, tls_context=context) == "open"
    assert opened(Tls.OPPORTUNISTIC, tls_context=context).startswith("TLS failed")


def test_tls_that_is_asked_for_and_not_offered_ends_the_session() -> None:
    assert opened(Tls.VERIFIED) == "TLS failed: the server does not offer STARTTLS (see ?tls= in the docs)"
    assert opened(Tls.OPPORTUNISTIC) == "open"
    assert opened(Tls.OFF) == "open"


def test_opportunistic_tls_is_used_where_it_is_offered_whatever_the_certificate(
    certificate: tuple[ssl.SSLContext, Path],
) -> None:
    # A server that requires STARTTLS takes no login without it.
    options = {"tls_context": certificate[0], "authenticator": check, "auth_required": True}
    assert opened(Tls.OPPORTUNISTIC, user="ada", password=PASSWORD, **options) == "open"


def test_a_wrong_password_is_told_without_the_password(certificate: tuple[ssl.SSLContext, Path]) -> None:
    options = {"tls_context": certificate[0], "authenticator": check}
    found = opened(Tls.OPPORTUNISTIC, user="ada", password="friend", **options)
    assert found == "refused the login: 535 5.7.8 Authentication credentials invalid"


def test_tls_on_a_port_without_it_is_told() -> None:
    assert opened(Tls.IMPLICIT) == "TLS failed: it does not speak TLS on this port: try smtp://"


def test_nobody_listening_is_told_in_the_systems_words() -> None:
    async def main() -> str:
        return str(await open_session(Relay("127.0.0.1", 1, Tls.OFF), None))

    assert asyncio.run(main()) == "cannot connect: Connection refused"


@pytest.mark.parametrize(
    ("greeting", "said"),
    [
        (b"554 5.7.1 go away\r\n", "refused the connection: 554 5.7.1 go away"),
        (b"421 4.3.2 busy\r\n", "refused the connection: 421 4.3.2 busy"),
        (b"", "cannot connect: "),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "cannot connect: "),
    ],
)
def test_a_greeting_that_is_none_opens_no_session(greeting: bytes, said: str) -> None:
    async def main() -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(greeting)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        refusal = await open_session(Relay("127.0.0.1", server.sockets[0].getsockname()[1], Tls.OFF), None)
        server.close()
        return str(refusal)

    assert asyncio.run(main()).startswith(said)


@pytest.mark.parametrize(
    ("ehlo", "chunking", "offers"),
    [
        (b"250-h\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SIZE 99\r\n", True, Offers(True, True, size=99)),
        (b"250-h\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SIZE\r\n", False, Offers(True)),
        (b"250-h\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 0\r\n", True, Offers(False, False, True, True, 0)),
        (b"250-h\r\n250-size lots\r\n250 pipelining\r\n", True, Offers(True)),
        (b"250-\xff\r\n250-SIZE \xc2\xb2\r\n250 PIPELINING\r\n", True, Offers(True)),
        (b"502 what?\r\n250 h\r\n", True, Offers()),
    ],
    ids=["all", "chunking off", "others", "odd", "odder", "HELO"],
)
def test_a_session_uses_what_the_server_offers_but_chunking_only_where_it_is_on(
    ehlo: bytes, chunking: bool, offers: Offers
) -> None:
    async def main() -> Offers:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 hi\r\n")
            for reply in re.findall(rb"(?:250-.*\r\n)*\d{3} .*\r\n", ehlo):
                await reader.readline()
                writer.write(reply)
            await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        session = await open_session(Relay("127.0.0.1", port, Tls.OFF, chunking=chunking), None)
        server.close()
        assert isinstance(session, Session), session
        session.abort()
        await server.wait_closed()
        return session.offers

    assert asyncio.run(asyncio.wait_for(main(), 10)) == offers
