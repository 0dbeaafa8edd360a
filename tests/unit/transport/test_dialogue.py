from dataclasses import dataclass, field

import pytest

from campaign_cli.model.address import Address
from campaign_cli.model.envelope import Envelope
from campaign_cli.model.reply import Phase, Reply, Silence
from campaign_cli.transport.dialogue import Dialogue
from campaign_cli.transport.transaction import Ending, Offers, Transaction

PLAIN, PIPELINING, CHUNKING = Offers(), Offers(pipelining=True), Offers(pipelining=True, chunking=True)
WAYS = pytest.mark.parametrize("offers", [PLAIN, PIPELINING, CHUNKING], ids=["plain", "pipelining", "chunking"])
WITH_DATA = pytest.mark.parametrize("offers", [PLAIN, PIPELINING], ids=["plain", "pipelining"])
TAKEN = b"250 2.0.0 taken\r\n"
USUAL = {"MAIL": b"250 ok\r\n", "RCPT": b"250 ok\r\n", "DATA": b"354 go\r\n", "RSET": b"250 ok\r\n"}


def message(name: str = "ann", *, durable: bool = True) -> Transaction:
    content = f"Subject: to {name}\r\n\r\n.dots\r\nbye\r\n".encode()
    return Transaction(Envelope(Address("ada", "sender.example"), Address(name, "x.example")), content, durable=durable)


def body(transaction: Transaction) -> bytes:
    """The content as it goes after DATA, final dot included."""
    return transaction.content.replace(b".dots", b"..dots") + b".\r\n"


@dataclass
class Script:
    """A server in memory: its answers to each verb, `.` being the end of content; None ends the connection instead."""

    replies: dict[str, bytes | None] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    buffer: bytes = b""
    content: bytes = b""
    taking: bool = False
    gone: bool = False

    def hear(self, octets: bytes) -> bytes:
        self.buffer += octets
        said = b""
        while b"\r\n" in self.buffer and not self.gone:
            line, self.buffer = self.buffer.split(b"\r\n", 1)
            if self.taking and line != b".":
                self.content += line + b"\r\n"
                continue
            verb = "." if self.taking else line[:4].decode()
            if verb == "BDAT":
                size = int(line.split()[1])
                self.content, self.buffer = self.content + self.buffer[:size], self.buffer[size:]
            self.heard.append(verb)
            usual = self.replies.get(".", TAKEN) if verb == "BDAT" else USUAL.get(verb, TAKEN)
            answer = self.replies.get(verb, usual)
            self.taking = verb == "DATA" and answer is not None and answer[:1] == b"3"
            self.gone = answer is None
            said += answer or b""
        return said


def play(dialogue: Dialogue, script: Script, *messages: Transaction) -> list[Ending]:
    """Have `messages` sent to a server that follows `script`; how they ended, in the order in which they did."""
    waiting, endings = list(messages), []
    while True:
        while waiting and dialogue.room > 0:
            dialogue.start(waiting.pop(0))
        octets = dialogue.output()
        if not octets:
            return [ending for _, ending in endings]
        endings += dialogue.received(script.hear(octets))
        if script.gone:
            endings += dialogue.lost(Silence("gone"))


def writes(offers: Offers, *messages: Transaction, replies: list[bytes]) -> list[bytes]:
    """What is written at first, and then after each of `replies`, new transactions starting where there is room."""
    dialogue, waiting, written = Dialogue(offers), list(messages), []
    for reply in [b"", *replies]:
        dialogue.received(reply)
        while waiting and dialogue.room > 0:
            dialogue.start(waiting.pop(0))
        written.append(dialogue.output())
    return written


def commands(name: str, *others: str) -> bytes:
    return "".join(
        f"{each}\r\n" for each in ("MAIL FROM:<ada@sender.example>", f"RCPT TO:<{name}@x.example>", *others)
    ).encode()


