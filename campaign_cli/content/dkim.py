"""DKIM signatures (RFC 6376, 8301, 8463): of the very bytes that are sent, the same for the same message and key.

Header and body are canonicalized as `relaxed`. A signature has the message's own date as its `t=` and no `x=`, and both
algorithms are deterministic: so what is sent again is the same to the byte.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from campaign_cli.content.headers import LINE
from campaign_cli.content.keys import DkimKey, private_key

SIGNED = (
    *("from", "reply-to", "subject", "date", "to", "cc", "message-id", "in-reply-to", "references"),
    *("mime-version", "content-type", "content-transfer-encoding", "feedback-id"),
    *("list-id", "list-help", "list-unsubscribe", "list-unsubscribe-post"),
    *("list-subscribe", "list-post", "list-owner", "list-archive"),
)
"""Fields that are signed where they are there (RFC 6376 5.4.1, RFC 8058 4, and what Gmail asks of Feedback-ID). Not
those of other names: they may be meant for the relay, which takes them out."""

OVERSIGNED = ("from", "subject", "to", "list-unsubscribe", "list-unsubscribe-post", "feedback-id")
"""Fields that are named once more than they are there: one that is added on the way breaks the signature (RFC 6376
8.15)."""

_FIELD_END = re.compile(rb"\r\n(?![ \t])")

_HEAD = "DKIM-Signature: v=1; a={}; c=relaxed/relaxed;\r\n d={}; s={}; t="

_SPACES = re.compile(rb"  +")


class _Signature(NamedTuple):
    """What signs with one key, and its field up to the date."""

    head: str
    sign: Callable[[bytes], bytes]


class Signer:
    """Signs with all of `keys`, which are of one domain."""

    def __init__(self, keys: Sequence[DkimKey]) -> None:
        self.keys = tuple(keys)
        self._signatures = [
            _Signature(_HEAD.format(each.algorithm.tag, each.domain, each.selector), _sign(each)) for each in keys
        ]

    def __reduce__(self) -> tuple[type[Signer], tuple[object, ...]]:
        """As pickle takes it to a worker process."""
        return Signer, (self.keys,)

    def made_of(self) -> list[object]:
        """All that makes its signatures what they are, and none of it secret, as JSON can say it."""
        return [(key.domain, key.selector, key.record) for key in self.keys]

    def fields(self, block: bytes, body: bytes, behind: Sequence[bytes] = (), *, date: int) -> bytes:
        """The DKIM-Signature fields of a message, to stand before its header, `block`. `date` is UTC seconds.

        `behind` is what follows `body`, canonical already: files are large.
        """
        names, lines = _canonical_fields(block)
        body_hash = b64encode(_body_hash(body, behind))
        made = []
        for head, sign in self._signatures:
            field, relaxed = _opening(head, date, names)
            # The field itself goes last, its b= empty and without the end of its line (RFC 6376 3.7).
            signature = sign(b"%b%b%b; b=" % (lines, relaxed, body_hash))
            made.append(b"%b%b;\r\n b=%b\r\n" % (field, body_hash, _folded_signature(signature)))
        return b"".join(made)


def signing_keys(keys: Sequence[DkimKey], domain: str) -> list[DkimKey]:
    """Those of `keys` that sign for a From at `domain`: of the domain itself, else of the nearest one above or below.

    So the signature's domain aligns with From's, as DMARC wants it (RFC 7489 3.1.1).
    """
    domains = [key.domain for key in keys]
    above = [each for each in domains if f".{domain}".endswith(f".{each}")]
    below = [each for each in domains if each.endswith(f".{domain}")]
    nearest = max(above, key=len) if above else min(below, key=len, default=None)
    return [key for key in keys if key.domain == nearest]


def canonical_body(body: bytes) -> bytes:
    """The body, relaxed (RFC 6376 3.4.4). Its lines end in CRLF."""
    body = _relaxed(body).rstrip(b"\r\n")
    return body + b"\r\n" if body else b""


def _relaxed(lines: bytes) -> bytes:
    # One pattern for all of it would take five times as long.
    return _SPACES.sub(b" ", lines.replace(b"\t", b" ")).replace(b" \r\n", b"\r\n")


def _body_hash(body: bytes, behind: Sequence[bytes]) -> bytes:
    if not behind:
        return sha256(canonical_body(body)).digest()
    digest = sha256(_relaxed(body))
    for piece in behind:
        digest.update(piece)
    return digest.digest()


def _canonical_fields(block: bytes) -> tuple[tuple[str, ...], bytes]:
    """The names for `h=`, and the fields that they stand for, relaxed (RFC 6376 3.4.2), in that order."""
    found: dict[str, list[bytes]] = {}
    for each in _FIELD_END.split(block)[:-1]:
        name, _, value = each.partition(b":")
        known = name.lower()
        # A header has no white space but spaces, tabs and folds: `check_block` has seen to it.
        found.setdefault(known.decode(), []).append(b"%b:%b\r\n" % (known, b" ".join(value.split())))
    # Of several fields of one name the last is taken first (RFC 6376 5.4.2).
    chosen = [(name, line) for name in SIGNED if name in found for line in reversed(found[name])]
    return (*[name for name, _ in chosen], *OVERSIGNED), b"".join([line for _, line in chosen])


@lru_cache(maxsize=64)
def _opening(head: str, date: int, names: tuple[str, ...]) -> tuple[bytes, bytes]:
    """A field up to the body's hash, as it is sent, and relaxed."""
    field = f"{head}{date};\r\n h={_folded_names(names)};\r\n bh="
    name, _, value = field.partition(":")
    return field.encode(), f"{name.lower()}:{' '.join(value.split())}".encode()


def _folded_names(names: tuple[str, ...]) -> str:
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) > LINE - len(" h=:"):
            lines.append("")
        lines[-1] += f"{name}:"
    return "\r\n ".join(lines).removesuffix(":")


def _folded_signature(signature: bytes) -> bytes:
    text, width = b64encode(signature), LINE - len(" b=")
    return b"\r\n ".join([text[at : at + width] for at in range(0, len(text), width)])


def _sign(key: DkimKey) -> Callable[[bytes], bytes]:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256

    private = private_key(key.pem)
    if isinstance(private, RSAPrivateKey):
        padding, digest = PKCS1v15(), SHA256()
        return lambda octets: private.sign(octets, padding, digest)
    # RFC 8463 3: it signs the hash.
    return lambda octets: private.sign(sha256(octets).digest())
