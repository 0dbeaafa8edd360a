import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaign_cli.model.reply import Silence
from campaign_cli.transport.session import Session
from campaign_cli.transport.transaction import Offers
from tests.unit.transport.dialogues import begun, told

PLAIN, PIPELINING, CHUNKING = Offers(), Offers(pipelining=True), Offers(pipelining=True, chunking=True)
WAYS = pytest.mark.parametrize("offers", [PLAIN, PIPELINING, CHUNKING], ids=["plain", "pipelining", "chunking"])
OK, GO, BYE, NO, WHAT = b"250 ok\r\n", b"354 go\r\n", b"421 bye\r\n", b"550 no\r\n", b"500 what\r\n"


# 1
@pytest.mark.parametrize(
    ("offers", "replies"),
    [
        (PLAIN, [OK, NO, WHAT]),
        (PLAIN, [OK, NO, BYE]),
        (PIPELINING, [OK + NO + WHAT, WHAT + OK + OK + GO]),
        (PIPELINING, [OK + OK + GO, b"354 what\r\n" + OK + OK + GO]),
    ],
)
def test_no_transaction_waits_for_an_answer_that_is_not_due(offers: Offers, replies: list[bytes]) -> None:
    dialogue, _ = begun(offers, *replies, of=2)
    assert dialogue.idle or dialogue.awaited is not None


def test_what_waits_for_its_mark_when_the_server_closes_is_returned_at_once() -> None:
    assert begun(CHUNKING, BYE, of=2, durable=False)[1] == ["n0 mail", "n1 mail behind"]


@settings(max_examples=500)
@WAYS
@given(said=st.lists(st.sampled_from([OK, OK, OK, GO, GO, BYE, NO, WHAT]), max_size=30))
def test_whatever_a_server_says_a_transaction_that_is_durable_ends_or_waits_for_an_answer(
    offers: Offers, said: Any
) -> None:
    dialogue, _ = begun(offers, *said, of=99)
    assert dialogue.idle or dialogue.awaited is not None


# 2
@pytest.mark.parametrize(
    ("offers", "replies", "rest"),
    [
        (CHUNKING, [OK + BYE], ["n0 rcpt 421", "n1 mail behind", "n2 mail behind"]),
        (PIPELINING, [OK + OK + GO, BYE], ["n0 dot 421", "n1 mail behind"]),
        (PIPELINING, [OK + NO + NO, BYE], ["n0 rcpt 550", "n1 mail behind"]),
        (CHUNKING, [OK + OK + OK + BYE], ["n0 dot 250", "n1 mail behind", "n2 mail behind"]),
    ],
)
def test_what_is_behind_a_421_is_known_to_have_been_behind(offers: Offers, replies: Any, rest: list[str]) -> None:
    dialogue, before = begun(offers, *replies, of=3)
    assert before + told(dialogue.lost(Silence("gone"))) == rest


# 3
def test_a_server_that_reads_a_refused_chunk_as_commands_makes_what_follows_uncertain() -> None:
    dialogue, ended = begun(CHUNKING, OK + NO + WHAT + WHAT * 3 + OK + OK + OK + OK, of=3)
    ended += told(dialogue.lost(Silence("gone")))
    assert ended == ["n0 rcpt 550", "n1 dot", "n2 dot behind"]


@pytest.mark.parametrize("replies", [GO + OK + OK, OK + GO + OK, NO + OK + OK])
def test_a_chunk_that_was_taken_is_never_returned_for_a_reply_that_makes_no_sense(replies: bytes) -> None:
    assert begun(CHUNKING, replies, of=1)[1] == ["n0 dot"]


# 4
def test_a_server_that_goes_on_after_421_may_have_done_what_it_was_asked() -> None:
    dialogue, ended = begun(CHUNKING, OK + OK + BYE + OK, of=3)
    assert ended + told(dialogue.lost(Silence("gone"))) == ["n0 dot 421", "n1 dot behind", "n2 dot behind"]


# 5
def test_a_session_that_was_aborted_is_unusable_at_once() -> None:
    class Transport:
        def set_protocol(self, protocol: object) -> None: ...
        def abort(self) -> None: ...

    async def main() -> None:
        transport: Any = Transport()
        session = Session(transport, route="r", offers=CHUNKING)
        session.abort()
        assert not session.usable

    asyncio.run(main())


# 6
@pytest.mark.parametrize("offers", [PLAIN, PIPELINING])
@pytest.mark.parametrize("early", [OK, NO, BYE])
def test_after_a_reply_that_comes_before_the_content_is_written_it_is_not_handed_over(
    offers: Offers, early: bytes
) -> None:
    dialogue, ended = begun(offers, OK, OK)
    ended += told(dialogue.received(GO + early))
    assert (ended, type(dialogue.closing)) == (["n0 mail"], Silence)
    assert (dialogue.output(), dialogue.handed_over, dialogue.idle, dialogue.received(OK)) == (b"", 0, True, [])


# 7
def test_a_stopped_transaction_is_not_begun_after_its_reset() -> None:
    dialogue, _ = begun(PLAIN, OK, NO, of=2)
    assert told(dialogue.stop(Silence("stopped"))) == ["n1 mail"]
    dialogue.received(OK)
    assert dialogue.output() == b""
