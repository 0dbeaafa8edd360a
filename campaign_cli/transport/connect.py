"""Opening a session: connect, greeting, EHLO, STARTTLS, AUTH, certificate checks, all by aiosmtplib."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import cast

import aiosmtplib

from campaign_cli.model.relay import Relay, Tls
from campaign_cli.model.reply import Answer, Phase, Reply, Silence
from campaign_cli.model.shortage import NO_THREAD
from campaign_cli.transport.certificates import CHECKED, context
from campaign_cli.transport.replies import plain, reply_of
from campaign_cli.transport.session import Session
from campaign_cli.transport.transaction import Offers

CONNECT_TIMEOUT = 30.0
"""Seconds for each step. RFC 5321 4.5.3.2 allows a greeting five minutes, but a relay of one's own that takes more
than this is down, and another is waiting."""


SHUTTING_DOWN = 421
"""The server closes the connection, whatever it was asked (RFC 5321 3.8)."""

NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG")
"""What OpenSSL, by its version, calls a greeting in plain text."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """No session came about: at which step, by what answer, and whether asking again could help."""

    phase: Phase
    answer: Answer
    lasting: bool
    whose: str = ""
    """Who said it, where that is not clear; with a space behind it."""
    threadless: bool = False
    """Whether the system gave no thread for it, so that the server was not even asked."""

    def __str__(self) -> str:
        if isinstance(self.answer, Reply):
            return f"{self.whose}{_REFUSED[self.phase]}: {self.answer}"
        return f"{self.whose}{_FAILED[self.phase]}: {self.answer.reason}"


_REFUSED = {
    Phase.CONNECT: "cannot connect",
    Phase.GREETING: "refused the connection",
    Phase.EHLO: "refused EHLO",
    Phase.TLS: "TLS failed",
    Phase.AUTH: "refused the login",
}

_FAILED = _REFUSED | {
    Phase.GREETING: "cannot connect",
    Phase.EHLO: "EHLO failed",
    Phase.AUTH: "the login failed",
}

LONGEST_SHOWN = 200
"""Characters that are repeated of what is no SMTP: such a line may be as long as it likes."""


async def open_session(relay: Relay, password: str | None, *, address: str | None = None) -> Session | Refusal:
    """A session with `relay`, logged in when it has a user. Never raises for what a server, network or system does.

    It is connected to at `address`, an IP address; None: at those that its host name has.
    """
    client = aiosmtplib.SMTP(
        hostname=address or relay.host,
        port=relay.port,
        use_tls=relay.tls is Tls.IMPLICIT,
        start_tls=False,
        local_hostname=relay.ehlo_name,
        source_address=(relay.source_address, 0) if relay.source_address else None,
        tls_context=context(relay),
        timeout=CONNECT_TIMEOUT,
    )
    phase = Phase.CONNECT
    try:
        await client.connect()
        phase = Phase.EHLO
        await _ehlo(client)
        if relay.tls in (Tls.VERIFIED, Tls.REQUIRED, Tls.OPPORTUNISTIC):
            phase = Phase.TLS
            if client.supports_extension("starttls"):
                await client.starttls(server_hostname=relay.host)
                if relay.tlsa and (wrong := _mismatch(client, relay)):
                    _abort(client)
                    return Refusal(phase, Silence(f"its certificate is not valid: {wrong}"), True)
                await _ehlo(client)
            elif relay.tls is not Tls.OPPORTUNISTIC:
                _abort(client)
                where = "" if address else " (see ?tls= in the docs)"
                return Refusal(phase, Silence(f"the server does not offer STARTTLS{where}"), True)
        if relay.user is not None and password is not None:
            phase = Phase.AUTH
            await (client.auth_xoauth2 if relay.xoauth2 else client.login)(relay.user, password)
        return _session(client, relay)
    except (aiosmtplib.SMTPException, OSError, ValueError, RuntimeError, MemoryError) as error:
        _abort(client)
        # Not what a server may have said: many a one says "too many open files".
        return replace(_refusal(phase, error), threadless=isinstance(error, RuntimeError) and NO_THREAD in str(error))
    except asyncio.CancelledError:
        _abort(client)
        raise


def _abort(client: aiosmtplib.SMTP) -> None:
    """End the connection at once: a polite end of TLS would wait for the server, and outlive the run."""
    transport = client.transport
    client.close()
    if transport:
        cast(asyncio.Transport, transport).abort()


def _mismatch(client: aiosmtplib.SMTP, relay: Relay) -> str:
    """Why the server's certificate is not what its TLSA records say; "": it is."""
    # Few servers have such records.
    from campaign_cli.transport.dane import chain_of, mismatch

    tls: ssl.SSLObject = cast(asyncio.Transport, client.transport).get_extra_info("ssl_object")
    return mismatch(relay.tlsa, chain_of(tls), relay.host, datetime.now(UTC))


