"""What a server says, byte by byte: a parser of replies that knows no socket."""

from __future__ import annotations

import re
from functools import lru_cache

from campaign_cli.model.reply import Answer, Reply, Silence

MAX_LINE = 4096
"""Bytes in a reply line. RFC 5321 4.5.3.1.5 allows 512; some servers go beyond, none for a good reason beyond this."""

MAX_LINES = 100
"""Lines in a reply: an EHLO answer has about 20, an endless one is hostile."""

MAX_TEXT = 2000
"""Characters of a reply's text that are kept: several times what the longest of those that explain themselves have.
Every recipient's row and log line may have one."""

REMEMBERED = 256
"""Replies of one line that are kept parsed: a server says the same few all day long."""

_LINE = re.compile(rb"([2-5][0-9][0-9])([ -]?)(.*)", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s+|$)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class ReplyParser:
    """Bytes in, replies out, however the bytes were cut. Once something makes no sense, everything after is lost."""

    def __init__(self) -> None:
        self._buffer = b""
        self._lines: list[tuple[bytes, str]] = []
        self._lost = False

    def feed(self, received: bytes) -> list[Answer]:
        """The replies that `received` completes; a Silence, once, when it is not SMTP."""
        if self._lost:
            return []
        *lines, self._buffer = (self._buffer + received).split(b"\n")
        answers: list[Answer] = []
        for line in lines:
            answer = (None if self._lines else _whole(line)) or self._line(line.rstrip(b"\r"))
            if answer is not None:
                answers.append(answer)
            if self._lost:
                return answers
        if len(self._buffer) > MAX_LINE:
            answers.append(self._lose("a reply line that does not end"))
        return answers

    def _line(self, line: bytes) -> Answer | None:
        """One line of a reply that has several, or of none."""
        found = _LINE.fullmatch(line)
        if found is None or len(line) > MAX_LINE:
            return self._lose(f"not an SMTP reply: {plain(line[:80])!r}")
        code, mark, text = found.groups()
        if not mark and text:
            return self._lose(f"not an SMTP reply: {plain(line[:80])!r}")
        if self._lines and self._lines[0][0] != code:
            return self._lose("a reply whose lines have different codes")
        self._lines.append((code, plain(text)))
        if mark == b"-":
            return self._lose("a reply that does not end") if len(self._lines) > MAX_LINES else None
        lines, self._lines = self._lines, []
        return reply_of(int(code), [text for _, text in lines])

    def _lose(self, reason: str) -> Silence:
        self._lost = True
        self._buffer, self._lines = b"", []
        return Silence(f"the server sent {reason}")


@lru_cache(maxsize=REMEMBERED)
def _whole(line: bytes) -> Reply | None:
    """The reply that is this one line; None when it is not one."""
    line = line.rstrip(b"\r")
    found = _LINE.fullmatch(line) if len(line) <= MAX_LINE else None
    if found is None or found[2] == b"-" or (found[3] and not found[2]):
        return None
    return reply_of(int(found[1]), [plain(found[3])])


def reply_of(code: int, lines: list[str]) -> Reply:
    """One reply of all its lines, each of which may begin with the enhanced code (RFC 2034 4)."""
    enhanced = ""
    texts = []
    for line in lines:
        # Gmail documents `421 5.7.32`: the reply code decides, the enhanced code is kept as it was said.
        if found := _ENHANCED.match(line):
            enhanced = enhanced or found[1]
            line = line[found.end() :]
        texts.append(line.strip())
    text = " ".join(text for text in texts if text)
    return Reply(code, enhanced, text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}...")


def plain(raw: bytes) -> str:
    """Text that cannot move a terminal's cursor: control characters become U+FFFD."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", raw.decode("utf-8", "replace").replace("\t", " "))