@pytest.mark.parametrize("offers", [PLAIN, Offers(chunking=True)], ids=["neither", "chunking without pipelining"])
def test_without_pipelining_each_command_waits_for_the_answer_before_it(offers: Offers) -> None:
    ann, bob = message("ann"), message("bob")
    replies = [b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"250 taken\r\n"]
    mail, rcpt, _ = commands("ann").split(b"\r\n")
    assert writes(offers, ann, bob, replies=replies) == [
        mail + b"\r\n",
        rcpt + b"\r\n",
        b"DATA\r\n",
        body(ann),
        mail + b"\r\n",
    ]


def test_with_pipelining_there_is_room_for_one_until_its_content_is_written() -> None:
    dialogue, first = Dialogue(PIPELINING), message("ann")
    seen = [dialogue.room]
    dialogue.start(first)
    seen.append(dialogue.room)
    dialogue.output()
    dialogue.received(b"250 ok\r\n250 ok\r\n354 go\r\n")
    dialogue.durable(first)
    seen.append(dialogue.room)
    dialogue.start(message("bob"))
    assert [*seen, dialogue.room] == [1, 0, 1, 0]


def test_with_pipelining_the_commands_are_one_write_and_the_next_ones_go_with_the_content() -> None:
    ann, bob, cy = message("ann"), message("bob"), message("cy")
    replies = [b"250 ok\r\n250 ok\r\n", b"354 go\r\n", b"250 taken\r\n", b"250 ok\r\n250 ok\r\n354 go\r\n"]
    assert writes(PIPELINING, ann, bob, cy, replies=replies) == [
        commands("ann", "DATA"),
        b"",
        body(ann) + commands("bob", "DATA"),
        b"",
        body(bob) + commands("cy", "DATA"),
    ]


def test_with_chunking_all_of_several_transactions_is_one_write() -> None:
    ann, bob = message("ann"), message("bob")
    size = f"BDAT {len(ann.content)} LAST"
    assert writes(CHUNKING, ann, bob, replies=[b"250 ok\r\n250 ok\r\n250 taken\r\n"]) == [
        commands("ann", size) + ann.content + b"RSET\r\n" + commands("bob", size) + bob.content,
        b"",
    ]


@WAYS
def test_a_message_arrives_as_it_was_and_the_session_goes_on(offers: Offers) -> None:
    script, dialogue, ann = Script(), Dialogue(offers), message()
    assert play(dialogue, script, ann) == [Ending(Phase.DOT, Reply(250, "2.0.0", "taken"))]
    assert script.content == (ann.content if offers is CHUNKING else body(ann)[:-3])
    assert (dialogue.closing, dialogue.idle, dialogue.awaited) == (None, True, None)


@pytest.mark.parametrize(
    ("replies", "ending", "goes_on"),
    [
        ({"MAIL": b"550 no\r\n", "RCPT": b"503 a\r\n", "DATA": b"503 b\r\n", "BDAT": b"503 c\r\n"}, "mail 550", True),
        ({"RCPT": b"550 5.1.1 who?\r\n", "DATA": b"503 no\r\n", "BDAT": b"503 no\r\n"}, "rcpt 550", True),
        ({"RCPT": b"450 4.2.1 busy\r\n", "DATA": b"354 go\r\n", ".": b"554 empty\r\n"}, "rcpt 450", True),
        # A server that takes the message of a refused recipient has delivered nothing to anybody.
        ({"RCPT": b"550 5.1.1 who?\r\n", "DATA": b"354 go\r\n", ".": b"250 taken\r\n"}, "rcpt 550", PLAIN),
        ({".": b"550 5.7.1 spam\r\n"}, "dot 550", True),
        ({".": b"451 4.3.0 later\r\n"}, "dot 451", True),
        ({".": b"421 4.3.2 going down\r\n"}, "dot 421", False),
        ({".": b"354 what?\r\n"}, "dot 354", False),
        ({"RCPT": b"421 4.7.0 enough\r\n"}, "rcpt 421", False),
        ({"MAIL": b"421 4.7.0 enough\r\n"}, "mail 421", False),
        ({".": None}, "dot gone", False),
        ({".": b"250-2.0.0 taken\r\n550 not\r\n"}, "dot the server sent", False),
        ({".": b"hello\r\n"}, "dot the server sent", False),
    ],
)  # fmt: skip
@WAYS
def test_a_transaction_ends_in_the_first_answer_that_stops_it(
    replies: dict[str, bytes | None], ending: str, goes_on: bool | Offers, offers: Offers
) -> None:
    dialogue = Dialogue(offers)
    (found,) = play(dialogue, Script(replies), message())
    said = found.answer.code if isinstance(found.answer, Reply) else found.answer.reason[: len("the server sent")]
    assert (f"{found.phase} {said}", dialogue.closing is None) == (ending, goes_on is True or goes_on is offers)


