"""How what is in flight ends when the session does: `stop`, `lost`, and 421 (RFC 5321 3.8)."""

import pytest

from campaign_cli.model.reply import Phase, Silence
from campaign_cli.transport.dialogue import Dialogue
from campaign_cli.transport.transaction import Offers
from tests.unit.transport.dialogues import begun, message, told

PLAIN, PIPELINING, CHUNKING = Offers(), Offers(pipelining=True), Offers(pipelining=True, chunking=True)
WAYS = pytest.mark.parametrize("offers", [PLAIN, PIPELINING, CHUNKING], ids=["plain", "pipelining", "chunking"])
WHY = Silence("the run was stopped")
OK, GO, BYE, NO = b"250 ok\r\n", b"354 go\r\n", b"421 bye\r\n", b"550 no\r\n"
TAKEN = OK * 3

POINTS = [
    (PLAIN, [], True, "n0 mail"),
    (PLAIN, [OK], True, "n0 rcpt"),
    (PLAIN, [OK, OK], True, "n0 data"),
    (PLAIN, [OK, OK, GO], False, "n0 mail"),
    (PLAIN, [OK, OK, GO], True, "n0 dot"),
    (PIPELINING, [], True, "n0 mail"),
    (PIPELINING, [OK], True, "n0 rcpt"),
    (PIPELINING, [OK, OK], True, "n0 data"),
    (PIPELINING, [OK, NO], True, "n0 rcpt 550"),
    (PIPELINING, [OK, OK, GO], False, "n0 mail"),
    (PIPELINING, [OK, OK, GO], True, "n0 dot"),
    (CHUNKING, [], False, "n0 mail"),
    (CHUNKING, [], True, "n0 dot"),
    (CHUNKING, [OK], True, "n0 dot"),
    (CHUNKING, [OK, OK], True, "n0 dot"),
    (CHUNKING, [OK, NO], True, "n0 rcpt 550"),
]


@pytest.mark.parametrize(("offers", "replies", "durable", "ending"), POINTS)
def test_at_each_point_what_was_handed_over_is_uncertain_and_the_rest_returned_when_the_connection_is_lost(
    offers: Offers, replies: list[bytes], durable: bool, ending: str
) -> None:
    dialogue, before = begun(offers, *replies, durable=durable)
    assert (before, told(dialogue.lost(Silence("gone")))) == ([], [ending])
    assert (dialogue.idle, dialogue.room, dialogue.closing, dialogue.lost(WHY)) == (True, 0, Silence("gone"), [])


@pytest.mark.parametrize(("offers", "replies", "durable", "ending"), POINTS)
def test_at_each_point_stopping_returns_what_was_not_handed_over_and_waits_for_the_rest(
    offers: Offers, replies: list[bytes], durable: bool, ending: str
) -> None:
    dialogue, _ = begun(offers, *replies, durable=durable)
    handed_over = ending.endswith("dot") or (offers is CHUNKING and durable)
    refused = ending if ending.endswith("550") else "n0 mail"
    assert told(dialogue.stop(WHY)) == ([] if handed_over else [refused])
    assert (dialogue.handed_over, dialogue.idle, dialogue.room) == (int(handed_over), not handed_over, 0)
    answered = told(dialogue.received(TAKEN[len(OK) * len(replies) :] if offers is CHUNKING else OK))
    refused_since = "n0 rcpt 550" if ending.endswith("550") else "n0 dot 250"
    assert answered == ([refused_since] if handed_over else [])
    assert dialogue.output() == b""


@WAYS
def test_what_becomes_durable_after_a_stop_or_a_loss_is_not_handed_over(offers: Offers) -> None:
    for end in (Dialogue.stop, Dialogue.lost):
        dialogue, waiting = Dialogue(offers), message(durable=False)
        dialogue.start(waiting)
        for reply in () if offers is CHUNKING else (OK, OK, GO):
            dialogue.output()
            dialogue.received(reply)
        dialogue.output()
        assert told(end(dialogue, WHY)) == ["ann mail"]
        dialogue.durable(waiting)
        assert (dialogue.output(), waiting.handed_over) == (b"", False)


def test_when_a_session_is_lost_those_whose_turn_had_not_come_are_known_to_have_been_behind() -> None:
    chunking, ended = begun(CHUNKING, TAKEN + OK, OK, of=4)
    assert ended == ["n0 dot 250"]
    assert told(chunking.lost(WHY)) == ["n1 dot", "n2 dot behind", "n3 dot behind"]
    pipelining, _ = begun(PIPELINING, OK + OK + GO, of=3)
    assert told(pipelining.lost(WHY)) == ["n0 dot", "n1 mail behind"]


