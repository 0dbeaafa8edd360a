"""Opening a session: connect, greeting, EHLO, STARTTLS, AUTH, certificate checks, all by aiosmtplib."""

from __future__ import annotations

import asyncio
import os
import ssl
from dataclasses import dataclass
from typing import cast

import aiosmtplib

from campaign_cli.model.relay import Relay, Tls
from campaign_cli.model.reply import Answer, Phase, Reply, Silence
from campaign_cli.transport.session import Session
from campaign_cli.transport.wire import Wire, plain, reply_of

CONNECT_TIMEOUT = 30.0
"""Seconds for each step. RFC 5321 4.5.3.2 allows a greeting five minutes, but a relay of one's own that takes more
than this is down, and another is waiting."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """No session came about: at which step, by what answer, and whether asking again could help."""

    phase: Phase
    answer: Answer
    lasting: bool

    def __str__(self) -> str:
        said = str(self.answer) if isinstance(self.answer, Reply) else self.answer.reason
        return f"{_STEPS[self.phase]}: {said}"


_STEPS = {
    Phase.CONNECT: "cannot connect",
    Phase.GREETING: "refused the connection",
    Phase.EHLO: "refused EHLO",
    Phase.TLS: "TLS failed",
    Phase.AUTH: "refused the login",
}


async def open_session(relay: Relay, password: str | None) -> Session | Refusal:
    """A session with `relay`, logged in when it has a user. Never raises for what a server or network does."""
    client = aiosmtplib.SMTP(
        hostname=relay.host,
        port=relay.port,
        use_tls=relay.tls is Tls.IMPLICIT,
        start_tls=False,
        tls_context=_context(relay.tls),
        timeout=CONNECT_TIMEOUT,
    )
    phase = Phase.CONNECT
    try:
        await client.connect()
        phase = Phase.EHLO
        await _ehlo(client)
        if relay.tls in (Tls.REQUIRED, Tls.OPPORTUNISTIC):
            phase = Phase.TLS
            if client.supports_extension("starttls"):
                await client.starttls()
                await _ehlo(client)
            elif relay.tls is Tls.REQUIRED:
                client.close()
                return Refusal(phase, Silence("the server does not offer STARTTLS (see ?tls= in the docs)"), True)
        if relay.user is not None and password is not None:
            phase = Phase.AUTH
            await client.login(relay.user, password)
        return _session(client, relay)
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        client.close()
        return _refusal(phase, error)
    except asyncio.CancelledError:
        client.close()
        raise


async def _ehlo(client: aiosmtplib.SMTP) -> None:
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()


def _context(tls: Tls) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if tls is Tls.OPPORTUNISTIC:
        # Unchecked: it protects against listening alone, which is more than the plain text it replaces.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _session(client: aiosmtplib.SMTP, relay: Relay) -> Session:
    transport = cast(asyncio.Transport, client.transport)
    wire = Wire(transport)
    transport.set_protocol(wire)
    offered = client.esmtp_extensions
    size = offered.get("size", "").strip()
    return Session(
        wire,
        route=relay.name,
        pipelining="pipelining" in offered,
        smtputf8="smtputf8" in offered,
        size=int(size) if size.isdigit() else None,
    )


def _refusal(phase: Phase, error: Exception) -> Refusal:
    if isinstance(error, aiosmtplib.SMTPConnectResponseError):
        phase = Phase.GREETING
    if isinstance(error, aiosmtplib.SMTPResponseException) and 200 <= error.code <= 599:
        reply = reply_of(error.code, [plain(line.encode()) for line in error.message.splitlines()])
        return Refusal(phase, reply, lasting=phase is Phase.AUTH and reply.code >= 500)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Refusal(Phase.TLS, Silence(f"its certificate is not valid: {cause.verify_message}"), True)
        if isinstance(cause, ssl.SSLError):
            return Refusal(Phase.TLS, Silence(f"it does not speak TLS as we do: {cause.reason or cause}"), False)
        if isinstance(cause, OSError) and cause.errno:
            # asyncio words ECONNREFUSED in its own way; a failed look-up has numbers of its own, below zero.
            reason = os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror)
            return Refusal(phase, Silence(reason), lasting=False)
        cause = cause.__cause__ or cause.__context__
    return Refusal(phase, Silence(str(error) or type(error).__name__), lasting=phase is Phase.AUTH)
