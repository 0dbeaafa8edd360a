import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.model.address import Address
from campaign_cli.model.envelope import Envelope
from campaign_cli.transport.transaction import Offers, dot_stuffed


@pytest.mark.parametrize(
    ("offers", "envelope", "content", "ending", "mail"),
    [
        (Offers(), "ann", b"x", None, ""),
        (Offers(size=0), "ann", b"12345678901", None, " SIZE=11"),
        (Offers(size=10), "ann", b"1234567890", None, " SIZE=10"),
        (Offers(size=10), "ann", b"12345678901", "mail 552 5.3.4", None),
        (Offers(), "ann", "ü".encode(), "rcpt 554 5.6.3", None),
        (Offers(eight_bit=True), "ann", "ü".encode(), None, " BODY=8BITMIME"),
        (Offers(eight_bit=True), "jürgen", b"x", "rcpt 553 5.6.7", None),
        (Offers(smtputf8=True), "jürgen", b"x", None, " SMTPUTF8"),
        (Offers(True, True, True, True, 9), "jürgen", "ü".encode(), None, " SIZE=2 BODY=8BITMIME SMTPUTF8"),
    ],
)
def test_what_the_server_would_refuse_is_refused_before_it_is_asked_and_only_what_it_offers_is_used(
    offers: Offers, envelope: str, content: bytes, ending: str | None, mail: str | None
) -> None:
    asked = Envelope(Address("ada", "sender.example"), Address(envelope, "gmail.com"))
    refusal = offers.refusal(asked, content)
    said = f"{refusal.phase} {str(refusal.answer)[:9]}" if refusal else None
    assert said == ending
    if mail is not None:
        assert offers.mail(asked, content) == f"MAIL FROM:<ada@sender.example>{mail}\r\n"


@given(st.lists(st.sampled_from([b".", b"..", b"a", b".a", b"", b"\r\n", b"\r\n.\r\n"])).map(b"\r\n".join))
def test_dot_stuffing_is_undone_by_the_rule_of_the_rfc(content: bytes) -> None:
    wire = dot_stuffed(content)
    lines = wire.split(b"\r\n")
    end = lines.index(b".")
    assert lines[end + 1 :] == [b""]
    received = b"".join((line[1:] if line.startswith(b".") else line) + b"\r\n" for line in lines[:end])
    assert received in (content, content + b"\r\n")
