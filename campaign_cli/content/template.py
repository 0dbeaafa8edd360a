"""A template: front matter and a Jinja2 body, checked against a list's columns and rendered for each contact."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import jinja2

from campaign_cli.content.attachments import Pattern
from campaign_cli.content.frontmatter import LISTS, Entry, Split, split
from campaign_cli.content.links import tracked
from campaign_cli.content.mailmerge import taken_apart
from campaign_cli.content.markdown import Markdown
from campaign_cli.content.shapes import Filled, Texts
from campaign_cli.content.sources import NOT_THERE, Sources, mended
from campaign_cli.content.variables import undeclared
from campaign_cli.model.errors import ComposeError, TemplateError


class Kind(Enum):
    """What a template's body is, by its file's suffix."""

    HTML = (".html", ".htm")
    MARKDOWN = (".md", ".markdown")
    TEXT = (".txt", ".text")


OWN_KEYS = ("subject", "from", "reply_to", *LISTS)
"""Keys of the front matter that are not headers by their own name."""

MADE_HERE = re.compile(
    r"from|to|cc|bcc|subject|date|message-id|reply-to|sender|return-path|received|mime-version|content-.*|resent-.*"
    r"|dkim-signature",
    re.IGNORECASE,
)
"""Headers that a template may not set: they are made for each message, or would send it to others."""

_HEADER_NAME = re.compile(r"[A-Z][A-Za-z0-9-]*")


class Rendered(NamedTuple):
    """One contact's message before it is composed. `html` is None for a plain-text template."""

    subject: str
    headers: tuple[tuple[str, str], ...]
    text: Filled
    html: Filled | None


@dataclass(frozen=True, slots=True)
class _Line:
    """A template of one line: the subject, or a header. `same` is its text where that is the same for everybody."""

    name: str
    place: str
    renderer: _Renderer
    source: str
    same: str | None


