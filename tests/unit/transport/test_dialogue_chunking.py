"""CHUNKING when replies are refusals: what is asked next, and whom it leaves without an answer."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign_cli.model.reply import Phase, Reply, Silence
from campaign_cli.transport.dialogue import Dialogue, Endings
from campaign_cli.transport.transaction import Offers
from tests.unit.transport.dialogues import begun, message, told

CHUNKING = Offers(pipelining=True, chunking=True)
OK, NO, BYE, WHAT = b"250 ok\r\n", b"550 no\r\n", b"421 bye\r\n", b"500 what?\r\n"
TAKEN, REFUSED, UNWANTED = OK * 3, OK + NO + NO, OK + OK + NO


def commands(octets: bytes) -> Iterator[str]:
    """What was asked, in order, content aside."""
    while octets:
        line, octets = octets.split(b"\r\n", 1)
        words = line.decode().split()
        yield words[0] if words[0] in ("BDAT", "RSET") else f"{words[0]} {words[1].partition('<')[2].partition('@')[0]}"
        octets = octets[int(words[1]) :] if words[0] == "BDAT" else octets


def test_reset_stands_between_transactions_in_flight_and_nowhere_else() -> None:
    dialogue, written = Dialogue(CHUNKING), []
    for replies, names in ((b"", "ab"), (UNWANTED + OK + TAKEN, "c"), (UNWANTED, "d"), (OK + TAKEN, "e")):
        dialogue.received(replies)
        for name in names:
            dialogue.start(message(name))
        written.append(" ".join(each[0] + each[5:] for each in commands(dialogue.output())))
    assert written == ["Mada Ra B R Mada Rb B", "Mada Rc B", "R Mada Rd B", "Mada Re B"]


def test_no_more_than_ten_refusals_before_the_content_can_come_on_a_session() -> None:
    dialogue, rooms, started = Dialogue(CHUNKING), [], 0
    while not rooms or not dialogue.idle:
        dialogue.received((OK if started > 8 or len(rooms) > 1 else b"") + REFUSED if rooms else b"")
        rooms.append(dialogue.room)
        for _ in range(dialogue.room):
            dialogue.start(message(f"n{started}"))
            started += 1
        dialogue.output()
    assert (rooms, started) == ([8, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0], 10)
    assert (dialogue.spent, dialogue.closing) == (True, None)


@pytest.mark.parametrize("replies", [TAKEN, UNWANTED], ids=["taken", "unwanted"])
def test_what_is_refused_with_its_content_or_not_at_all_costs_a_session_nothing(replies: bytes) -> None:
    dialogue, told_of = begun(CHUNKING, replies, *[OK + replies] * 99, of=100)
    assert (len(told_of), dialogue.spent, dialogue.idle, dialogue.room) == (100, False, True, 8)


@pytest.mark.parametrize(
    ("replies", "ends"),
    [
        # A chunk that is read as commands: each line of it is refused, the first as if it were RSET.
        (OK + NO + NO + WHAT, ["n0 rcpt 550", "n1 dot", "n2 dot behind"]),
        # Refused as abuse: nothing says what became of those behind.
        (OK + NO + NO + b"554 Too many nonmail commands\r\n", ["n0 rcpt 550", "n1 dot", "n2 dot behind"]),
        # One that closes does nothing more, and it is not for the first of them that it does.
        (OK + NO + NO + BYE, ["n0 rcpt 550", "n1 mail behind", "n2 mail behind"]),
    ],
    ids=["read as commands", "refused", "closing"],
)
def test_where_rset_is_refused_those_behind_are_uncertain_unless_the_server_closes(
    replies: bytes, ends: list[str]
) -> None:
    dialogue, ended = begun(CHUNKING, replies, of=3)
    assert ended + told(dialogue.lost(Silence("gone"))) == ends
    assert dialogue.out_of_step is (b"421" not in replies)


def test_a_message_that_is_taken_though_its_sender_was_refused_is_uncertain_and_nothing_is_sent_after_it() -> None:
    dialogue, ended = begun(CHUNKING, NO + OK + OK, of=1)
    assert (ended, dialogue.out_of_step, dialogue.room) == (["n0 dot"], True, 0)


CODES = st.lists(st.sampled_from([250, 250, 250, 250, 354, 421, 450, 503, 550]), max_size=80)


@settings(max_examples=500)
@given(codes=CODES, cuts=st.lists(st.integers(1, 9), min_size=1, max_size=20))
def test_whatever_is_answered_only_a_2yz_to_ones_own_commands_is_delivery(codes: list[int], cuts: list[int]) -> None:
    dialogue, asked, answers, endings = Dialogue(CHUNKING), [], iter(codes), Endings()
    answered: list[int] = []
    while True:
        while dialogue.room > 0:
            dialogue.start(message(f"n{sum(each == 'BDAT' for each in asked)}"))
            asked += commands(dialogue.output())
        due = min(len(asked) - len(answered), cuts[len(answered) % len(cuts)])
        said = [code for _, code in zip(range(due), answers, strict=False)]
        if not said:
            break
        answered += said
        endings += dialogue.received(b"".join(b"%d said\r\n" % code for code in said))
    endings += dialogue.lost(Silence("gone"))

    def answer(number: int) -> int:
        return answered[number] // 100 if number < len(answered) else 0

    begins = {name: number for number, name in enumerate(asked) if name.startswith("RCPT")}
    for transaction, ending in endings:
        rcpt = begins[f"RCPT {transaction.envelope.recipient.local}"]
        delivered = isinstance(ending.answer, Reply) and ending.answer.code == 250
        uncertain = isinstance(ending.answer, Silence) and ending.phase is Phase.DOT
        assert delivered <= ([answer(rcpt + each) for each in (-1, 0, 1)] == [2, 2, 2])
        if answered[rcpt - 1 : rcpt] != [421]:
            assert (answer(rcpt) == answer(rcpt + 1) == 2) <= (delivered or uncertain)
    assert len(endings) == sum(each == "BDAT" for each in asked)
    resets = [number for number, name in enumerate(asked) if name == "RSET"]
    assert all(asked[number - 1] == "BDAT" and asked[number + 1].startswith("MAIL") for number in resets)
