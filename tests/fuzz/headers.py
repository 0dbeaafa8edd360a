"""Header fields: what a list or a template has in it stands in a Subject, in a header of its own, and in a name."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.utils import parseaddr

from campaign_cli.content.headers import check_block, mailbox_field, text_field
from campaign_cli.model.address import Address
from campaign_cli.model.errors import ComposeError

LONG = "X-A-Header-With-A-Rather-Long-Name"

SAMPLES = tuple(
    text.encode()
    for text in (
        "Hello Ann, your order of 3 items is on its way to you today and should arrive by Tuesday evening",
        "Zoë, 漢字 and 🎉 for everybody who reads this line, which is long enough to be folded at least once",
        "=?UTF-8?Q?=0D=0ABcc=3A_evil=40example.org?= =?utf-8?b?YQ==?=",
        'Doe, "Ann \\ the first" <ann@evil.example>; (a comment) group: a@b.example;',
        "<https://x.example/u?a=1&b=2>, <mailto:u@x.example?subject=unsubscribe>",
    )
)

TOKENS = (
    *(
        b" ",
        b"\t",
        b"  ",
        b" \t ",
        b"\r\n",
        b"\r",
        b"\n",
        b"\r\n ",
        b"\r\nBcc: x@y.example\r\n",
        b"\0",
        b"\x0b",
        b"\x1b[2J",
    ),
    *(
        b"=?",
        b"?=",
        b"=?utf-8?q?",
        b"=?utf-8?b?",
        b'"',
        b"\\",
        b",",
        b"<",
        b">",
        b"(",
        b")",
        b":",
        b";",
        b"@",
        b"a" * 998,
    ),
    *("\u2028".encode(), "\x85".encode(), "\u200f".encode(), "\ufeff".encode(), "é".encode(), "🎉".encode(), b"\xff"),
)


def check(octets: bytes) -> None:
    """Refused for a control character, else each field arrives alone and with the value it had."""
    value = octets.decode("utf-8", "replace")
    controls = any((character < " " and character != "\t") or character == "\x7f" for character in value)
    try:
        texts = {name: text_field(name, value) for name in ("Subject", LONG)}
        name = mailbox_field("To", value, Address("ann", "x.example"))
    except ComposeError:
        assert controls
        return
    assert not controls
    block = b"".join((*texts.values(), name))
    check_block(block, [*texts, "To"])
    for parser in (policy.default, policy.compat32):
        parsed = message_from_bytes(block + b"\r\nbody", policy=parser)
        assert (list(parsed), parsed.get_payload()) == ([*texts, "To"], "body")
    for field, line in texts.items():
        assert _decoded(_value(field, line)) == value.strip(" \t")
    shown, email = parseaddr(_value("To", name))
    assert email == "ann@x.example"
    assert _decoded(shown) == value.strip(" \t")


def _value(name: str, field: bytes) -> str:
    """A field's body, unfolded (RFC 5322 2.2.3)."""
    return field.decode().replace("\r\n", "").removeprefix(f"{name}: ")


def _decoded(text: str) -> str:
    return str(make_header(decode_header(text))).strip(" \t")
