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

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])[^\n]*)?")


def check(octets: bytes) -> None:
    """Whatever is said: everyone's transaction ends once, and delivered is only what some whole 2yz may have taken."""
    way, words = (octets[0], octets[1:]) if octets else (0, b"")
    dialogue, piece = Dialogue(WAYS[way % 3]), 1 + (way // 3) % 7 * 11
    started: list[Transaction] = []
    endings: Endings = []
    for place in range(0, len(words), piece):
        while dialogue.room and len(started) < 20:
            started.append(_message(len(started), durable=way < 128))
            dialogue.start(started[-1])
        written = dialogue.output()
        waiting = [each for each in started if not each.durable and not each.ended]
        assert not any(each.content[:20] in written or each.handed_over for each in waiting)
        for each in waiting if place % 2 else ():
            each.durable = True
            dialogue.durable(each)
        endings += dialogue.received(words[place : place + piece])
        assert len(dialogue._parser._buffer) <= MAX_LINE
        assert len(dialogue._parser._lines) <= MAX_LINES
    endings += dialogue.lost(Silence("gone"))
    assert [id(each) for each, _ in sorted(endings, key=lambda ending: id(ending[0]))] == sorted(map(id, started))
    delivered = 0
    for transaction, (phase, answer) in endings:
        if isinstance(answer, Reply):
            assert 200 <= answer.code <= 599
            assert len(answer.text) <= MAX_TEXT + 3
            if phase is Phase.DOT and answer.code // 100 == 2:
                delivered += 1
                assert transaction.handed_over
                assert transaction.durable
        assert not any(unicodedata.category(character) == "Cc" for character in str(answer))
    assert delivered <= _positive(words)


def _positive(words: bytes) -> int:
    """Whole 2yz replies until something is none (RFC 5321 4.2), told without the product's parser."""
    count, code = 0, b""
    for line in words.split(b"\n")[:-1]:
        found = _LINE.fullmatch(line.rstrip(b"\r"))
        if not found or (code and found[1] != code):
            break
        code = found[1] if found[2] == b"-" else b""
        count += not code and found[1].startswith(b"2")
    return count


def _message(number: int, *, durable: bool) -> Transaction:
    envelope = Envelope(Address("ada", "sender.example"), Address(f"n{number}", "x.example"))
    return Transaction(envelope, f"Subject: content {number:08}\r\n\r\nbye\r\n".encode(), durable=durable)
