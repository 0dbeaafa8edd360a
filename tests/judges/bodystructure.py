"""A message as Dovecot's IMAP server takes it apart: its structure, and the content of each part, decoded by it."""

import re
from dataclasses import dataclass, field
from imaplib import IMAP4
from typing import Any
from urllib.parse import unquote

_TOKEN = re.compile(rb'\s*(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|~?\{(\d+)\}\r\n|([^\s()"{]+))', re.DOTALL)


@dataclass
class Part:
    """A part: its type, its parameters and those of its disposition, and what it consists of."""

    kind: str
    parameters: dict[str, str]
    disposition: str = ""
    filename: str = ""
    content_id: str = ""
    content: bytes = b""
    parts: list["Part"] = field(default_factory=list)

    def leaves(self) -> list["Part"]:
        """The parts that have none themselves, as they come."""
        return [leaf for part in self.parts for leaf in part.leaves()] if self.parts else [self]

    def structure(self) -> Any:
        """The types, one within the other."""
        return (self.kind, *[part.structure() for part in self.parts]) if self.parts else self.kind


def fetched(mailbox: IMAP4, number: str) -> tuple[str, Part]:
    """The message's Message-ID, and what it consists of."""
    told = _parsed(_joined(mailbox.fetch(number, "(ENVELOPE BODYSTRUCTURE)")))
    found = dict(zip(told[1][::2], told[1][1::2], strict=True))
    root = _part(found["BODYSTRUCTURE"])
    _fill(mailbox, number, root, "")
    return found["ENVELOPE"][9], root


def _fill(mailbox: IMAP4, number: str, part: Part, section: str) -> None:
    if part.parts:
        for place, inner in enumerate(part.parts, 1):
            _fill(mailbox, number, inner, f"{section}.{place}" if section else str(place))
        return
    told = _parsed(_joined(mailbox.fetch(number, f"(BINARY.PEEK[{section or 1}])")))
    part.content = told[1][1].encode("latin-1")


def _joined(answer: tuple[str, list[Any]]) -> bytes:
    status, pieces = answer
    assert status == "OK"
    return b"".join([b"\r\n".join(piece) if isinstance(piece, tuple) else piece for piece in pieces])


def _parsed(octets: bytes) -> list[Any]:
    """IMAP's lists (RFC 9051 4). NIL is an empty text. A text is Latin-1: an octet is a character."""
    stack: list[list[Any]] = [[]]
    place = 0
    while found := _TOKEN.match(octets, place):
        opened, closed, quoted, length, atom = found.groups()
        place = found.end()
        if opened:
            stack.append([])
        elif closed:
            inner = stack.pop()
            stack[-1].append(inner)
        elif length is not None:
            stack[-1].append(octets[place : place + int(length)].decode("latin-1"))
            place += int(length)
        elif quoted is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", quoted).decode("latin-1"))
        else:
            stack[-1].append("" if atom.upper() == b"NIL" else atom.decode("latin-1"))
    assert not octets[place:].strip(), octets[place:]
    return stack[0]


def _part(told: list[Any]) -> Part:
    if isinstance(told[0], list):
        inner = [each for each in told if isinstance(each, list) and isinstance(each[0], list | str)]
        count = next(place for place, each in enumerate(told) if isinstance(each, str))
        return Part(
            f"multipart/{told[count]}".lower(), _pairs(told[count + 1]), parts=[_part(p) for p in inner[:count]]
        )
    kind = f"{told[0]}/{told[1]}".lower()
    # A text has a count of its lines before what is in every part (RFC 9051 7.5.2).
    rest = told[8:] if told[0].lower() == "text" else told[7:]
    part = Part(kind, _pairs(told[2]), content_id=told[3])
    if rest[1]:
        part.disposition, parameters = rest[1][0].lower(), _pairs(rest[1][1])
        charset, _, encoded = parameters.get("filename*", "").partition("''")
        part.filename = unquote(encoded, charset) if encoded else parameters.get("filename", "")
    return part


def _pairs(told: Any) -> dict[str, str]:
    return {key.lower(): value for key, value in zip(told[::2], told[1::2], strict=True)}