async def _ehlo(client: aiosmtplib.SMTP) -> None:
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError as error:
        if error.code == SHUTTING_DOWN:
            raise
        await client.helo()


def _session(client: aiosmtplib.SMTP, relay: Relay) -> Session:
    offered = client.esmtp_extensions
    size = offered.get("size", "").strip()
    offers = Offers(
        pipelining="pipelining" in offered,
        chunking="chunking" in offered and relay.chunking,
        eight_bit="8bitmime" in offered,
        smtputf8="smtputf8" in offered,
        size=int(size) if re.fullmatch(r"[0-9]{1,20}", size) else None,
    )
    transport = cast(asyncio.Transport, client.transport)
    return Session(transport, route=relay.name, offers=offers, tls=_protection(transport, relay))


def _protection(transport: asyncio.Transport, relay: Relay) -> str:
    """What protects a session, as the report says it."""
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    if tls is None:
        return "none"
    checked = "verified" if relay.tls in CHECKED else "unverified"
    return ", ".join(filter(None, (tls.version(), checked, relay.tls_by)))


def _refusal(phase: Phase, error: Exception) -> Refusal:
    if isinstance(error, aiosmtplib.SMTPConnectResponseError):
        phase = Phase.GREETING
    if isinstance(error, aiosmtplib.SMTPResponseException) and 200 <= error.code <= 599:
        reply = reply_of(error.code, [_shown(line) for line in error.message.splitlines()])
        return Refusal(phase, reply, lasting=phase is Phase.AUTH and reply.code >= 500)
    if isinstance(error, aiosmtplib.SMTPTimeoutError):
        return Refusal(phase, Silence(f"no answer within {CONNECT_TIMEOUT:.0f} s"), lasting=False)
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Refusal(Phase.TLS, Silence(f"its certificate is not valid: {cause.verify_message}"), True)
        if isinstance(cause, ssl.SSLError):
            plain_port = phase is Phase.CONNECT and cause.reason in NOT_TLS
            said = "on this port: try smtp://" if plain_port else f"as we do: {cause.reason or cause}"
            return Refusal(Phase.TLS, Silence(f"it does not speak TLS {said}"), False)
        if isinstance(cause, OSError) and cause.errno:
            # asyncio words ECONNREFUSED in its own way; a failed look-up has numbers of its own, below zero.
            reason = os.strerror(cause.errno) if cause.errno > 0 else str(cause.strerror)
            return Refusal(phase, Silence(reason), lasting=False)
        if isinstance(cause, aiosmtplib.SMTPServerDisconnected) and cause.__cause__ is None:
            return Refusal(phase, Silence("the server closed the connection"), lasting=False)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, aiosmtplib.SMTPResponseException):
        said = f"not an SMTP reply: {error.code} {error.message}" if error.code > 0 else error.message
        return Refusal(phase, Silence(_shown(said.strip())[:LONGEST_SHOWN]), lasting=False)
    # What is left at AUTH: the server offers no way to log in that there is.
    return Refusal(phase, Silence(_shown(str(error)) or type(error).__name__), lasting=phase is Phase.AUTH)


def _shown(said: str) -> str:
    """What aiosmtplib made of a server's words, in which a surrogate stands for an octet that is not UTF-8."""
    return plain(said.encode("utf-8", "surrogateescape"))
