"""Messages of several parts (RFC 2046 5.1): texts to choose from, the images they show, and files beside them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

MULTIPART = b"Content-Type: multipart/"
"""How the fields of a part begin that has parts itself."""

Body = tuple[bytes, bytes, Sequence[bytes]]
"""A part on its way to being a message's body: the fields that describe it, its text, and what follows that.

The last are pieces that many messages have in common: they are as DKIM hashes them (RFC 6376 3.4.4), and copied only
once. Text and the last piece end in CRLF.
"""


def alternative(message_id: str, *parts: Body) -> Body:
    """Texts that say the same, the best last (RFC 2046 5.1.4)."""
    boundary = _boundary(message_id)
    line = b"--" + boundary + b"\r\n"
    sections = [b"%b%b\r\n%b\r\n" % (line, fields, text) for fields, text, _ in parts]
    return (
        MULTIPART + b'alternative;\r\n boundary="' + boundary + b'"\r\n',
        b"".join([*sections, b"--", boundary, b"--\r\n"]),
        (),
    )


def related(message_id: str, root: Body, images: Sequence[bytes]) -> Body:
    """`root` with the images that it shows (RFC 2387): of each its fields, an empty line and its content."""
    kind = root[0].partition(b";")[0].removeprefix(b"Content-Type: ")
    return _enclosing(message_id, b'related;\r\n type="%b"' % kind, root, images)


def mixed(message_id: str, root: Body, files: Sequence[bytes]) -> Body:
    """`root` with files beside it (RFC 2046 5.1.3): of each its fields, an empty line and its content."""
    return _enclosing(message_id, b"mixed", root, files)


def _enclosing(message_id: str, subtype: bytes, root: Body, sections: Sequence[bytes]) -> Body:
    fields, text, behind = root
    boundary = _boundary(message_id, subtype[:7])
    line = b"\r\n--%b\r\n" % boundary
    pieces = [piece for section in sections for piece in (line, section)]
    return (
        b'%b%b;\r\n boundary="%b"\r\n' % (MULTIPART, subtype, boundary),
        b"--%b\r\n%b\r\n%b" % (boundary, fields, text),
        (*behind, *pieces, b"\r\n--%b--\r\n" % boundary),
    )


def _boundary(message_id: str, level: bytes = b"") -> bytes:
    # Made from the Message-ID, which the ledger draws with a secret: no field can have it in its text.
    return b"=_" + blake2b(message_id.encode(), digest_size=16, person=level).hexdigest().encode()
