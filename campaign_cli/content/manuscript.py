"""A template as its author has it: one file that begins with front matter, or a folder with a file for each part."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from campaign_cli.content.frontmatter import Entry, entries, split
from campaign_cli.content.mailmerge import taken_apart
from campaign_cli.model.errors import TemplateError


class Kind(Enum):
    """What a template's body is, by its file's suffix."""

    HTML = (".html", ".htm")
    MJML = (".mjml",)
    MARKDOWN = (".md", ".markdown")
    TEXT = (".txt", ".text")


SUBJECT = "subject.txt"
HEADERS = "headers.yaml"
OWN_TEXT = "body.txt"
PAGES = ("body.html", "body.mjml", "body.md")
"""The files of a folder: of the pages there is one, or the own text alone."""


@dataclass(frozen=True, slots=True)
class OwnText:
    """The plain text that goes with a page, where it is not made from that: its file, and the line it begins on."""

    file: Path
    text: str
    line: int = 1


@dataclass(frozen=True, slots=True)
class Manuscript:
    """What is written in a template's files.

    `path` is what was named, `page` the file of the body, which begins there on line `body_line`. The entries stand in
    `head`. The subject may have a file of its own. Where `breaks` is true, the end of a line of Markdown is one in the
    page. `notes` are for a person to know.
    """

    path: Path
    page: Path
    kind: Kind
    body: str
    body_line: int
    head: Path
    entries: tuple[Entry, ...]
    subject: str | None = None
    own_text: OwnText | None = None
    breaks: bool = False
    notes: tuple[str, ...] = ()

    @property
    def own_text_name(self) -> str:
        """What the own text is called among the template's files: also where it stands in that of the page."""
        name = self.own_text.file.name if self.own_text else ""
        return f"{name}, its text" if name == self.page.name else name

    def shown(self, name: str) -> Path:
        """Where the file is that goes by `name` among the template's files."""
        return self.own_text.file if self.own_text and name == self.own_text_name else self.page.parent / name

    @property
    def subject_belongs(self) -> str:
        """What to do when there is none."""
        return f"write it into {SUBJECT}" if self.path != self.page else "add 'subject: ...' to its front matter"

    def place(self, entry: Entry) -> str:
        """Where an entry stands."""
        return f"{self.head}:{entry.line}"


def read_manuscript(path: Path) -> Manuscript:
    """The template at `path`, a file or a folder. Raises TemplateError, with file and line."""
    if path.is_dir():
        return _folder(path)
    return one_file(path, _read(path))


def one_file(path: Path, source: str) -> Manuscript:
    """The template whose one file `path` has `source` in it. Raises TemplateError, with file and line."""
    if mailmerge := taken_apart(path, source):
        parts, text = mailmerge.parts, mailmerge.text
        return Manuscript(
            path,
            path,
            _kind(path.with_suffix(mailmerge.suffix)),
            parts.body,
            parts.body_line,
            path,
            parts.entries,
            own_text=OwnText(path, text.text, text.line) if text else None,
            breaks=True,
            notes=mailmerge.notes,
        )
    kind = _kind(path)
    parts = split(path, source)
    return Manuscript(path, path, kind, parts.body, parts.body_line, path, parts.entries)


def _folder(path: Path) -> Manuscript:
    there = [name for name in (*PAGES, OWN_TEXT, HEADERS, SUBJECT) if (path / name).exists()]
    for name in there:
        if not (path / name).resolve().is_relative_to(path.resolve()):
            raise TemplateError(f"{path / name}: leads out of the template's folder; put the file itself there")
    pages = [name for name in PAGES if name in there]
    if len(pages) > 1:
        raise TemplateError(f"{path}: {' and '.join(pages)} are two pages for one message: keep one of them")
    if not pages and OWN_TEXT not in there:
        raise TemplateError(f"{path}: this folder has no {', '.join(PAGES)} or {OWN_TEXT} in it")
    page, head, subject, own_text = [path / name for name in ([*pages, OWN_TEXT][0], HEADERS, SUBJECT, OWN_TEXT)]
    return Manuscript(
        path,
        page,
        _kind(page),
        _read(page),
        1,
        head,
        entries(head, _read(head), first_line=1) if HEADERS in there else (),
        subject=_one_line(subject) if SUBJECT in there else None,
        own_text=OwnText(own_text, _read(own_text)) if pages and OWN_TEXT in there else None,
    )


def _one_line(path: Path) -> str:
    first, *others = _read(path).strip().split("\n")
    if others:
        raise TemplateError(f"{path}:2: a subject is one line; take out what stands below it")
    return first


def _kind(path: Path) -> Kind:
    for kind in Kind:
        if path.suffix.lower() in kind.value:
            return kind
    raise TemplateError(f"{path}: a template's name ends in .html, .mjml, .md or .txt, or is that of a folder")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise TemplateError(f"{path}: there is no such template") from None
    except UnicodeDecodeError:
        raise TemplateError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise TemplateError(f"{path}: cannot be read: {error.strerror}") from None
