import quopri
import re
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.content.shapes import Skeleton, filled
from campaign_cli.content.transfer import encoded

DECODE = {"7bit": bytes, "base64": b64decode, "quoted-printable": quopri.decodestring}

WORDS = st.text("ab =.%é漢\t", max_size=60)
LINES = st.lists(WORDS | st.sampled_from([".", "=", "%s", "%b", "From x", " ", "x" * 80, "y" * 990]), max_size=5)
VALUES = st.lists(
    WORDS | st.sampled_from(["", ".", "=", "Ann", "Zoë", "a\nb", "b\r\nc", "z" * 35, "=" * 12]), max_size=4
)


@st.composite
def texts(draw: st.DrawFn) -> tuple[Skeleton, list[str]]:
    values = draw(VALUES)
    places = st.integers(0, len(values) - 1) if values else st.nothing()
    return tuple(draw(st.lists(LINES.map("\n".join) | places, max_size=8))), values


@given(texts())
def test_what_is_decoded_is_what_was_encoded_in_lines_that_may_be_sent(text: tuple[Skeleton, list[str]]) -> None:
    encoding, body = encoded(*text)
    lines = body.split(b"\r\n")
    assert lines[-1] == b""
    assert max(map(len, lines)) <= (998 if encoding == "7bit" else 76)
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert not (encoding == "quoted-printable" and any(line.endswith((b" ", b"\t")) for line in lines))
    whole = re.sub("\r\n?", "\n", "".join(filled(*text)))
    decoded = DECODE[encoding](body).replace(b"\r\n", b"\n").decode()
    assert decoded in (whole, f"{whole}\n")


@pytest.mark.parametrize(
    ("bones", "values", "encoding", "body"),
    [
        (("Dear ", 0, ",\n"), ["Ann"], "7bit", b"Dear Ann,\r\n"),
        (("Dear ", 0, ",\n"), ["Zoë"], "quoted-printable", b"Dear=20Zo=C3=AB,\r\n"),
        (("100 % of ", 1, 0, 1, "é\n"), ["a", "b"], "quoted-printable", b"100 % of=20b=\r\nab=\r\n=C3=A9\r\n"),
        (("привет, ", 0), ["Ann"], "base64", b"0L/RgNC40LLQtdGCLCBBbm4NCg==\r\n"),
        ((0,), ["x" * 999], "quoted-printable", (b"x" * 75 + b"=\r\n") * 13 + b"x" * 24 + b"\r\n"),
        ((), [], "7bit", b"\r\n"),
    ],
)
def test_the_encoding_suits_skeleton_and_values(bones: Skeleton, values: list[str], encoding: str, body: bytes) -> None:
    assert encoded(bones, values) == (encoding, body)