@pytest.mark.parametrize(
    ("replies", "ending", "goes_on"),
    [
        ({"DATA": b"451 4.3.0 later\r\n"}, "data 451", True),
        ({"DATA": b"554 5.5.1 no valid recipients\r\n"}, "data 554", True),
        ({"DATA": b"421 bye\r\n"}, "data 421", False),
        ({"MAIL": None}, "mail gone", False),
        ({"RCPT": None}, "rcpt gone", False),
        ({"DATA": None}, "data gone", False),
        ({"DATA": b"4 5 1\r\n"}, "data the server sent", False),
    ],
)
@WITH_DATA
def test_before_the_content_is_written_nothing_has_been_handed_over(
    replies: dict[str, bytes | None], ending: str, goes_on: bool, offers: Offers
) -> None:
    dialogue, script = Dialogue(offers), Script(replies)
    (found,) = play(dialogue, script, message())
    said = found.answer.code if isinstance(found.answer, Reply) else found.answer.reason[: len("the server sent")]
    assert (f"{found.phase} {said}", dialogue.closing is None, script.content) == (ending, goes_on, b"")


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "BDAT"])
@pytest.mark.parametrize("said", [None, b"hello\r\n"], ids=["gone", "nonsense"])
def test_a_chunk_that_is_never_answered_is_uncertain(verb: str, said: bytes | None) -> None:
    dialogue = Dialogue(CHUNKING)
    (found,) = play(dialogue, Script({verb: said}), message())
    assert (found.phase, type(found.answer), dialogue.closing is None) == (Phase.DOT, Silence, False)


@pytest.mark.parametrize(
    ("replies", "reset"),
    [
        ({"MAIL": b"550 no\r\n", "RCPT": b"503 a\r\n", "DATA": b"503 b\r\n", "BDAT": b"503 c\r\n"}, [CHUNKING]),
        ({"RCPT": b"550 no\r\n", "DATA": b"503 a\r\n", "BDAT": b"503 b\r\n"}, [PLAIN, PIPELINING, CHUNKING]),
        ({"RCPT": b"550 no\r\n", "DATA": b"354 a\r\n", ".": b"554 b\r\n"}, [PLAIN, PIPELINING, CHUNKING]),
        ({"DATA": b"451 no\r\n", "BDAT": b"451 no\r\n"}, [PLAIN, PIPELINING, CHUNKING]),
        ({".": b"550 no\r\n"}, [CHUNKING]),
        ({}, []),
    ],
)
@WAYS
def test_the_next_transaction_begins_with_rset_where_the_one_before_may_be_open(
    replies: dict[str, bytes | None], reset: list[Offers], offers: Offers
) -> None:
    dialogue, script = Dialogue(offers), Script(replies)
    play(dialogue, script, message("ann"))
    before = len(script.heard)
    script.replies = {}
    assert play(dialogue, script, message("bob")) == [Ending(Phase.DOT, Reply(250, "2.0.0", "taken"))]
    assert script.heard[before] == ("RSET" if offers in reset else "MAIL")


@pytest.mark.parametrize("final", [b"554 5.5.1 empty\r\n", b"250 2.0.0 taken\r\n"])
def test_a_354_after_a_refused_recipient_is_answered_with_an_empty_message(final: bytes) -> None:
    dialogue, script = Dialogue(PIPELINING), Script({"RCPT": b"550 5.1.1 who?\r\n", ".": final})
    assert play(dialogue, script, message()) == [Ending(Phase.RCPT, Reply(550, "5.1.1", "who?"))]
    assert (script.heard, script.content) == (["MAIL", "RCPT", "DATA", "."], b"")
    assert (dialogue.closing is None) is final.startswith(b"5")
