"""Header fields as they go on the wire (RFC 5322 2.2, RFC 2047), and the check that nothing slipped in among them."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from functools import lru_cache

from campaign_cli.model.address import Address
from campaign_cli.model.errors import ComposeError

LINE = 76
"""Characters in a folded line: RFC 5322 2.1.1 asks for 78, RFC 2047 2 for 76 where a word is encoded."""

LONGEST_LINE = 998
"""Characters in any line, without its CRLF (RFC 5322 2.1.1)."""

_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_PLAIN = re.compile(r"[\x20-\x7e\t]*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")


def text_field(name: str, value: str) -> bytes:
    """`name: value`, unstructured, folded, and encoded where ASCII cannot say it.

    What looks like an encoded word is encoded itself, so that it arrives as it was written and never as what
    decoding it would give. Raises ComposeError for a value with a control character in it.
    """
    if _PLAIN.fullmatch(value) and "=?" not in value:
        if len(whole := f"{name}: {value}") <= LINE:
            return f"{whole}\r\n".encode()
        if folded := _folded(name, value.split(" ")):
            return folded
    _refuse_control(name, value)
    return _joined(name, encoded_words(name, value))


def mailbox_field(name: str, shown: str, address: Address) -> bytes:
    """`name: "Shown" <address>` (RFC 5322 3.4); where `shown` is "", the address alone. Raises ComposeError."""
    angled = f"<{address.email}>"
    if len(whole := f"{name}: {shown} {angled}") <= LINE and _is_atoms(shown):
        return f"{whole}\r\n".encode()
    _refuse_control(name, shown)
    return _joined(name, [*_phrase(name, shown), angled] if shown else [address.email])


def _is_atoms(name: str) -> bool:
    return _ATOMS.fullmatch(name) is not None and "=?" not in name


def _phrase(field: str, name: str) -> list[str]:
    words = name.split(" ") if _is_atoms(name) else ['"' + re.sub(r'(["\\])', r"\\\1", name) + '"']
    if _PLAIN.fullmatch(name) and "=?" not in name and max(map(len, words)) <= LINE - len(f"{field}: "):
        return words
    return encoded_words(field, name)


def encoded_words(name: str, value: str) -> list[str]:
    """`value` as encoded words (RFC 2047 5), each with whole characters in it, that fit a line behind `name: `."""
    # Base64 makes four characters of three octets; no character has more than four octets.
    longest = max((LINE - len(f"{name}: =?utf-8?b??=")) // 4 * 3, 4)
    if len(whole := value.encode()) <= longest:
        return [f"=?utf-8?b?{b64encode(whole).decode()}?="]
    words, octets = [], b""
    for character in value:
        more = character.encode()
        if len(octets) + len(more) > longest:
            words.append(octets)
            octets = b""
        octets += more
    words.append(octets)
    return [f"=?utf-8?b?{b64encode(word).decode()}?=" for word in words]


def _folded(name: str, words: Sequence[str]) -> bytes | None:
    """The words, folded between them; None when that gives a line that is too long or has nothing but white space."""
    folded = _joined(name, words)
    return folded if all(line.strip() and len(line) <= LONGEST_LINE for line in folded[:-2].split(b"\r\n")) else None


def _joined(name: str, words: Sequence[str]) -> bytes:
    whole = f"{name}: {' '.join(words)}"
    if len(whole) <= LINE:
        return f"{whole}\r\n".encode()
    lines, line = [], [f"{name}: {words[0]}"]
    length, blank = len(line[0]), False
    for word in words[1:]:
        # A line of nothing but white space would be taken for the end of the header block.
        if word and not blank and length + 1 + len(word) > LINE:
            lines.append(" ".join(line))
            line, length, blank = [""], 0, True
        line.append(word)
        length += 1 + len(word)
        blank = blank and not word.strip()
    return "\r\n".join([*lines, " ".join(line)]).encode() + b"\r\n"


def _refuse_control(name: str, value: str) -> None:
    if found := _FORBIDDEN.search(value):
        what = "a line break" if found[0] in "\r\n" else "a control character"
        raise ComposeError(f"the {name} header would have {what} in it; take it out of the list or the template")


def check_block(block: bytes, names: Sequence[str]) -> None:
    """That `block`, the header as it will be sent, has exactly the fields `names`, in that order.

    Looks at the finished bytes, whatever made them: a field's content that became a second field, as in
    CVE-2024-6923, is found here. Raises ComposeError.
    """
    if _block_of(tuple(names), len(block) > LONGEST_LINE).fullmatch(block):
        return
    lines = block.split(b"\r\n")
    if any(re.search(rb"[\r\n\0]", line) or len(line) > LONGEST_LINE or not line.strip() for line in lines[:-1]):
        raise ComposeError("the message's header would be broken: it has a line that cannot be there")
    raise ComposeError("the message's header would have a field that is not its own; look at the row's fields")


@lru_cache(maxsize=64)
def _block_of(names: tuple[str, ...], bounded: bool) -> re.Pattern[bytes]:
    """What a header block with these fields looks like: each on its line, and on lines that begin with white space.

    No line has a CR, an LF or a NUL in it, or nothing but white space; nor, if `bounded`, more than 998 octets.
    """
    # To look ahead takes most of the time, and a block as short as a line has no longer one.
    bound = rb"(?=[^\r\n]{1,%d}\r)" % LONGEST_LINE if bounded else b""
    fields = [
        bound + re.escape(name).encode() + rb": [^\r\n\0]*\r\n(?:" + bound + rb"[ \t]++[^\r\n\0]+\r\n)*"
        for name in names
    ]
    return re.compile(b"".join(fields), re.IGNORECASE)