@pytest.mark.parametrize(
    ("offers", "replies", "ended", "rest"),
    [
        (PIPELINING, [OK + OK + GO, BYE], ["n0 dot 421"], ["n1 mail"]),
        (PIPELINING, [OK + OK + GO, OK + BYE], ["n0 dot 250", "n1 mail 421"], []),
        (PIPELINING, [OK + BYE], ["n0 rcpt 421"], []),
        (PIPELINING, [OK + NO + BYE], ["n0 rcpt 550"], []),
        (CHUNKING, [BYE], ["n0 mail 421"], ["n1 mail", "n2 mail"]),
        (CHUNKING, [OK + BYE], ["n0 rcpt 421"], ["n1 mail", "n2 mail"]),
        (CHUNKING, [OK + OK + BYE], ["n0 dot 421"], ["n1 mail", "n2 mail"]),
        (CHUNKING, [OK + NO + BYE], ["n0 rcpt 550"], ["n1 mail", "n2 mail"]),
        (CHUNKING, [TAKEN + BYE], ["n0 dot 250"], ["n1 mail", "n2 mail"]),
        (CHUNKING, [TAKEN + OK + OK + BYE], ["n0 dot 250", "n1 rcpt 421"], ["n2 mail"]),
        (CHUNKING, [BYE * 9], ["n0 mail 421", "n1 mail 421", "n2 mail 421"], []),
    ],
)
def test_what_is_behind_a_421_is_returned_for_the_server_does_nothing_more(
    offers: Offers, replies: list[bytes], ended: list[str], rest: list[str]
) -> None:
    dialogue, before = begun(offers, *replies, of=3)
    told_of = before + told(dialogue.lost(Silence("gone")))
    assert [each.removesuffix(" behind") for each in told_of] == ended + rest
    assert (dialogue.cut_off, dialogue.closing) == (True, Silence("the server closes the session: 421 bye"))


@WAYS
@pytest.mark.parametrize(("replies", "ending"), [([BYE], "n0 mail 421"), ([OK, BYE], "n0 rcpt 421")])
def test_a_421_ends_the_transaction_that_it_answers_at_once(offers: Offers, replies: list[bytes], ending: str) -> None:
    dialogue, ended = begun(offers, *replies)
    assert (ended, dialogue.idle, dialogue.received(BYE)) == ([ending], True, [])


@WAYS
def test_a_server_that_says_something_unasked_gets_no_further_transaction(offers: Offers) -> None:
    for said, cut_off in ((BYE, True), (OK, False)):
        dialogue = Dialogue(offers)
        assert dialogue.room > 0
        assert dialogue.received(said) == []
        assert (dialogue.room, dialogue.cut_off, type(dialogue.closing)) == (0, cut_off, Silence)


@WAYS
def test_a_stray_reply_after_a_transaction_ends_the_session_and_changes_no_ending(offers: Offers) -> None:
    replies = [TAKEN + NO] if offers is CHUNKING else [OK, OK, GO, OK + NO]
    dialogue, ended = begun(offers, *replies)
    assert (ended, dialogue.closing) == (["n0 dot 250"], Silence("the server said unasked: 550 no"))


@WAYS
def test_nothing_is_heard_after_nonsense_and_what_was_handed_over_is_uncertain(offers: Offers) -> None:
    replies = [OK + b"what?\r\n" + TAKEN] if offers is CHUNKING else [OK, OK, GO, b"what?\r\n" + OK]
    dialogue, ended = begun(offers, *replies)
    assert (ended, dialogue.received(TAKEN), dialogue.room) == (["n0 dot"], [], 0)


@WAYS
def test_what_the_next_reply_answers_is_known(offers: Offers) -> None:
    dialogue = Dialogue(offers)
    dialogue.start(message())
    seen = [dialogue.awaited]
    for reply in (OK, OK, OK) if offers is CHUNKING else (OK, OK, GO, OK):
        dialogue.output()
        dialogue.received(reply)
        seen.append(dialogue.awaited)
    phases = [Phase.MAIL, Phase.RCPT, *([] if offers is CHUNKING else [Phase.DATA]), Phase.DOT]
    assert seen == [*phases, None]


def test_no_more_than_what_was_handed_over_and_not_answered_counts_as_handed_over() -> None:
    chunking, _ = begun(CHUNKING, TAKEN, of=3)
    waiting, _ = begun(CHUNKING, durable=False, of=3)
    pipelining, _ = begun(PIPELINING, OK + OK + GO, of=3)
    assert [each.handed_over for each in (chunking, waiting, pipelining)] == [2, 0, 1]
