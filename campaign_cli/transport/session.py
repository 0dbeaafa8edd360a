"""A session: one SMTP connection after greeting, TLS and AUTH, and the transactions on it.

aiosmtplib opens it; from then on the connection is ours (`wire`). One recipient a transaction. Whatever ends a
transaction otherwise than by its final reply ends the session too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass

from campaign_cli.model.envelope import Envelope
from campaign_cli.model.reply import Answer, Phase, Reply, Silence
from campaign_cli.transport.wire import Wire

TIMEOUTS = {Phase.MAIL: 300.0, Phase.RCPT: 300.0, Phase.DATA: 120.0, Phase.DOT: 600.0}
"""Seconds to wait for each reply (RFC 5321 4.5.3.2). Ten minutes after the dot: giving up early makes duplicates."""

CONTENT_TIMEOUT = 180.0
"""Seconds for the server to take the content of a refused transaction's empty message, and for RSET."""

QUIT_TIMEOUT = 2.0
"""Seconds for the server to answer QUIT; there is nothing to lose in its answer."""

ACCEPTED = {Phase.MAIL: 2, Phase.RCPT: 2, Phase.DATA: 3}
"""The first digit that lets a transaction go on (RFC 5321 4.3.2)."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The answer that ended a transaction, and what it answered."""

    phase: Phase
    answer: Answer


class Session:
    """An open session. `usable` turns False for good when it must not carry another transaction."""

    def __init__(self, wire: Wire, *, route: str, pipelining: bool, smtputf8: bool, size: int | None) -> None:
        self.route = route
        """The name of the relay it goes to."""
        self._wire = wire
        self._pipelining = pipelining
        self._smtputf8 = smtputf8
        self._size = size
        self._broken = False
        self.transactions = 0
        """How many it has carried."""
        self.handed_over = False
        """Whether the present transaction's content may have reached the server whole, and no answer has come yet."""

    @property
    def usable(self) -> bool:
        """Whether another transaction may start on it, as far as can be seen from here."""
        return not self._broken and self._wire.silent

    async def transact(self, envelope: Envelope, content: bytes, barrier: Awaitable[None]) -> Ending:
        """One transaction, whole. `content` is RFC 5322 bytes, `barrier` is done when its mark is durable.

        No final dot is written before the barrier. An exception, cancellation included, ends the session.
        """
        self.handed_over = False
        self.transactions += 1
        if refusal := self._unfit(envelope, content):
            return refusal
        if not self.usable:
            self._broken = True
            return Ending(Phase.MAIL, Silence("the server closed the idle connection"))
        whole = False
        try:
            ending = await self._open_transaction(envelope, len(content))
            if ending is None:
                await barrier
                self.handed_over = True
                self._wire.write(dot_stuffed(content))
                ending = Ending(Phase.DOT, await self._wire.answer(TIMEOUTS[Phase.DOT]))
            whole = isinstance(ending.answer, Reply) and ending.answer.code != 421
            self.handed_over = False
            return ending
        finally:
            if not whole or self._broken:
                self.abort()

    def _unfit(self, envelope: Envelope, content: bytes) -> Ending | None:
        """What this server would refuse, by what its EHLO offered, refused before it is asked."""
        if envelope.needs_smtputf8 and not self._smtputf8:
            reply = Reply(553, "5.6.7", "the relay does not offer SMTPUTF8, which this address needs")
            return Ending(Phase.RCPT, reply)
        if self._size and len(content) > self._size:
            text = f"the message has {len(content)} bytes and the relay takes {self._size}"
            return Ending(Phase.MAIL, Reply(552, "5.3.4", text))
        return None

    async def _open_transaction(self, envelope: Envelope, size: int) -> Ending | None:
        """MAIL, RCPT and DATA, in one write where the server allows it (RFC 2920). None: the content may follow."""
        steps = [
            (Phase.MAIL, self._mail(envelope, size)),
            (Phase.RCPT, f"RCPT TO:<{envelope.recipient.email}>\r\n".encode()),
            (Phase.DATA, b"DATA\r\n"),
        ]
        if self._pipelining:
            self._wire.write(b"".join(command for _, command in steps))
        refusal: Ending | None = None
        for phase, command in steps:
            if not self._pipelining:
                if refusal:
                    break
                self._wire.write(command)
            answer = await self._wire.answer(TIMEOUTS[phase])
            accepted = isinstance(answer, Reply) and answer.code // 100 == ACCEPTED[phase]
            if not accepted and refusal is None:
                refusal = Ending(phase, answer)
            if isinstance(answer, Silence) or answer.code == 421:
                self._broken = True
                return refusal
            if accepted and phase is Phase.DATA and refusal:
                await self._end_empty()
        if refusal and refusal.phase is not Phase.MAIL:
            await self._reset()
        return refusal

    def _mail(self, envelope: Envelope, size: int) -> bytes:
        parameters = f" SIZE={size}" if self._size is not None else ""
        parameters += " SMTPUTF8" if envelope.needs_smtputf8 else ""
        return f"MAIL FROM:<{envelope.sender.email}>{parameters}\r\n".encode()

    async def _end_empty(self) -> None:
        """The recipient was refused, yet the server wants content: an empty message, which must fail (RFC 2920 3.1)."""
        self._wire.write(b".\r\n")
        if isinstance(await self._wire.answer(CONTENT_TIMEOUT), Silence):
            self._broken = True

    async def _reset(self) -> None:
        if self._broken:
            return
        self._wire.write(b"RSET\r\n")
        answer = await self._wire.answer(CONTENT_TIMEOUT)
        if isinstance(answer, Silence) or answer.code // 100 != 2:
            self._broken = True

    async def close(self) -> None:
        """QUIT, and the end of the connection, whatever the server answers."""
        if self.usable:
            self._wire.write(b"QUIT\r\n")
            await self._wire.answer(QUIT_TIMEOUT)
        self._broken = True
        self._wire.close()
        await asyncio.sleep(0)

    def abort(self) -> None:
        """End the connection at once."""
        self._broken = True
        self._wire.abort()


def dot_stuffed(content: bytes) -> bytes:
    """`content` as it goes after DATA: leading dots doubled, and the final dot (RFC 5321 4.5.2)."""
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed + (b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n")