class Template:
    """A template that can be rendered. Made by `load_template`."""

    def __init__(
        self,
        path: Path,
        source: str,
        subject: str | None,
        list_unsubscribe: str | None,
        headers: tuple[tuple[str, str], ...] = (),
        utm: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.path = path
        self._made_of = (path, source, subject, list_unsubscribe, headers, utm)
        self._utm = utm
        mailmerge = taken_apart(path, source)
        self._kind = _kind(path.with_suffix(mailmerge.suffix) if mailmerge else path)
        self.notes = mailmerge.notes if mailmerge else ()
        """What a person should know about it."""
        parts = mailmerge.parts if mailmerge else split(path, source)
        entries = {entry.key: entry for entry in parts.entries}
        _check_keys(path, parts)
        self.sender_text = _fixed(path, entries.get("from"))
        self.reply_to = _fixed(path, entries.get("reply_to"))
        named = entries["attachments"].items if "attachments" in entries else ()
        self.attachments = tuple([Pattern(text, f"{path}:{line}", path.parent) for text, line in named])
        """The files that its front matter names."""
        self._sources = Sources(path, parts)
        self._text = parts.body
        self._markdown = Markdown(breaks=mailmerge is not None)
        self._texts = Texts()
        self._lines_environment = self._sources.environment(escape=False)
        self._subject = self._subject_line(entries.get("subject"), subject)
        self._headers = self._header_lines(parts, list_unsubscribe, headers)
        finalize = {Kind.TEXT: Value, Kind.MARKDOWN: self._markdown.keep}.get(self._kind)
        self._environment = self._sources.environment(escape=self._kind is not Kind.TEXT, finalize=finalize)
        if self._kind is Kind.MARKDOWN:
            self._environment.filters.update(dict.fromkeys(("e", "escape", "forceescape"), self._markdown.as_it_is))
        self._body = _Renderer(self._sources.compiled(self._environment, path.name))
        self._beside = self._text_beside(*mailmerge.text) if mailmerge and mailmerge.text else None

    def __reduce__(self) -> tuple[type[Template], tuple[object, ...]]:
        """As pickle takes it to a worker process: what it was made of."""
        return Template, self._made_of

    def _subject_line(self, entry: Entry | None, given: str | None) -> _Line:
        if given is not None:
            return self._line("Subject", "--subject", given)
        if entry is None or not entry.text:
            # Told by `check`, with all else.
            return self._line("Subject", str(self.path), "")
        return self._line("Subject", f"{self.path}:{entry.line}", entry.text)

    def _text_beside(self, text: str, line: int) -> _Line:
        """The plain text that goes with HTML, where it is not to be made from that."""
        environment = self._sources.environment(escape=False, finalize=Value)
        try:
            renderer = _Renderer(environment.from_string(text))
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(f"{self.path}:{line + error.lineno - 1}: {mended(error)}") from None
        return _Line("the text", f"{self.path}:{line}", renderer, text, None)

    def _header_lines(
        self, parts: Split, list_unsubscribe: str | None, headers: tuple[tuple[str, str], ...]
    ) -> tuple[_Line, ...]:
        lines = {
            entry.key.lower(): self._line(entry.key, f"{self.path}:{entry.line}", entry.text)
            for entry in parts.entries
            if entry.key not in OWN_KEYS
        }
        for name, text in headers:
            _check_header(f"headers: {name}", name)
            lines[name.lower()] = self._line(name, f"headers: {name}", text)
        if list_unsubscribe is not None:
            text = list_unsubscribe if "<" in list_unsubscribe else f"<{list_unsubscribe}>"
            lines["list-unsubscribe"] = self._line("List-Unsubscribe", "list_unsubscribe", text)
        return tuple(lines.values())

    def _line(self, name: str, place: str, source: str) -> _Line:
        same = None if "{" in source else source.strip(" ")
        try:
            return _Line(name, place, _Renderer(self._lines_environment.from_string(source)), source, same)
        except jinja2.TemplateError as error:
            raise TemplateError(f"{place}: {mended(error)}") from None

    @property
    def header_names(self) -> frozenset[str]:
        """The headers that it has by their own names, in lower case."""
        return frozenset(line.name.lower() for line in self._headers)

    @property
    def kind(self) -> Kind:
        """What its body is."""
        return self._kind

    @property
    def sources(self) -> dict[str, str]:
        """The text of its file, and of every file that it names, by name; lines are counted as in the files.

        Raises TemplateError.
        """
        return self._sources.all(self._environment)

    def made_of(self) -> list[object]:
        """All that its messages are made of besides a contact's fields, as JSON can say it.

        A file whose name only a contact's fields tell is not in it. Raises TemplateError.
        """
        sources = self._sources.all(self._environment)
        sources.pop(self.path.name)
        lines = [(line.name, line.source) for line in (self._subject, *self._headers)]
        more = [each for each in (self._utm, self._beside and self._beside.source) if each]
        return [self._kind.name, lines, self._text, sorted(sources.items()), *more]

    def check(self, columns: Collection[str] | None) -> None:
        """That there is a subject, that every file the template names is there, and, where `columns` are known, that
        all else it asks for is one of them. Raises TemplateError with all that is wrong, each with file and line."""
        findings = []
        if not self._subject.source:
            findings.append(f"{self.path}: no subject: add 'subject: ...' to its front matter, or give --subject")
        sources = self._sources.all(self._environment)
        for file, number, what in self._sources.unusable(self._environment, sources):
            findings.append(f"{self.path.parent / file}:{number}: {what}")
        if columns is not None:
            there = f"the list's columns are: {', '.join(sorted(columns))}"
            for place, name in self._undeclared(sources, columns):
                findings.append(f"{place}: {_unknown(name, columns)}; {there}")
        if findings:
            raise TemplateError("\n".join(findings))

    def _undeclared(self, sources: Mapping[str, str], columns: Collection[str]) -> Iterator[tuple[str, str]]:
        """Each variable that is no column, with its place."""
        for line in (self._subject, *self._headers, *([self._beside] if self._beside else [])):
            for name, _ in undeclared(self._lines_environment, {"": line.source}, columns)[""]:
                yield line.place, name
        for file, names in undeclared(self._environment, sources, columns).items():
            for name, number in names:
                yield f"{self.path.parent / file}:{number}", name

    def render(self, fields: Mapping[str, str]) -> Rendered:
        """The message for one contact. Raises ComposeError, with the template's line, where its fields do not do."""
        subject = self._rendered(self._subject, fields)
        if not subject.strip():
            raise ComposeError(f"{self._subject.place}: the subject is empty for this row")
        headers = tuple([(line.name, text) for line in self._headers if (text := self._rendered(line, fields))])
        try:
            pieces = self._body.pieces(fields)
        except Exception as error:
            # A template is a program: what its expressions may raise has no end.
            raise ComposeError(f"{self._place(error.__traceback__)}: {_message(error)}") from None
        if self._kind is Kind.TEXT:
            return Rendered(subject, headers, _taken_apart(pieces), None)
        page = self._markdown.page("".join(pieces)) if self._kind is Kind.MARKDOWN else _taken_apart(pieces)
        if self._utm:
            page = page._replace(bones=tracked(page.bones, self._utm))
        return Rendered(subject, headers, self._plain(fields) if self._beside else self._texts.text(*page), page)

    def _plain(self, fields: Mapping[str, str]) -> Filled:
        assert self._beside
        try:
            return _taken_apart(self._beside.renderer.pieces(fields))
        except Exception as error:
            raise ComposeError(f"{self._beside.place}: {self._beside.name}: {_message(error)}") from None

    def _rendered(self, line: _Line, fields: Mapping[str, str]) -> str:
        if line.same is not None:
            return line.same
        try:
            return "".join(line.renderer.pieces(fields)).strip(" ")
        except Exception as error:
            raise ComposeError(f"{line.place}: {line.name}: {_message(error)}") from None

    def _place(self, traceback: TracebackType | None) -> str:
        """The innermost line of a template's file that the error passed through."""
        place = str(self.path)
        while traceback is not None:
            file = Path(traceback.tb_frame.f_code.co_filename)
            if file.parent.is_relative_to(self.path.parent) and file.suffix == self.path.suffix:
                place = f"{file}:{traceback.tb_lineno}"
            traceback = traceback.tb_next
        return place


class _Renderer:
    """Renders one Jinja2 template time and again, in one context where it has no blocks to keep apart."""

    def __init__(self, template: jinja2.Template) -> None:
        self._template = template
        self._context = template.new_context() if not template.blocks else None
        self._globals = dict(template.globals)

    def pieces(self, fields: Mapping[str, str]) -> list[str]:
        """What the template puts out: its own text, each stretch the same object every time, and values between."""
        template, context = self._template, self._context
        if context is None:
            context = template.new_context(dict(fields))
        else:
            context.parent = {**self._globals, **fields}
            context.vars.clear()
            context.exported_vars.clear()
        try:
            return list(template.root_render_func(context))
        except Exception:
            if self._context:
                self._context = template.new_context()
            template.environment.handle_exception()


class Value(str):
    """A value that a plain-text template puts out, to be told from the template's own text."""

    __slots__ = ()

    def __str__(self) -> str:
        return self


def _taken_apart(pieces: list[str]) -> Filled:
    """The pieces of a text as its skeleton and its values: these are a Value, or where HTML is escaped, a Markup."""
    values: list[str] = []
    bones: list[str | int] = []
    for piece in pieces:
        if type(piece) is str:
            bones.append(piece)
        else:
            bones.append(len(values))
            values.append("".join((piece,)))
    return Filled(tuple(bones), values)


def load_template(
    path: Path,
    *,
    subject: str | None = None,
    list_unsubscribe: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    utm: tuple[tuple[str, str], ...] = (),
) -> Template:
    """The template in the file `path`. What else is given wins over what its front matter says; `utm` goes to links.

    Raises TemplateError, with file and line, for anything that would fail for every contact.
    """
    try:
        source = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise TemplateError(f"{path}: there is no such template") from None
    except UnicodeDecodeError:
        raise TemplateError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise TemplateError(f"{path}: cannot be read: {error.strerror}") from None
    return Template(path, source, subject, list_unsubscribe, headers, utm)


def _kind(path: Path) -> Kind:
    for kind in Kind:
        if path.suffix.lower() in kind.value:
            return kind
    raise TemplateError(f"{path}: a template's name ends in .html, .md or .txt")


def _check_keys(path: Path, parts: Split) -> None:
    for entry in parts.entries:
        if entry.key in OWN_KEYS:
            continue
        place = f"{path}:{entry.line}"
        if near := difflib.get_close_matches(entry.key.lower().replace("-", "_"), OWN_KEYS, n=1, cutoff=0.75):
            raise TemplateError(f"{place}: {entry.key!r} is not a key of the front matter; did you mean {near[0]!r}?")
        _check_header(place, entry.key)


def _check_header(place: str, name: str) -> None:
    if MADE_HERE.fullmatch(name):
        raise TemplateError(f"{place}: {name} is made for each message; take it out")
    if not _HEADER_NAME.fullmatch(name):
        raise TemplateError(
            f"{place}: {name!r} is not a key of the front matter; there are {', '.join(OWN_KEYS)}, and "
            "headers by their names, such as X-Newsletter"
        )


def _fixed(path: Path, entry: Entry | None) -> str | None:
    if entry is None:
        return None
    if "{{" in entry.text or "{%" in entry.text:
        raise TemplateError(f"{path}:{entry.line}: {entry.key} is the same in every message; take the {{{{ }}}} out")
    return entry.text


def _unknown(name: str, columns: Collection[str]) -> str:
    near = difflib.get_close_matches(name, columns, n=1)
    return f"{name!r} is not a column of the list" + (f"; did you mean {near[0]!r}?" if near else "")


def _message(error: Exception) -> str:
    if isinstance(error, jinja2.TemplateNotFound):
        return f"{error.name!r} {NOT_THERE}"
    text = (error.message if isinstance(error, jinja2.TemplateError) else str(error)) or type(error).__name__
    return " ".join(text.split())
