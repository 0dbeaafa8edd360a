"""The transactions of one session: a state machine that knows no socket and no clock.

Bytes from the server and the news that a mark is durable go in; bytes to write and the endings of transactions come
out. Three ways of speaking, by what the server offers:

- CHUNKING (RFC 3030) with PIPELINING (RFC 2920): MAIL, RCPT and BDAT with the content in one write, several
  transactions in flight, RSET between them.
- PIPELINING: MAIL, RCPT and DATA in one write, DATA last in its group; the content, its final dot, and the next
  transaction's MAIL, RCPT and DATA in one write.
- Neither: one command at a time.

Replies answer commands in their order, whatever the segments they come in (RFC 5321 4.1.1, RFC 2920 3.1).

**RSET between chunked transactions in flight**, for what a refused one leaves behind is the server's own affair.
Postfix (3.7) is done with each at its BDAT LAST, but its smtpd dies when MAIL, not RSET, is behind content that
smtpd_end_of_data_restrictions refused. Exim (4.96) keeps a transaction whose recipient it refused: it says 503 to the
next MAIL, takes the next recipient into the same envelope, and ends the session at the fourth such 503
(smtp_max_synprot_errors). A server may do so after a refused BDAT, with the recipient that it had accepted (RFC 5321
4.1.1.4 empties the envelope after content that was processed; RFC 3030 does not say of a BDAT that was not): two people
would get the next message, and no reply would tell. After RSET an envelope is empty. Besides, a server that reads a
refused chunk as commands (go-smtp does; RFC 3030 2 has it discarded) refuses what it takes for RSET, so that no later
reply is taken for another's.
"""

from __future__ import annotations

from collections import deque

from campaign_cli.model.reply import Phase, Reply, Silence
from campaign_cli.transport.replies import ReplyParser
from campaign_cli.transport.transaction import Ending, Offers, Transaction, dot_stuffed, rcpt

CHUNKED_AT_ONCE = 8
"""Transactions in flight on a session with CHUNKING, and so the most that can become uncertain with it."""

REFUSALS_BORNE = 10
"""Refusals before the content in a session with CHUNKING, those included that what is in flight may yet get. The RSET
after each follows another with no message between, and Exim, as shipped, ends a session at the eleventh such
(smtp_accept_max_nonmail): what is in flight then has no answer. One after a message that it took is not counted."""

FEWEST_AT_ONCE = 4
"""When so few refusals are left that fewer than this may be in flight, another session is faster."""

PIPELINED_AT_ONCE = 2
"""One whose content is written, and the next, whose commands went with it: RFC 2920 3.1 ends a group with DATA."""

MAIL, RCPT, DATA, DOT, RSET = Phase.MAIL, Phase.RCPT, Phase.DATA, Phase.DOT, Phase.RSET
"""By names of their own they cost less: each message asks for some twenty."""

ACCEPTED = {MAIL: 2, RCPT: 2, DATA: 3}
"""The first digit that lets a transaction go on (RFC 5321 4.3.2)."""


Endings = list[tuple[Transaction, Ending]]


