"""In which encoding a list is written: UTF-8 if it can be, else what its bytes look like."""

from __future__ import annotations

import codecs
from pathlib import Path

CHUNK = 1 << 16
"""Bytes read at a time: a list of any length is looked at in constant memory."""

TELLING = 1 << 16
"""Bytes of lines that are not ASCII, which alone tell encodings apart, enough to judge by."""

UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

LAST_RESORT = "cp1252"
"""What Windows in western Europe and America writes, and what unlabelled text is taken for (WHATWG Encoding)."""

IN_USE = (
    *(LAST_RESORT, "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("koi8_r", "cp932", "gb18030", "euc_kr", "big5"),
)
"""What programs write lists in today (WHATWG Encoding). A few short names would pass as well for those of DOS."""


def encoding_of(path: Path) -> tuple[str, bool]:
    """The encoding of the text in `path`, and whether it is a guess.

    Raises OSError, and UnicodeError when it begins as UTF-16 and does not go on so.
    """
    with path.open("rb") as file:
        marked = file.read(2) in UTF_16_MARKS
    if marked and not _decodes(path, "utf-16"):
        raise UnicodeError("is damaged: it begins as UTF-16 and does not go on so; save it again, as UTF-8")
    if marked:
        return "utf-16", False
    if _decodes(path, "utf-8"):
        return "utf-8-sig", False
    return _guess(path), True


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _guess(path: Path) -> str:
    from charset_normalizer import from_bytes

    matches = from_bytes(_telling_lines(path), cp_isolation=[*IN_USE])
    best = matches.best()
    usual = next((match for match in matches if LAST_RESORT in match.could_be_from_charset), None)
    # Of readings that are as good, the usual one: nearly any reading of a short name is without fault.
    if best and usual and (usual.chaos, -usual.coherence) <= (best.chaos, -best.coherence):
        best = None
    for encoding in (best.encoding if best else LAST_RESORT, LAST_RESORT):
        if _decodes(path, encoding):
            return encoding
    # Every byte means something in Latin-1: nothing is lost, and a name may look odd.
    return "latin-1"


def _telling_lines(path: Path) -> bytes:
    lines, length = [], 0
    with path.open("rb") as file:
        while length < TELLING and (line := file.readline(CHUNK)):
            if not line.isascii():
                lines.append(line)
                length += len(line)
    return b"".join(lines)
