"""Files that go with messages: found in the campaign's folder, read and encoded once where all messages have them."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from campaign_cli.content.files import FileError, contents, located, section, size, together
from campaign_cli.model.errors import ComposeError

_COLUMN = re.compile(r"\{\{\s*([^\W\d]\w*)\s*\}\}")
_CODE = re.compile(r"\{[{%#]|[}%#]\}")


class Pattern(NamedTuple):
    """A file's name as it was given, with columns in `{{ }}`; where that was said; the folder that it starts from."""

    text: str
    place: str
    folder: Path

    @property
    def columns(self) -> list[str]:
        """The columns it asks for; without any, all messages have the same file."""
        return _COLUMN.findall(self.text)

    def name(self, fields: Mapping[str, str]) -> str:
        """The file's name for one contact; "" where fields leave nothing of it. Raises FileError."""
        try:
            return _COLUMN.sub(lambda column: fields[column[1]], self.text).strip()
        except KeyError as error:
            raise FileError(f"the row has no {error}") from None


class _Own(NamedTuple):
    """A file that each contact has of their own, in `within`: what fields are filled in cannot lead out of it."""

    pattern: Pattern
    within: Path

    def place(self, name: str) -> Path:
        return located(name, self.pattern.folder, within=self.within)


class Attachments:
    """The files of one campaign's messages, in the order in which they were named."""

    def __init__(self, patterns: Sequence[Pattern], *, shown: Container[Path] = ()) -> None:
        """Reads those that all messages have. What is `shown` in the text as an image does not go a second time."""
        self._patterns = tuple(patterns)
        self._shown = shown
        self._files: list[bytes | _Own] = []
        self._octets = 0
        self._made_of: list[object] = []
        self.wrong: list[str] = []
        """What would be wrong with every message, each with its place."""
        for pattern in self._patterns:
            try:
                self._open(pattern)
            except FileError as error:
                self.wrong.append(f"{pattern.place}: attachments: {error}")

    def _open(self, pattern: Pattern) -> None:
        if _CODE.search(_COLUMN.sub("", pattern.text)):
            raise FileError(f"{pattern.text!r} may have columns in it, as invoices/{{{{ id }}}}.pdf, and nothing else")
        if pattern.columns:
            # The folder that stands before the first of them.
            within = pattern.text.partition("{{")[0].rpartition("/")[0]
            self._files.append(_Own(pattern, located(within or ".", pattern.folder)))
            self._made_of.append(pattern.text)
            return
        place = located(pattern.text, pattern.folder)
        if place in self._shown:
            return
        octets = contents(place)
        self._octets = together(self._octets + len(octets))
        self._files.append(section(pattern.text, octets))
        self._made_of.append((pattern.text, sha256(octets).hexdigest()))

    @property
    def differ(self) -> bool:
        """Whether there is a file that each contact has of their own."""
        return any(isinstance(file, _Own) for file in self._files)

    def made_of(self) -> list[object]:
        """The names, and the hashes of what all messages have, as JSON can say it."""
        return self._made_of

    def undeclared(self, columns: Collection[str]) -> Iterator[tuple[str, str]]:
        """Each column that is asked for and not there, with the place."""
        for pattern in self._patterns:
            yield from [(pattern.place, name) for name in pattern.columns if name not in columns]

    def sections(self, fields: Mapping[str, str]) -> list[bytes]:
        """A contact's files as parts of a message. Raises ComposeError."""
        sections = []
        for file in self._files:
            if isinstance(file, bytes):
                sections.append(file)
                continue
            try:
                if name := file.pattern.name(fields):
                    sections.append(section(name, contents(file.place(name))))
            except FileError as error:
                raise ComposeError(f"{file.pattern.place}: attachments: {error}") from None
        return sections

    def missing(self, fields: Mapping[str, str]) -> list[str]:
        """What would keep a contact from having their files, in words, each with its place."""
        missing, octets = [], self._octets
        for file in self._files:
            if isinstance(file, _Own):
                try:
                    if name := file.pattern.name(fields):
                        octets = together(octets + size(file.place(name)))
                except FileError as error:
                    missing.append(f"{file.pattern.place}: attachments: {error}")
        return missing