class Dialogue:
    """All transactions of one session, from EHLO to its end."""

    def __init__(self, offers: Offers) -> None:
        self.offers = offers
        self.closing: Silence | None = None
        """Why no further transaction may start; None while one may."""
        self.cut_off = False
        """Whether the server has said 421: it closes, and does nothing of what was asked after that (RFC 5321 3.8)."""
        self.out_of_step = False
        """Whether the server has said what cannot stand where it stood."""
        self.spent = False
        """Whether no further transaction may start, though nothing is wrong: the server has refused enough."""
        self.heard = 0
        """How many replies have come. Part of one is none."""
        self._chunking = offers.chunking and offers.pipelining
        self._at_once = CHUNKED_AT_ONCE if self._chunking else PIPELINED_AT_ONCE if offers.pipelining else 1
        self._bearable = REFUSALS_BORNE
        self._parser = ReplyParser()
        self._output: list[bytes] = []
        self._in_flight: list[Transaction] = []
        # What each command still to be answered is about; None: about no transaction.
        self._expected: deque[tuple[Transaction | None, Phase]] = deque()
        # How many of them have been written: nothing can answer the others yet.
        self._asked = 0
        # DATA: the transaction whose content is not yet written. CHUNKING: those that wait for their marks.
        self._opening: deque[Transaction] = deque()
        self._reset_due = False

    @property
    def room(self) -> int:
        """How many transactions may be started now."""
        if self.closing:
            return 0
        if self._chunking:
            return max(self._at_once - len(self._in_flight), 0)
        # Until its content is written, nothing of the next can be.
        return int(not self._opening and len(self._in_flight) < self._at_once)

    @property
    def idle(self) -> bool:
        """Whether no transaction is in flight."""
        return not self._in_flight

    @property
    def handed_over(self) -> int:
        """Transactions whose content the server may have whole, and whose answer has not come."""
        return sum(transaction.handed_over for transaction in self._in_flight)

    @property
    def awaited(self) -> Phase | None:
        """What the next reply answers; None when none is due."""
        return self._expected[0][1] if self._expected else None

    def output(self) -> bytes:
        """What is to be written now; each byte is given once."""
        if not self._output:
            return b""
        octets = b"".join(self._output)
        self._output.clear()
        self._asked = len(self._expected)
        return octets

    # ---- what goes in ----

    def start(self, transaction: Transaction) -> None:
        """Begin a transaction. There must be room."""
        self._in_flight.append(transaction)
        self._opening.append(transaction)
        if self._chunking:
            self._write_chunks()
        elif self.offers.pipelining:
            if self._reset_due:
                self._reset()
            self._say(f"{self._envelope(transaction)}DATA\r\n", transaction, MAIL, RCPT, DATA)
        elif self._reset_due:
            self._reset()
        else:
            self._say(self._mail(transaction), transaction, MAIL)

    def durable(self, transaction: Transaction) -> None:
        """The transaction's mark is on disk: its content may end."""
        transaction.durable = True
        if self._chunking:
            self._write_chunks()
        elif transaction.invited:
            self._write_content(transaction)

    def received(self, octets: bytes) -> Endings:
        """Bytes from the server; the transactions they end."""
        endings: Endings = []
        for answer in self._parser.feed(octets):
            if isinstance(answer, Silence):
                self.out_of_step = True
                return endings + self.lost(answer)
            self.heard += 1
            self._answered(answer, endings)
            if self.closing:
                # What is not handed over now never will be; no answer may be due that would end it.
                endings += self.stop(self.closing)
        return endings

    def stop(self, why: Silence) -> Endings:
        """Start nothing and hand nothing over any more; what has not been handed over ends with `why`."""
        self.closing = self.closing or why
        endings: Endings = []
        for transaction in self._in_flight[:]:
            if not transaction.handed_over:
                self._end(transaction, transaction.refusal or Ending(MAIL, why), endings)
        return endings

    def lost(self, why: Silence) -> Endings:
        """The connection is over, because of `why`: what became of all that was in flight."""
        self.closing = self.closing or why
        awaited = dict(reversed(self._expected))
        endings: Endings = []
        for place, transaction in enumerate(self._in_flight[:]):
            phase = awaited.get(transaction, MAIL)
            transaction.behind = transaction.behind or (place > 0 and phase is MAIL)
            if transaction.handed_over and not (self.cut_off and phase is MAIL):
                phase = DOT
            self._end(transaction, transaction.refusal or Ending(phase, why), endings)
        return endings

    # ---- replies ----

    def _answered(self, reply: Reply, endings: Endings) -> None:
        # One that goes on after 421 has not closed, and may do what it was asked.
        self.cut_off = reply.code == 421
        if self.cut_off:
            self._close(f"the server closes the session: {reply}")
            # RSET is answered before the first has begun.
            for other in self._in_flight[0 if self.awaited is RSET else 1 :]:
                other.behind = True
        if not self._asked:
            self._close(f"the server said unasked: {reply}")
            self._withdraw()
            return
        self._asked -= 1
        transaction, phase = self._expected.popleft()
        if transaction is None:
            self._aside(phase, reply, endings)
        elif transaction.ended:
            return
        elif phase is DOT:
            self._final(transaction, reply, endings)
        elif phase is not DATA and reply.code // 100 == 2 and self.offers.pipelining:
            # What comes next has been written already.
            return
        else:
            self._intermediate(transaction, phase, reply, endings)

    def _aside(self, phase: Phase, reply: Reply, endings: Endings) -> None:
        """The answer to RSET, or to the empty content of a refused recipient, which must fail (RFC 2920 3.1)."""
        if reply.code == 421:
            return
        if reply.code // 100 not in ((2,) if phase is RSET else (4, 5)):
            self._out_of_step(reply, endings)
        elif phase is RSET and self._opening and not self.offers.pipelining:
            self._say(self._mail(self._opening[0]), self._opening[0], MAIL)

    def _intermediate(self, transaction: Transaction, phase: Phase, reply: Reply, endings: Endings) -> None:
        """MAIL, RCPT or DATA was answered."""
        accepted = reply.code // 100 == ACCEPTED[phase]
        if not accepted and transaction.refusal is None:
            if reply.code // 100 not in (4, 5):
                self._out_of_step(reply, endings)
                return
            transaction.refusal = Ending(phase, reply)
        if self._chunking:
            # The rest of its replies must be heard, whatever came of it; after 421 there may be none.
            if reply.code == 421 and transaction.refusal:
                self._end(transaction, transaction.refusal, endings)
        elif transaction.refusal:
            if phase is DATA or not self.offers.pipelining or reply.code == 421:
                self._refused(transaction, transaction.refusal, invited=accepted, endings=endings)
        elif phase is DATA:
            transaction.invited = True
            if transaction.durable:
                self._write_content(transaction)
        elif not self.offers.pipelining:
            following = rcpt(transaction.envelope) if phase is MAIL else "DATA\r\n"
            self._say(following, transaction, RCPT if phase is MAIL else DATA)

    def _refused(self, transaction: Transaction, refusal: Ending, *, invited: bool, endings: Endings) -> None:
        if invited:
            self._say(".\r\n", None, DOT)
        self._opening.clear()
        self._reset_due = refusal.phase is not MAIL
        self._end(transaction, refusal, endings)

    def _final(self, transaction: Transaction, reply: Reply, endings: Endings) -> None:
        """The content was answered."""
        taken, refusal = reply.code // 100 == 2, transaction.refusal
        if taken and refusal:
            self.out_of_step = True
            self._close(f"the server is out of step: {reply}")
            if refusal.phase is MAIL:
                # Its recipient may have been accepted all the same.
                refusal = Ending(DOT, Silence(f"the server is out of step: {reply}"))
        self._reset_due = self._chunking and not taken
        self._end(transaction, refusal or Ending(DOT, reply), endings)
        if refusal:
            self._bearable -= 1
            self._at_once = min(self._at_once, self._bearable) if self._bearable >= FEWEST_AT_ONCE else 0
            self.spent = self._at_once == 0
        if reply.code // 100 not in (2, 4, 5):
            self._out_of_step(reply, endings)

    def _end(self, transaction: Transaction, ending: Ending, endings: Endings) -> None:
        transaction.ended = True
        if transaction in self._opening:
            self._opening.remove(transaction)
        self._in_flight.remove(transaction)
        endings.append((transaction, ending))

    def _close(self, why: str) -> None:
        self.closing = self.closing or Silence(why)

    def _withdraw(self) -> None:
        """Write nothing of what waits to be written, when all that was written has been answered.

        Content that followed a reply to nothing would get another's reply, or be read as commands.
        """
        self._output.clear()
        self._expected.clear()
        for transaction in self._in_flight:
            transaction.handed_over = False

    def _out_of_step(self, reply: Reply, endings: Endings) -> None:
        """A reply that cannot stand where it stands: from here on nobody knows which reply answers what."""
        self.out_of_step = True
        endings += self.lost(Silence(f"the server is out of step: {reply}"))

    # ---- commands ----

    def _say(self, commands: str, about: Transaction | None, *phases: Phase) -> None:
        self._output.append(commands.encode())
        for phase in phases:
            self._expected.append((about, phase))

    def _reset(self) -> None:
        """RSET, where the transaction before may still be open to the server."""
        self._reset_due = False
        self._say("RSET\r\n", None, RSET)

    def _mail(self, transaction: Transaction) -> str:
        return self.offers.mail(transaction.envelope, transaction.content)

    def _envelope(self, transaction: Transaction) -> str:
        return self._mail(transaction) + rcpt(transaction.envelope)

    def _write_chunks(self) -> None:
        """MAIL, RCPT, BDAT and content of those whose marks are durable, in the order in which they were started."""
        while self._opening and self._opening[0].durable and not self.closing:
            transaction = self._opening.popleft()
            # The one before may be refused, and then be open still.
            if self._reset_due or self._expected:
                self._reset()
            commands = f"{self._envelope(transaction)}BDAT {len(transaction.content)} LAST\r\n"
            self._say(commands, transaction, MAIL, RCPT, DOT)
            self._output.append(transaction.content)
            transaction.handed_over = True

    def _write_content(self, transaction: Transaction) -> None:
        if self.closing or transaction.ended:
            return
        self._opening.clear()
        self._output.append(dot_stuffed(transaction.content))
        self._expected.append((transaction, DOT))
        transaction.handed_over = True
