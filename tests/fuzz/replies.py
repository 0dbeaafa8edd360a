"""What a server says to a session's transactions: the first byte says how the session goes, the rest is its words."""

from __future__ import annotations

import re
import unicodedata

from campaign_cli.model.address import Address
from campaign_cli.model.envelope import Envelope
from campaign_cli.model.reply import Phase, Reply, Silence
from campaign_cli.transport.dialogue import Dialogue, Endings
from campaign_cli.transport.replies import MAX_LINE, MAX_LINES, MAX_TEXT
from campaign_cli.transport.transaction import Offers, Transaction

WAYS = (Offers(), Offers(pipelining=True), Offers(pipelining=True, chunking=True))

MOST_PIECES = 500
"""In so many segments do words come: many executions tell more than a long one."""

TAKEN = b"250 2.1.0 ok\r\n250-2.1.5 ok\r\n250 2.1.5 accepted\r\n354 go on\r\n250 2.0.0 queued as 4F2\r\n"

SAMPLES = (
    *(bytes([way]) + TAKEN * 3 for way in range(12)),
    b"\x01"
    + b"250 ok\r\n550-5.1.1 no\r\n550 5.1.1 such user\r\n503 5.5.1 no valid recipients\r\n250 flushed\r\n"
    + TAKEN,
    b"\x02" + b"250 ok\r\n250 ok\r\n250 2.0.0 queued\r\n" * 8 + b"421 4.7.0 too many\r\n",
    b"\x05" + b"250 ok\r\n452-4.2.2 full\r\n452 4.2.2 mailbox\r\n354 go\r\n250 taken\r\n" + TAKEN,
    b"\x00" + b"450 4.7.1 greylisted \xe2\x80\xa6\r\n250 reset\r\n" + TAKEN,
)

TOKENS = (
    *(b"250 ok\r\n", b"354 go\r\n", b"421 bye\r\n", b"550 5.1.1 no\r\n", b"250-more\r\n", b"250\r\n", b"299 x\n"),
    *(
        b"2",
        b"3",
        b"5",
        b"-",
        b" ",
        b"\r",
        b"\n",
        b"\r\n",
        b"\0",
        b"\x1b[2J",
        b"\x9b",
        b"\xff",
        b"150 wait\r\n",
        b"600 x\r\n",
    ),
)

_REPLY = re.compile(rb"([2-5][0-9][0-9])-[^\n]*\n(?:\1-[^\n]*\n)*\1(?: [^\n]*)?\r*\n|[2-5][0-9][0-9](?: [^\n]*)?\r*\n")
"""A reply, read by other code than the product's, which refuses some that are too long."""

_COMMAND = re.compile(
    rb"(MAIL) FROM:<[^\r]*\r\n|(RCPT) TO:<n(\d+)@[^\r]*\r\n|(DATA|RSET)\r\n|\.\r\n"
    rb"|BDAT 34 LAST\r\nSubject: content (\d{8})\r\n\r\nbye\r\n|Subject: content (\d{8})\r\n\r\nbye\r\n\.\r\n"
)


def check(octets: bytes) -> None:
    """Whatever is said: everyone's transaction ends once, and is delivered only by a 2yz that answers its content."""
    way, words = (octets[0], octets[1:]) if octets else (0, b"")
    dialogue, piece = Dialogue(WAYS[way % 3]), max(1 + (way // 3) % 7 * 11, len(words) // MOST_PIECES)
    started: list[Transaction] = []
    endings: Endings = []
    written: list[tuple[bytes, int]] = []
    for place in range(0, len(words), piece):
        while dialogue.room and len(started) < 20:
            started.append(_message(len(started), durable=way < 128))
            dialogue.start(started[-1])
        written.append((dialogue.output(), place))
        waiting = [each for each in started if not each.durable and not each.ended]
        assert not any(each.content[:25] in written[-1][0] or each.handed_over for each in waiting)
        for each in waiting if place % 2 else ():
            each.durable = True
            dialogue.durable(each)
        written.append((dialogue.output(), place))
        endings += dialogue.received(words[place : place + piece])
        assert len(dialogue._parser._buffer) <= MAX_LINE
        assert len(dialogue._parser._lines) <= MAX_LINES
    endings += dialogue.lost(Silence("gone"))
    assert sorted(id(each) for each, _ in endings) == sorted(map(id, started))
    taken = _taken(written, words)
    for transaction, (phase, answer) in endings:
        if isinstance(answer, Reply):
            assert 200 <= answer.code <= 599
            assert len(answer.text) <= MAX_TEXT + 3
            if phase is Phase.DOT and answer.code // 100 == 2:
                assert transaction.durable
                assert transaction.envelope.recipient.local in taken
        assert not any(unicodedata.category(character) == "Cc" for character in str(answer))


def _taken(written: list[tuple[bytes, int]], words: bytes) -> set[str]:
    """Whose MAIL, RCPT and content were each answered by 2yz, after they were written, by counting only."""
    replies: list[tuple[bytes, int]] = []
    place = 0
    while found := _REPLY.match(words, place):
        place = found.end()
        replies.append((found[0][:1], place))
    commands = [(found, when) for octets, when in written for found in _commands(octets)]
    taken, mail, rcpt = set(), False, ""
    for (command, when), (digit, said) in zip(commands, replies, strict=False):
        good = digit == b"2" and said > when
        _, to, number, *_, chunk, dotted = command.groups()
        if command[1]:
            mail, rcpt = good, ""
        elif to:
            rcpt = f"n{int(number)}" if good and mail else ""
        elif (content := chunk or dotted) and good and rcpt == f"n{int(content)}":
            taken.add(rcpt)
    return taken


def _commands(octets: bytes) -> list[re.Match[bytes]]:
    """The commands in what was written, which is nothing else."""
    found = []
    while octets:
        command = _COMMAND.match(octets)
        assert command, octets
        found.append(command)
        octets = octets[command.end() :]
    return found


def _message(number: int, *, durable: bool) -> Transaction:
    envelope = Envelope(Address("ada", "sender.example"), Address(f"n{number}", "x.example"))
    return Transaction(envelope, f"Subject: content {number:08}\r\n\r\nbye\r\n".encode(), durable=durable)
