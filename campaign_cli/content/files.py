"""Files as parts of messages: found in a folder and nowhere else, read whole, and encoded."""

from __future__ import annotations

import os
import re
import stat
from binascii import b2a_base64
from functools import cache
from mimetypes import MimeTypes
from pathlib import Path
from urllib.parse import quote

LARGEST = 36_000_000
"""Octets of a message's files together: encoded they have a third more, and a message may have 50 million."""

LONGEST_ENCODED = 76
"""Characters in a line of base64 (RFC 2045 6.8)."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_QUOTABLE = re.compile(r"(?! |.*=\?)(?:[!#-\[\]-~]| (?! |$))+")
"""A name that may stand between quotes as it is: nobody takes it for encoded words, or makes one space of two."""

_TYPES = {
    ".7z": "application/x-7z-compressed",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".epub": "application/epub+zip",
    ".gz": "application/gzip",
    ".ics": "text/calendar",
    ".md": "text/markdown",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".rtf": "application/rtf",
    ".vcf": "text/vcard",
    ".webp": "image/webp",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""Types by suffix that some or all Pythons do not know (iana.org/assignments/media-types)."""


class FileError(ValueError):
    """A file that cannot go with a message, and why, in words."""


def located(name: str, folder: Path, *, within: Path | None = None) -> Path:
    """The file or folder `name` of `folder`, which lies in `within`, that is `folder` itself unless it is given.

    Links are followed first, so none leads outside. Raises FileError.
    """
    if _CONTROL.search(name):
        raise FileError(f"{name!r} has a character in it that no file's name should have")
    try:
        place = Path(os.path.realpath(folder / name, strict=True))
    except (FileNotFoundError, NotADirectoryError):
        raise FileError(f"there is no file {name!r} in {_shown(folder)}") from None
    except OSError as error:
        raise FileError(f"{name!r} cannot be read: {error.strerror}") from None
    if not place.is_relative_to(os.path.realpath(within or folder)):
        raise FileError(f"{name!r} is not in {_shown(within or folder)} or below it")
    return place


def size(place: Path) -> int:
    """How many octets the file has. Raises FileError, also where it is no file that a message can have."""
    try:
        found = place.stat()
        readable = os.access(place, os.R_OK)
    except OSError as error:
        raise FileError(f"{place} cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(found.st_mode):
        raise FileError(f"{place} is not a file")
    if not readable:
        raise FileError(f"{place} cannot be read: you may not")
    return together(found.st_size)


def together(octets: int) -> int:
    """The size of files that go with one message. Raises FileError where no provider takes that."""
    if octets > LARGEST:
        raise FileError(f"its files have {octets:,} bytes, and no provider takes more than {LARGEST:,}")
    return octets


def contents(place: Path) -> bytes:
    """What is in the file. Raises FileError."""
    size(place)
    try:
        with place.open("rb") as file:
            octets = file.read(LARGEST + 1)
    except OSError as error:
        raise FileError(f"{place} cannot be read: {error.strerror}") from None
    if len(octets) > LARGEST:
        raise FileError(f"{place} grows while it is read")
    return octets


def section(name: str, octets: bytes, *, content_id: str = "") -> bytes:
    """A part of a message: its fields, an empty line, and the content in base64, without a line end behind it.

    With `content_id` it is shown where HTML names that (RFC 2392), else it stands beside the text (RFC 2183). Whatever
    is in `name`, these are the only fields, and spaces stand in them as DKIM counts them (RFC 6376 3.4.4).
    """
    name = name.rpartition("/")[2]
    how = "inline" if content_id else "attachment"
    fields = (
        f"Content-Type: {media_type(name, octets)}\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: {how};{_filename(name)}\r\n"
    )
    if content_id:
        fields += f"Content-ID: <{content_id}>\r\n"
    return b"%b\r\n%b" % (fields.encode(), base64(octets))


def base64(octets: bytes) -> bytes:
    """In lines that end in CRLF, but for the last."""
    text = b2a_base64(octets, newline=False)
    return b"\r\n".join([text[at : at + LONGEST_ENCODED] for at in range(0, len(text), LONGEST_ENCODED)])


def media_type(name: str, octets: bytes) -> str:
    """What a file with that name is, as Content-Type says it; a text that is UTF-8 is said to be."""
    known = _TYPES.get(os.path.splitext(name)[1].lower())
    guessed, packed = _types().guess_type(f"x{os.path.splitext(name)[1]}")
    found = known or (None if packed else guessed) or "application/octet-stream"
    if found.startswith("text/"):
        try:
            octets.decode()
        except UnicodeDecodeError:
            return found
        return f"{found}; charset=utf-8"
    # A message or several parts may not be in base64 (RFC 2045 6.4).
    return "application/octet-stream" if found.startswith(("message/", "multipart/")) else found


def _filename(name: str) -> str:
    """The parameter: as it is, or as `filename*` (RFC 2231), and in plain letters for who does not know that."""
    if _QUOTABLE.fullmatch(name):
        return f'\r\n filename="{name}"'
    plain = re.sub(r"[^A-Za-z0-9.,()+-]+", "_", name)
    return f"\r\n filename*=utf-8''{quote(name, safe='')};\r\n filename=\"{plain}\""


def _shown(folder: Path) -> str:
    return "this folder" if folder == Path() else str(folder)


@cache
def _types() -> MimeTypes:
    """Python's own table, not the machine's: the same everywhere."""
    return MimeTypes()
