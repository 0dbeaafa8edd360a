"""Promises of the dialogue in any history, against a model of an SMTP server that reads all that is written."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign_cli.model.address import Address
from campaign_cli.model.envelope import Envelope
from campaign_cli.model.reply import Phase, Reply, Silence
from campaign_cli.transport.dialogue import Dialogue, Endings
from campaign_cli.transport.transaction import Ending, Offers, Transaction

PLAIN, PIPELINING, CHUNKING = Offers(), Offers(pipelining=True), Offers(pipelining=True, chunking=True)
WAYS = pytest.mark.parametrize("offers", [PLAIN, PIPELINING, CHUNKING], ids=["plain", "pipelining", "chunking"])
MOST = {PLAIN: 1, PIPELINING: 2, CHUNKING: 8}
GONE = Silence("gone")


@dataclass
class Server:
    """A server that keeps to RFC 5321, 2920 and 3030, and to its `moods`: what it wants to say to each command.

    It closes after 421. A transaction that it has begun stays open until its content ended, or until RSET; after a
    refused BDAT too, for RFC 3030 does not say that it ends. `resets` are counted as Exim does: those that follow
    another with no content between that had a recipient.
    """

    moods: dict[tuple[str, str], int]
    taken: list[tuple[tuple[str, ...], bytes]] = field(default_factory=list)
    said: bytes = b""
    closed: bool = False
    resets: int = 0
    _fresh: bool = True
    _heard: bytes = b""
    _open: bool = False
    _recipients: tuple[str, ...] = ()
    _taking: bool = False
    _about: str = ""

    def hear(self, octets: bytes) -> None:
        self._heard += octets
        while not self.closed and self._one():
            pass

    def _one(self) -> bool:
        if self._taking:
            found = b".\r\n" if self._heard.startswith(b".\r\n") else b"\r\n.\r\n"
            if found not in self._heard:
                return False
            content, self._heard = self._heard.split(found, 1)
            self._taking = False
            self._content(content + found[:-3], closes=True)
            return True
        if b"\r\n" not in self._heard:
            return False
        line, self._heard = self._heard.split(b"\r\n", 1)
        getattr(self, f"_{line[:4].decode().lower()}")(line)
        return True

    def _say(self, code: int, *, verb: str = "") -> bool:
        code = self.moods.get((self._about, verb), code) if verb else code
        self.said += b"%d about %s\r\n" % (code, self._about.encode())
        self.closed = code == 421
        return code // 100 in (2, 3)

    def _rset(self, line: bytes) -> None:
        self._open, self._recipients = False, ()
        self.resets += not self._fresh
        self._fresh = False
        self._say(250)

    def _mail(self, line: bytes) -> None:
        self._about = line.split(b"<", 1)[1].split(b"@", 1)[0].decode()
        if self._open:
            self._say(503)
        else:
            self._open = self._say(250, verb="MAIL")

    def _rcpt(self, line: bytes) -> None:
        self._about = line.split(b"<", 1)[1].split(b"@", 1)[0].decode()
        if not self._open:
            self._say(503)
        elif self._say(250, verb="RCPT"):
            self._recipients += (self._about,)

    def _data(self, line: bytes) -> None:
        if self._recipients:
            self._taking = self._say(354, verb="DATA")
        else:
            # RFC 2920 3.1: it may say either, when it refused every recipient.
            self._taking = self._say(503, verb="EMPTY" if self._open else "")

    def _bdat(self, line: bytes) -> None:
        size = int(line.split()[1])
        assert len(self._heard) >= size, "the chunk goes with its command"
        content, self._heard = self._heard[:size], self._heard[size:]
        self._content(content, closes=False)

    def _content(self, content: bytes, *, closes: bool) -> None:
        recipients = self._recipients
        self._fresh = self._fresh or bool(recipients)
        taken = self._say(250, verb="DOT") if recipients else self._say(503)
        if taken:
            self.taken.append((recipients, content))
        if taken or closes:
            self._open, self._recipients = False, ()


def message(name: str) -> Transaction:
    # Its own name is the sender's too, so that the server knows what MAIL is about.
    return Transaction(Envelope(Address(name, "s.example"), Address(name, "x.example")), content_of(name))


def content_of(name: str) -> bytes:
    return b"Subject: for %s\r\n\r\nbody\r\n" % name.encode()


def name_of(transaction: Transaction) -> str:
    return transaction.envelope.recipient.local


@dataclass
class History:
    """What a dialogue and a server did to each other."""

    offers: Offers
    server: Server
    written: bytes = b""
    started: list[Transaction] = field(default_factory=list)
    endings: Endings = field(default_factory=list)
    most: int = 0

    def __post_init__(self) -> None:
        self.dialogue = Dialogue(self.offers)
        self._on_the_way = b""

    def step(self, what: str, number: int) -> None:
        dialogue, server = self.dialogue, self.server
        waiting = [each for each in self.started if not each.durable]
        if what == "start" and dialogue.room > 0:
            self.started.append(message(f"n{len(self.started)}"))
            dialogue.start(self.started[-1])
        elif what == "durable" and waiting:
            dialogue.durable(waiting[number % len(waiting)])
        elif what == "serve":
            server.hear(self._on_the_way)
            self._on_the_way = b""
        elif what == "answer":
            cut = number % (len(server.said) + 1)
            heard, server.said = server.said[:cut], server.said[cut:]
            self.endings += dialogue.received(heard)
        elif what == "stop":
            self.endings += dialogue.stop(GONE)
        elif what == "lost":
            self.endings += dialogue.lost(GONE)
        octets = dialogue.output()
        self._on_the_way += octets
        self.written += octets
        early = [name_of(each) for each in self.started if not each.durable and each.content in self.written]
        assert early == [], "content before its mark"
        self.most = max(self.most, len(self.started) - len(self.endings))

    def end(self) -> None:
        """All that is on the way arrives or does not, and then the connection ends."""
        self.step("lost", 0)
        self.server.hear(self._on_the_way)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["start"] * 4 + ["durable"] * 4 + ["serve"] * 4 + ["answer"] * 4 + ["stop", "lost"]),
        st.integers(0, 200),
    ),
    max_size=60,
)
SMOOTH = st.lists(st.sampled_from([("start", 0), ("durable", 0), ("serve", 0), ("answer", -1)]), max_size=80)
CODES = {
    "MAIL": [250, 250, 250, 450, 550, 421],
    "RCPT": [250, 250, 250, 450, 550, 421],
    "DATA": [354, 354, 354, 451, 554, 421],
    "EMPTY": [354, 503, 554],
    "DOT": [250, 250, 250, 451, 550, 421],
}
MOODS = st.fixed_dictionaries(
    {(f"n{number}", verb): st.sampled_from(codes) for number in range(9) for verb, codes in CODES.items()}
)
HISTORIES = given(steps=STEPS | SMOOTH, moods=MOODS)


def history(offers: Offers, steps: list[tuple[str, int]], moods: dict[tuple[str, str], int]) -> History:
    happened = History(offers, Server(moods))
    for what, number in steps:
        happened.step(what, number)
    happened.end()
    return happened


@WAYS
@settings(deadline=None)
@HISTORIES
def test_every_transaction_that_was_started_ends_once_and_no_other(offers: Offers, steps: Any, moods: Any) -> None:
    happened = history(offers, steps, moods)
    assert Counter(each for each, _ in happened.endings) == Counter(happened.started)


@WAYS
@settings(deadline=None)
@HISTORIES
def test_a_message_is_delivered_only_if_the_server_took_it_for_its_own_recipient_and_is_else_not_denied(
    offers: Offers, steps: Any, moods: Any
) -> None:
    happened = history(offers, steps, moods)
    taken = Counter(happened.server.taken)
    assert [(who, what) for who, what in taken if (taken[who, what], what) != (1, content_of(",".join(who)))] == []
    for transaction, ending in happened.endings:
        delivered = isinstance(ending.answer, Reply) and ending.answer.code == 250 and ending.phase is Phase.DOT
        uncertain = isinstance(ending.answer, Silence) and ending.phase is Phase.DOT
        was_taken = ((name_of(transaction),), transaction.content) in taken
        assert delivered <= was_taken <= (delivered or uncertain), (name_of(transaction), ending)
        assert not uncertain or transaction.handed_over


@WAYS
@settings(deadline=None)
@HISTORIES
def test_no_content_is_written_before_its_mark_is_durable(offers: Offers, steps: Any, moods: Any) -> None:
    happened = history(offers, steps, moods)
    written = [each for each in happened.started if each.content in happened.written]
    assert [each for each in written if not each.durable] == []
    assert happened.written.count(b"BDAT ") + happened.written.count(b"\r\nbody\r\n.\r\n") == len(written)


@WAYS
@settings(deadline=None)
@HISTORIES
def test_no_more_are_ever_in_flight_than_may_become_uncertain(offers: Offers, steps: Any, moods: Any) -> None:
    assert history(offers, steps, moods).most <= MOST[offers]


@settings(deadline=None)
@given(refused=st.lists(st.sampled_from(["", "", "MAIL", "RCPT", "RCPT", "DOT"]), max_size=60), cut=st.integers(1, 200))
def test_a_session_with_chunking_ends_before_its_resets_are_taken_for_abuse(refused: list[str], cut: int) -> None:
    happened = History(CHUNKING, Server({(f"n{number}", verb): 550 for number, verb in enumerate(refused)}))
    _send(happened, len(refused), [cut])
    assert happened.server.resets <= 10
    assert len(happened.endings) == len(happened.started)
    borne = sum(ending.phase is not Phase.DOT for _, ending in happened.endings)
    assert (len(happened.started) == len(refused), happened.dialogue.spent) in ((True, borne > 6), (False, True))
    assert (happened.dialogue.closing, happened.dialogue.out_of_step) == (None, False)


@WAYS
def test_as_many_as_may_be_are_in_flight(offers: Offers) -> None:
    happened = History(offers, Server({}))
    for what in ["start"] * 9 + ["durable"] * 9 + ["serve", "answer"] + ["start"] * 9:
        happened.step(what, -1 if what == "answer" else 0)
    assert happened.most == MOST[offers]


@WAYS
@settings(deadline=None)
@given(moods=MOODS, many=st.integers(1, 6), cuts=st.lists(st.integers(1, 40), min_size=1, max_size=40))
def test_the_endings_do_not_depend_on_how_the_answers_were_cut(
    offers: Offers, moods: Any, many: int, cuts: list[int]
) -> None:
    whole, pieces = (_endings(offers, moods, many, lengths) for lengths in ([10**6], cuts))
    assert pieces == whole


def _endings(offers: Offers, moods: Any, many: int, lengths: list[int]) -> dict[str, Ending]:
    """How `many` transactions end with answers that come in pieces of these lengths, again and again."""
    happened = History(offers, Server(moods))
    _send(happened, many, lengths)
    happened.end()
    return {name_of(each): ending for each, ending in happened.endings}


def _send(happened: History, many: int, lengths: list[int]) -> None:
    """Start `many` where there is room, until the server has nothing more to say."""
    turns = 0
    while True:
        while len(happened.started) < many and happened.dialogue.room > 0:
            happened.step("start", 0)
            happened.step("durable", 0)
        happened.step("serve", 0)
        if not happened.server.said:
            return
        happened.step("answer", min(lengths[turns % len(lengths)], len(happened.server.said)))
        turns += 1
