import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from campaign_cli.content import composer as module
from campaign_cli.content.composer import Composer, display_name
from campaign_cli.content.shapes import filled
from campaign_cli.content.template import load_template
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.envelope import Message
from campaign_cli.model.errors import ComposeError

INJECTION = "=?UTF-8?Q?=0D=0ABcc=3A_evil=40example.org?="
ANN = Address("ann", "x.example")
NEWS = Mailbox("News, Inc.", Address("news", "y.example"))
DATE = 1_700_000_000.9
COMMON = ["From", "To", "Subject", "Date", "Message-ID"]
IN_FILES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def composer(folder: Path, text: str, name: str = "mail.txt", reply_to: Mailbox | None = None) -> Composer:
    path = folder / name
    path.write_text(text, "utf-8", newline="")
    return Composer(load_template(path), NEWS, reply_to=reply_to)


def compose(made: Composer, address: Address = ANN, **fields: str) -> Message:
    return made.compose(address, fields, message_id="<1@y.example>", date=DATE)


def parsed(message: Message) -> EmailMessage:
    found = message_from_bytes(message.content, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def content(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    assert part is not None
    return part.get_content().replace("\r\n", "\n")


def test_a_small_message_is_these_bytes(tmp_path: Path) -> None:
    made = composer(
        tmp_path,
        "---\nsubject: 'Hi {{ name }}'\nX-Id: '7'\n---\nDear {{ name }},\n\nbye\n",
        reply_to=Mailbox("", Address("help", "y.example")),
    )
    assert made.domain == "y.example"
    assert compose(made, name="Ann") == Message(
        "<1@y.example>",
        b'From: "News, Inc." <news@y.example>\r\nTo: Ann <ann@x.example>\r\nSubject: Hi Ann\r\n'
        b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <1@y.example>\r\nReply-To: help@y.example\r\nX-Id: 7\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
        b"Dear Ann,\r\n\r\nbye\r\n",
        DATE,
    )


def test_a_message_that_no_provider_takes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 1000)
    made = composer(tmp_path, "---\nsubject: Hi\n---\n{{ text }}\n")
    assert compose(made, text="x" * 900).content.endswith(b"x\r\n")
    with pytest.raises(ComposeError, match=r"^the message has 1,00[0-9] bytes, and no provider takes more than 1,000$"):
        compose(made, text="x\n" * 334)


def test_a_header_that_relays_would_cut_off_is_told(tmp_path: Path) -> None:
    made = composer(tmp_path, "---\nsubject: '{{ text }}'\n---\nx\n")
    assert compose(made, text="x " * 48_000)
    with pytest.raises(ComposeError, match=r"^the message's header has 102,\d\d\d bytes, and relays take 100,000$"):
        compose(made, text="x " * 49_990)


LONG = st.sampled_from(
    ["a" * 999, "é" * 500, "a b " * 400, "=\n", ".\n", "\r", "\r\n", " \n", "\t\n", "\u2028", "\u2029", "\x85"]
)
BODY = st.lists(st.text(max_size=40) | LONG, max_size=6).map("".join)
NAME = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=60)


@IN_FILES
@given(BODY, NAME, st.sampled_from(["mail.txt", "mail.html", "mail.md"]))
@example("--=_x\r\n--=_x--\n", INJECTION, "mail.html")
def test_any_text_in_a_field_arrives_in_lines_that_a_relay_takes(tmp_path: Path, x: str, name: str, file: str) -> None:
    made = composer(tmp_path, "---\nsubject: 'S {{ name }}'\n---\n{{ x }}|{{ name }}\n", file)
    message = compose(made, x=x, name=name)
    assert compose(made, x=x, name=name) == message
    lines = message.content.split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line or len(line) > 998 for line in lines)
    found = parsed(message)
    ending = ["Content-Type", "Content-Transfer-Encoding"] if file == "mail.txt" else ["Content-Type"]
    assert list(found) == [*COMMON, "MIME-Version", *ending]
    assert str(found["Subject"]).strip() == f"S {name}".strip()
    rendered = load_template(tmp_path / file).render({"x": x, "name": name})
    kind, pieces = ("plain", rendered.text) if rendered.html is None else ("html", rendered.html)
    sent = re.sub("\r\n?|[\u2028\u2029]", "\n", "".join(filled(*pieces)))
    assert content(found, kind).removesuffix("\n") == sent.removesuffix("\n")


@pytest.mark.parametrize(
    ("text", "encoding", "body"),
    [
        ("a\tb\n", "7bit", b"a\tb\r\n"),
        ("", "7bit", b"\r\n"),
        ("a\u2028b\u2029c\rd", "7bit", b"a\r\nb\r\nc\r\nd\r\n"),
        ("a" * 998, "7bit", b"a" * 998 + b"\r\n"),
        ("a" * 999, "quoted-printable", (b"a" * 75 + b"=\r\n") * 13 + b"a" * 24 + b"\r\n"),
        ("caf\u00e9 au lait, s'il vous plait", "quoted-printable", b"caf=C3=A9 au lait, s'il vous plait\r\n"),
        ("a\0 and some more", "quoted-printable", b"a=00 and some more\r\n"),
        ("漢字\n", "base64", b"5ryi5a2XDQo=\r\n"),
    ],
)
def test_the_transfer_encoding_suits_the_text(tmp_path: Path, text: str, encoding: str, body: bytes) -> None:
    message = compose(composer(tmp_path, "---\nsubject: s\n---\n{{ x }}"), x=text)
    assert parsed(message)["Content-Transfer-Encoding"] == encoding
    assert message.content.split(b"\r\n\r\n", 1)[1] == body


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, ""),
        ({"name": " Ann Doe "}, "Ann Doe"),
        ({"name": " ", "full_name": "Ann Doe", "first_name": "B"}, "Ann Doe"),
        ({"first_name": "Ann ", "last_name": " Doe"}, "Ann Doe"),
        ({"firstname": "Ann"}, "Ann"),
        ({"first_name": "", "given_name": "Ann", "surname": "Doe"}, "Ann Doe"),
        ({"last_name": "Doe"}, "Doe"),
    ],
)
def test_the_name_comes_from_the_columns_that_usually_hold_it(fields: dict[str, str], name: str) -> None:
    assert display_name(fields) == name


def test_a_local_part_for_smtputf8_is_kept(tmp_path: Path) -> None:
    message = compose(composer(tmp_path, "---\nsubject: s\n---\n"), Address("jörg", "x.example"), name="J")
    assert message.content.split(b"\r\n")[1] == "To: J <jörg@x.example>".encode()


def test_html_has_its_field_escaped_and_a_text_beside_it(tmp_path: Path) -> None:
    found = parsed(compose(composer(tmp_path, "---\nsubject: s\n---\n<p>Hi {{ x }}</p>\n", "mail.html"), x="<b>&amp;é"))
    assert [part.get_content_type() for part in found.iter_parts()] == ["text/plain", "text/html"]
    assert found.get_content_type() == "multipart/alternative"
    assert content(found, "plain") == "Hi <b>&amp;é\n"
    assert content(found, "html") == "<p>Hi &lt;b&gt;&amp;amp;é</p>\n"
