"""A session: one SMTP connection after greeting, TLS and AUTH, carrying one transaction after the other.

aiosmtplib opens it (`connect`); from then on the connection is ours. What is said on it is `dialogue`'s to decide.
Nothing here waits: the session asks its client for the next transaction whenever there is room for one, and tells it
how each ended, from within the event loop's callbacks.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from campaign_cli.model.reply import Phase, Silence
from campaign_cli.transport.dialogue import Dialogue, Endings
from campaign_cli.transport.transaction import Ending, Offers, Transaction

TIMEOUTS = {Phase.MAIL: 300.0, Phase.RCPT: 300.0, Phase.DATA: 120.0, Phase.DOT: 600.0, Phase.RSET: 300.0}
"""Seconds to wait for each reply (RFC 5321 4.5.3.2). Ten minutes after the dot: giving up early makes duplicates."""

CLOSING_TIMEOUT = 5.0
"""Seconds for a server that has said 421 to answer what else is in flight, or to close."""

QUIT_TIMEOUT = 2.0
"""Seconds for the server to answer QUIT; there is nothing to lose in its answer."""


class Client(Protocol):
    """Whom a session works for."""

    def next_for(self, session: Session) -> Transaction | None:
        """The next transaction, to be started at once; None: none just now (`Session.pump` asks again)."""

    def ended(self, session: Session, transaction: Transaction, ending: Ending) -> None:
        """How one of its transactions ended."""

    def idle(self, session: Session) -> None:
        """Nothing is in flight on it any more. It may be unusable now."""


class Session(asyncio.Protocol):
    """An open session with the server `route`."""

    def __init__(self, transport: asyncio.Transport, *, route: str, offers: Offers, tls: str = "none") -> None:
        self.route = route
        """The name of the relay it goes to."""
        self.tls = tls
        """What protects it: `TLSv1.3, verified`, `TLSv1.3, unverified`, `none`."""
        self.offers = offers
        self.transactions = 0
        """How many it has carried."""
        self.client: Client | None = None
        self.proven = False
        """Kept by its client: it has delivered, or it has been counted as one that did not."""
        self.retired = False
        """Kept by its client: it is to carry nothing more."""
        self.carrier = ""
        """Kept by its client: what marks call it."""
        self._transport = transport
        self._dialogue = Dialogue(offers)
        self._watch: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._gone = False
        self._farewell: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        transport.set_protocol(self)

    @property
    def usable(self) -> bool:
        """Whether another transaction may start on it, now or when there is room, as far as can be seen from here."""
        dialogue = self._dialogue
        return not (dialogue.closing or dialogue.spent or self._gone)

    @property
    def out_of_step(self) -> bool:
        """Whether the server has said what cannot stand where it stood."""
        return self._dialogue.out_of_step

    @property
    def unused(self) -> bool:
        """Whether nothing is in flight."""
        return self._dialogue.idle

    @property
    def room(self) -> int:
        """How many transactions may be started on it now."""
        return self._dialogue.room

    @property
    def handed_over(self) -> int:
        """Transactions whose content the server may have whole, and whose answer has not come."""
        return self._dialogue.handed_over

    # ---- what its client asks ----

    def pump(self) -> None:
        """Start what there is room for, and write what is to be written."""
        dialogue = self._dialogue
        if self.client is not None:
            while dialogue.room > 0 and not self._gone and (transaction := self.client.next_for(self)):
                self.transactions += 1
                dialogue.start(transaction)
        if (octets := dialogue.output()) and not self._gone:
            self._transport.write(octets)
            self._heard_at = self._loop.time()
            if self._watch is None:
                self._look_later()

    def durable(self, transaction: Transaction) -> None:
        """The transaction's mark is on disk: its content may end."""
        self._dialogue.durable(transaction)
        self.pump()

    def stop(self, why: str) -> None:
        """Hand nothing over any more. What has not been handed over ends at once; the rest when it is answered."""
        self._tell(self._dialogue.stop(Silence(why)))

    async def close(self) -> None:
        """QUIT, and the end of the connection, whatever the server answers."""
        if self._speaking and self.unused:
            self.client = None
            self._dialogue.stop(Silence("closed"))
            self._farewell = self._loop.create_future()
            self._transport.write(b"QUIT\r\n")
            await asyncio.wait([self._farewell], timeout=QUIT_TIMEOUT)
        self.abort()

    def abort(self) -> None:
        """End the connection at once; nothing more is told to its client."""
        self.client = None
        self._gone = True
        self._part()
        if self._watch:
            self._watch.cancel()
            self._watch = None
        self._transport.abort()

    # ---- what the event loop calls ----

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        if self._farewell:
            self._part()
            return
        heard = self._dialogue.heard
        endings = self._dialogue.received(data)
        if self._dialogue.heard != heard:
            # Only whole replies count: a server that drips would never be given up.
            self._heard_at = self._loop.time()
        self._tell(endings)

    def eof_received(self) -> bool:
        """Part of asyncio.Protocol: nothing more can come, so the connection is closed."""
        self._tell(self._dialogue.lost(Silence("the server closed the connection")))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        self._gone = True
        closed = exc is None or isinstance(exc, BrokenPipeError)
        reason = "the server closed the connection" if closed else f"the connection was lost ({exc})"
        self._tell(self._dialogue.lost(Silence(reason)))

    def _tell(self, endings: Endings) -> None:
        """Tell the client how transactions ended, and go on."""
        client = self.client
        if client is None:
            self._part()
            return
        for transaction, ending in endings:
            client.ended(self, transaction, ending)
        self.pump()
        if self._dialogue.idle:
            client.idle(self)
        elif self._dialogue.cut_off and self._watch:
            self._watch.cancel()
            self._look_later()

    @property
    def _speaking(self) -> bool:
        return self._dialogue.closing is None and not self._gone

    def _part(self) -> None:
        if self._farewell and not self._farewell.done():
            self._farewell.set_result(None)

    # ---- time ----

    @property
    def _patience(self) -> float:
        """Seconds that the reply now due may take."""
        if self._dialogue.cut_off:
            return CLOSING_TIMEOUT
        # A server may keep its first replies until the content is judged, too (RFC 2920 3.2).
        return TIMEOUTS[Phase.DOT if self._dialogue.handed_over else self._dialogue.awaited or Phase.DOT]

    def _look_later(self) -> None:
        """One timer a session, that looks when the last thing heard is too long ago: replies come far more often."""
        self._watch = self._loop.call_at(self._heard_at + self._patience, self._look)

    def _look(self) -> None:
        self._watch = None
        if self._dialogue.awaited is None or self._gone:
            return
        patience = self._patience
        if self._loop.time() < self._heard_at + patience:
            self._look_later()
        else:
            self._tell(self._dialogue.lost(Silence(f"the server did not answer for {patience:.0f} s")))
