import time
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import parseaddr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from campaign_cli.content.headers import check_block, mailbox_field, text_field
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.errors import ComposeError

INJECTION = "=?UTF-8?Q?=0D=0ABcc=3A_evil=40example.org?="
CONTROL = [chr(code) for code in (*range(9), *range(10, 32), 127)]
WORDS = st.sampled_from(
    [" ", "  ", "\t", "word", "=?", "?=", "=?utf-8?q?", INJECTION, "é", "漢字", "🎉", ",", '"', "\\"]
)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters=CONTROL), max_size=200) | st.lists(
    WORDS, max_size=60
).map("".join)
ANN = Address("ann", "x.example")


def lines(field: bytes) -> list[bytes]:
    assert field.endswith(b"\r\n")
    return field[:-2].split(b"\r\n")


def assert_folded(field: bytes) -> None:
    check_block(field, [field.split(b":")[0].decode()])
    for line in lines(field):
        words = line.split(b": ", 1)[-1].strip()
        assert len(line) <= (998 if b" " not in words else 78)


@given(TEXT, st.sampled_from(["Subject", "X-Note", "X-A-Header-With-A-Rather-Long-Name"]))
@example("a" * 70 + " " + "\t" * 10, "Subject")
@example("a" + " " * 1200 + "b", "Subject")
@example("a" * 1000, "Subject")
@example("a " * 500, "Subject")
@example("=?utf-8?q?a?= =?utf-8?q?b?=", "X-Note")
def test_pythons_email_parser_reads_the_text_that_was_encoded(text: str, name: str) -> None:
    field = text_field(name, text)
    assert_folded(field)
    parsed = message_from_bytes(field + b"\r\n", policy=policy.default)
    assert [(key, str(value).strip()) for key, value in parsed.items()] == [(name, text.strip())]
    raw = "".join(line.decode() for line in lines(field)).split(": ", 1)[1]
    assert str(make_header(decode_header(raw))).strip() == text.strip()


@given(TEXT.filter(str.strip), st.sampled_from(["To", "From", "Reply-To"]))
@example("Doe, Ann", "To")
@example('Ann "the \\ first" Doe', "From")
@example("a" * 600, "To")
@example('"' * 300, "To")
@example("Long, " * 60, "To")
def test_a_display_name_arrives_as_it_was_written_with_one_address(name: str, header: str) -> None:
    field = mailbox_field(header, name, ANN)
    assert_folded(field)
    parsed = message_from_bytes(field + b"\r\n", policy=policy.default)
    assert list(parsed) == [header]
    # In a name, policy.default makes one space of several, and of the folding between two encoded words.
    found = [("".join(each.display_name.split()), each.addr_spec) for each in parsed[header].addresses]
    assert found == [("".join(name.split()), "ann@x.example")]
    shown, email = parseaddr("".join(line.decode() for line in lines(field)).split(": ", 1)[1])
    assert (str(make_header(decode_header(shown))).strip(), email) == (name.strip(), "ann@x.example")


@pytest.mark.parametrize(
    ("mailbox", "field"),
    [
        (Mailbox("", ANN), b"To: ann@x.example\r\n"),
        (Mailbox("Ann Doe", ANN), b"To: Ann Doe <ann@x.example>\r\n"),
        (Mailbox('Doe, "A"', ANN), b'To: "Doe, \\"A\\"" <ann@x.example>\r\n'),
        (Mailbox("Zoë", ANN), b"To: =?utf-8?b?Wm/Dqw==?= <ann@x.example>\r\n"),
        (Mailbox("", Address("jörg", "x.example")), "To: jörg@x.example\r\n".encode()),
    ],
)
def test_a_name_is_bare_quoted_or_encoded_as_it_needs(mailbox: Mailbox, field: bytes) -> None:
    assert mailbox_field("To", mailbox.name, mailbox.address) == field


def test_a_long_url_stays_one_unencoded_word() -> None:
    url = f"<https://x.example/{'a' * 900}>"
    assert text_field("List-Unsubscribe", url) == f"List-Unsubscribe: {url}\r\n".encode()


@pytest.mark.parametrize("character", CONTROL)
def test_a_control_character_is_refused_in_text_and_in_names(character: str) -> None:
    what = "a line break" if character in "\r\n" else "a control character"
    told = f"header would have {what} in it; take it out of the list or the template"
    with pytest.raises(ComposeError, match=f"the Subject {told}"):
        text_field("Subject", f"a{character}Bcc: evil@example.org")
    with pytest.raises(ComposeError, match=f"the To {told}"):
        mailbox_field("To", f"a{character}Bcc: evil@example.org", ANN)


@pytest.mark.parametrize("parser", [policy.default, policy.compat32])
def test_an_encoded_line_break_in_a_field_never_becomes_a_header(parser: policy.Policy) -> None:
    block = mailbox_field("To", INJECTION, ANN) + text_field("Subject", INJECTION)
    block += text_field("X-Note", f"a {INJECTION} b")
    parsed = message_from_bytes(block + b"\r\nbody", policy=parser)
    assert (list(parsed), parsed["Bcc"], parsed.get_payload()) == (["To", "Subject", "X-Note"], None, "body")
    again = message_from_bytes(parsed.as_bytes(), policy=parser)
    assert (list(again), again["Bcc"], again.get_payload()) == (["To", "Subject", "X-Note"], None, "body")


def test_a_block_of_exactly_its_fields_passes_whatever_their_case() -> None:
    check_block(b"From: a\r\nSubject: b\r\n c\r\n", ["from", "SUBJECT"])


@pytest.mark.parametrize(
    "block",
    [
        b"From: a\r\nBcc: x\r\nSubject: b\r\n",
        b"From: a\r\nFrom: a\r\nSubject: b\r\n",
        b"From: a\r\n",
        b"Subject: b\r\nFrom: a\r\n",
        b"From: a\r\nSubject: b\nBcc: x\r\n",
        b"From: a\r\nSubject: b\rBcc: x\r\n",
        b"From: a\r\nSubject: b\0\r\n",
        b"From: a\r\nSubject: " + b"b" * 990 + b"\r\n",
        b"From: a\r\n\r\nSubject: b\r\n",
        b"From: a\r\n \t\r\nSubject: b\r\n",
        b" x\r\nFrom: a\r\nSubject: b\r\n",
        b"From: a\r\nSubject: b",
        b"From: a\r\nSubject:b\r\n",
        b"",
    ],
)
def test_a_block_with_anything_else_is_refused(block: bytes) -> None:
    with pytest.raises(ComposeError, match="the message's header would"):
        check_block(block, ["From", "Subject"])


@pytest.mark.parametrize("unit", ["\t ", "  ", "a ", "é ", '"\\', ",<", "=?"])
def test_the_time_that_a_field_takes_grows_no_faster_than_its_length(unit: str) -> None:
    began = time.process_time()
    text_field("Subject", unit * 200_000)
    mailbox_field("To", unit * 200_000, ANN)
    # It takes a tenth of that; when each line is copied for each word, a minute.
    assert time.process_time() - began < 5
