"""Content transfer encoding (RFC 2045 6): what the messages of a campaign share is encoded once.

A text comes as a skeleton, which many messages have in common, and the values in its places. For values that are a
few words on one line, the skeleton's encoding is worked out once, as a format that takes them; others are encoded with
the whole text.
"""

from __future__ import annotations

import binascii
import re
from base64 import encodebytes
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from campaign_cli.content.headers import LONGEST_LINE
from campaign_cli.content.shapes import AS_PRINTABLE, REMEMBERED, Skeleton, filled

LONGEST_QUOTED = 76
"""Characters in a line of quoted-printable, a soft line break's `=` included (RFC 2045 6.7)."""

SHORT = 36
"""Characters, encoded, of a value that a format takes: most names, and two fit on a line."""

_BARE = re.compile(r"[\t\n\x20-\x7e]*")
_LINE_END = re.compile(r"\r\n?|\u2028|\u2029")


@dataclass(frozen=True, slots=True)
class Frame:
    """A skeleton's encoding, as formats for `%` that take the values numbered `places`.

    `bare` is for 7bit, None where its own text does not allow that; `spare` how many characters all values together may
    have then, so that no line gets too long. `quoted` is for quoted-printable, and takes values of at most `SHORT`
    characters; None where base64 is shorter.
    """

    places: tuple[int, ...]
    bare: bytes | None
    spare: int
    quoted: bytes | None


def encoded(bones: Skeleton, values: Sequence[str]) -> tuple[str, bytes]:
    """The transfer encoding that suits the text best, and the body in it. Its last line ends in CRLF."""
    joined = "".join(values)
    plain = joined.isprintable() or joined.translate(AS_PRINTABLE).isprintable()
    if plain and max(map(len, values), default=0) <= SHORT:
        frame = _frame(bones)
        if frame.bare is not None and joined.isascii():
            placed = [values[place].encode() for place in frame.places]
            if sum(map(len, placed)) <= frame.spare:
                return "7bit", frame.bare % tuple(placed)
        if frame.quoted is not None:
            # All at once, a line for each: a line that got too long was broken, and then there are more.
            quoted = binascii.b2a_qp("\n".join(values).encode(), istext=True).split(b"\n") if values else []
            if len(quoted) == len(values) and max(map(len, quoted), default=0) <= SHORT:
                return "quoted-printable", frame.quoted % tuple([quoted[place] for place in frame.places])
    return _whole("".join(filled(bones, values)))


def _whole(text: str) -> tuple[str, bytes]:
    """The same for a text by itself."""
    text = _LINE_END.sub("\n", text)
    if not text.endswith("\n"):
        text += "\n"
    octets = text.encode()
    if _BARE.fullmatch(text) and max(map(len, text.split("\n"))) <= LONGEST_LINE:
        return "7bit", octets.replace(b"\n", b"\r\n")
    quoted = binascii.b2a_qp(octets, istext=True)
    if _base64_is_better(octets, quoted):
        return "base64", encodebytes(octets.replace(b"\n", b"\r\n")).replace(b"\n", b"\r\n")
    return "quoted-printable", quoted.replace(b"\n", b"\r\n")


def _base64_is_better(octets: bytes, quoted: bytes) -> bool:
    # Base64 has a third more; quoted-printable stays readable, and is shorter for most languages in Latin script.
    return len(quoted) > len(octets) * 4 / 3


@lru_cache(maxsize=2 * REMEMBERED)
def _frame(bones: Skeleton) -> Frame:
    texts = [_LINE_END.sub("\n", bone) if isinstance(bone, str) else None for bone in bones if bone != ""]
    if not texts or not (texts[-1] or "").endswith("\n"):
        texts.append("\n")
    own = "".join([text or "" for text in texts])
    octets = own.encode()
    return Frame(
        places=tuple([bone for bone in bones if isinstance(bone, int)]),
        bare=_escaped(texts) if _BARE.fullmatch(own) else None,
        spare=LONGEST_LINE - max(map(len, own.split("\n"))),
        quoted=None if _base64_is_better(octets, binascii.b2a_qp(octets, istext=True)) else _quoted(texts),
    )


def _escaped(texts: list[str | None]) -> bytes:
    return b"".join(
        [b"%b" if text is None else text.encode().replace(b"%", b"%%").replace(b"\n", b"\r\n") for text in texts]
    )


def _quoted(texts: list[str | None]) -> bytes:
    """The format for quoted-printable, with a soft line break wherever a line might get too long."""
    column = 0
    pieces = []
    for text in texts:
        # At the end of each a space is encoded, for a line may end there.
        lines = None if text is None else binascii.b2a_qp(text.encode(), istext=True).split(b"\n")
        first = SHORT if lines is None else len(lines[0])
        # The line may have to end in `=`, so its last column stays free.
        if column and column + first >= LONGEST_QUOTED:
            pieces.append(b"=\r\n")
            column = 0
        pieces.append(b"%b" if lines is None else b"\r\n".join(lines).replace(b"%", b"%%"))
        column = column + first if lines is None or len(lines) == 1 else len(lines[-1])
    return b"".join(pieces)
