"""A template: a subject, headers and a page, checked against a list's columns and rendered for each contact."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from campaign_cli.content.filters import Filters
from campaign_cli.content.lines import Lines
from campaign_cli.content.links import UTM_TOKEN, tracked
from campaign_cli.content.manuscript import Kind, Manuscript, read_manuscript
from campaign_cli.content.markdown import Markdown
from campaign_cli.content.mjml import MjmlError, compiled, place_of, unrendered_faults
from campaign_cli.content.pages import Pages, Step
from campaign_cli.content.preheader import followed
from campaign_cli.content.rendering import Joined, Renderer, Value, said, taken_apart
from campaign_cli.content.shapes import Filled
from campaign_cli.content.sources import Sources
from campaign_cli.content.styles import has_styles, inlined
from campaign_cli.content.variables import undeclared
from campaign_cli.model.errors import ColumnError, ComposeError, IncludeError, TemplateError
from campaign_cli.model.spelling import did_you_mean
from campaign_cli.model.variants import VARIABLE

_INCLUDE = re.compile(r"""\{%[-+]?\s*include\s+("[^"]*"|'[^']*')(?!\s+ignore)""")


TEXT, MARKDOWN = Kind.TEXT, Kind.MARKDOWN
"""By names of their own they cost less: each message asks for them."""


class Rendered(NamedTuple):
    """One contact's message before it is composed. `html` is None for a plain-text template."""

    subject: str
    headers: tuple[tuple[str, str], ...]
    text: Filled
    html: Filled | None


class Template:
    """A template that can be rendered. Made by `load_template`."""

    def __init__(
        self,
        manuscript: Manuscript,
        subject: str | None,
        list_unsubscribe: str | None,
        headers: tuple[tuple[str, str], ...] = (),
        utm: tuple[tuple[str, str], ...] = (),
        inline_css: bool | None = None,
        locale: str | None = None,
        variant: str | None = None,
    ) -> None:
        self._made_of = (manuscript, subject, list_unsubscribe, headers, utm, inline_css, locale, variant)
        self._manuscript = manuscript
        self._utm = utm
        self._filters = Filters()
        self._sources = Sources(manuscript, self._filters)
        self._lines_environment = self._sources.environment(escape=False)
        lines = Lines(manuscript, self._lines_environment)
        self._locale = self._filters.locale = locale or lines.locale()
        self.sender_text = lines.fixed("from")
        self.reply_to = lines.fixed("reply_to")
        self.attachments = lines.attachments()
        """The files that it names."""
        self.variants = lines.variants(subject)
        """The forms that its message has, by their names; none: it has one."""
        self.variant = variant or next(iter(self.variants), "")
        """The one that it renders."""
        if self.variants:
            self._sources.names[VARIABLE] = self.variant
            self._lines_environment.globals[VARIABLE] = self.variant
        self._tracking = _filled_in(utm, manuscript.path, self.variant)
        given = (f"variants: all of them have the subject that was given: {subject}",)
        self.notes = manuscript.notes + (given if self.variants and subject is not None else ())
        """What a person should know about it."""
        self._inline_css = lines.flag("inline_css") is not False if inline_css is None else inline_css
        self._subject = self.variants[self.variant].subject if self.variants else lines.subject(subject)
        self._headers = lines.headers(list_unsubscribe, headers)
        self._preheader = lines.preheader(self._sources.environment(escape=False, finalize=Value))
        subjects = [each.subject for each in self.variants.values()] or [self._subject]
        self._lines = [line for line in (*subjects, *self._headers, self._preheader) if line]
        self._markdown = Markdown(breaks=manuscript.breaks)
        self._kind = manuscript.kind
        finalize = {Kind.TEXT: Value, Kind.MARKDOWN: self._markdown.keep}.get(self._kind)
        self._environment = self._sources.environment(escape=self._kind is not Kind.TEXT, finalize=finalize)
        if self._kind is Kind.MARKDOWN:
            self._environment.filters.update(dict.fromkeys(("e", "escape", "forceescape"), self._markdown.as_it_is))
        self._files = {manuscript.page.name: self._environment}
        """Each file that a message begins with, and how it is compiled."""
        self._globals = dict(self._environment.globals)
        self._joined = Joined()
        self._joined.heed(self._environment)
        self._body = Renderer(self._sources.compiled(self._environment, manuscript.page.name))
        self._own_text = None
        if manuscript.own_text:
            environment = self._sources.environment(escape=False, finalize=Value)
            self._files[manuscript.own_text_name] = environment
            self._own_text = Renderer(self._sources.compiled(environment, manuscript.own_text_name))
        self._pages = Pages(self._steps(), with_text=self._own_text is None)

    def __reduce__(self) -> tuple[type[Template], tuple[object, ...]]:
        """As pickle takes it to a worker process: what it was made of."""
        return Template, self._made_of

    def of_variant(self, name: str) -> Template:
        """The same template, as it renders the variant of that name."""
        return Template(*self._made_of[:-1], name)

    def _steps(self) -> list[Step]:
        """What is done to every page, in this order."""
        steps: list[Step] = [compiled] if self._kind is Kind.MJML else []
        if self._inline_css:
            steps.append(inlined)
        if tracking := self._tracking:
            steps.append(lambda page: tracked(page, tracking))
        return steps

    @property
    def path(self) -> Path:
        """The file or folder."""
        return self._manuscript.path

    @property
    def folder(self) -> Path:
        """Where its files are, and what they include and show."""
        return self._manuscript.page.parent

    @property
    def kind(self) -> Kind:
        """What its body is."""
        return self._kind

    @property
    def sources(self) -> dict[str, str]:
        """The text of its page, and of every file that that names, by name; lines are counted as in the files.

        Raises TemplateError.
        """
        return self._sources.all(self._environment, self._manuscript.page.name)

    @property
    def header_names(self) -> frozenset[str]:
        """The headers that it has by their own names, in lower case."""
        return frozenset(line.name.lower() for line in self._headers)

    def made_of(self) -> list[object]:
        """All that its messages are made of besides a contact's fields, as JSON can say it.

        A file whose name only a contact's fields tell is not in it. Raises TemplateError.
        """
        manuscript = self._manuscript
        sources = {
            name: source
            for file, environment in self._files.items()
            for name, source in self._sources.all(environment, file).items()
            if name != manuscript.page.name
        }
        variants = {name: each.subject.source for name, each in self.variants.items()}
        lines = [(line.name, line.source) for line in self._lines if not (variants and line.name == "Subject")]
        own_text = [manuscript.own_text_name] if manuscript.own_text else []
        utm = [self._utm] if self._utm else []
        locale = [{"locale": self._locale}] if self._locale else []
        # Nothing where there is nothing: what was sent before there was this has its hash of then.
        styled = any(has_styles(source) for source in (manuscript.body, *sources.values()))
        styled = styled or self._kind is Kind.MJML
        styles = [{"inline_css": self._inline_css}] if styled and self._kind is not Kind.TEXT else []
        more = [*utm, *own_text, *styles, *locale, *([{"variants": sorted(variants.items())}] if variants else [])]
        return [self._kind.name, lines, manuscript.body, sorted(sources.items()), *more]

    def check(self, columns: Collection[str] | None) -> None:
        """That there is a subject, that every file the template names is there, and, where `columns` are known, that
        all else it asks for is one of them. Raises TemplateError with all that is wrong, each with file and line."""
        findings: list[TemplateError] = []
        if not self._subject.source:
            belongs = self._manuscript.subject_belongs
            findings.append(TemplateError(f"{self.path}: no subject: {belongs}, or give --subject"))
        if self.variants and columns is not None and VARIABLE in columns:
            place = next(iter(self.variants.values())).place
            findings.append(TemplateError(f"{place}: variants: the list has a column {VARIABLE!r}, too: rename it"))
        unknown = list(self._unknown_in_lines(columns)) if columns is not None else []
        for file, environment in self._files.items():
            sources = self._sources.all(environment, file)
            for name, number, what in self._sources.unusable(environment, sources):
                findings.append(IncludeError(f"{self._manuscript.shown(name)}:{number}: {what}"))
            if self._kind is Kind.MJML and environment is self._environment:
                # Where Jinja2 has branches and loops, tags that one opens may be closed by another.
                whole = "{%" not in sources[file]
                for name, source in sources.items():
                    for number, what in unrendered_faults(source, whole=whole):
                        findings.append(TemplateError(f"{self._manuscript.shown(name)}:{number}: {what}"))
            if columns is not None:
                for name, missing in undeclared(environment, sources, columns).items():
                    unknown += [(f"{self._manuscript.shown(name)}:{number}", variable) for variable, number in missing]
        if columns is not None:
            there = f"the list's columns are: {', '.join(sorted(columns))}"
            findings += [ColumnError(f"{place}: {_unknown(name, columns)}; {there}", name) for place, name in unknown]
        if findings:
            # A file that both the page and the plain text include is told once.
            told = {str(finding): finding for finding in findings}
            error = TemplateError("\n".join(told))
            error.parts = tuple(told.values())
            raise error

    def _unknown_in_lines(self, columns: Collection[str]) -> Iterator[tuple[str, str]]:
        """Each variable of subject, headers and preheader that is no column, with its place."""
        for line in self._lines:
            for name, _ in undeclared(self._lines_environment, {"": line.source}, columns)[""]:
                yield line.place, name

    def render(self, fields: Mapping[str, str]) -> Rendered:
        """The message for one contact. Raises ComposeError, with the template's line, where its fields do not do."""
        self._filters.fields = fields
        names = {**self._globals, **fields}
        subject = self._subject.text(names)
        if not subject.strip():
            raise ComposeError(f"{self._subject.place}: the subject is empty for this row")
        headers = tuple([(line.name, value) for line in self._headers if (value := line.text(names))])
        try:
            pieces = self._body.pieces(names)
            own_text = self._own_text.pieces(names) if self._own_text else None
        except Exception as error:
            # A template is a program: what its expressions may raise has no end.
            raise ComposeError(f"{self._place(error.__traceback__)}: {said(error)}") from None
        if self._kind is TEXT:
            return Rendered(subject, headers, taken_apart(pieces), None)
        if self._kind is MARKDOWN:
            written = self._markdown.page("".join(pieces))
        else:
            written = taken_apart(self._joined.taken(pieces) if self._joined else pieces)
        if self._preheader:
            written = followed(written, taken_apart(self._preheader.pieces(names)))
        try:
            html, text = self._pages.page(written)
        except MjmlError as error:
            raise ComposeError(f"{self._place_in_page(error)}: {error}") from None
        if own_text is not None:
            text = taken_apart(own_text)
        return Rendered(subject, headers, text, html)

    def _place_in_page(self, error: MjmlError) -> str:
        page = self._manuscript.page.name
        found = place_of(error, self.sources)
        return f"{self._manuscript.shown(found[0])}:{found[1]}" if found else str(self._manuscript.shown(page))

    def _place(self, traceback: TracebackType | None) -> str:
        """The innermost line of a template's file that the error passed through."""
        place = str(self.path)
        while traceback is not None:
            file = Path(traceback.tb_frame.f_code.co_filename)
            if file.parent.is_relative_to(self._manuscript.page.parent) and file.suffix != ".py":
                place = f"{file}:{traceback.tb_lineno}"
            traceback = traceback.tb_next
        return place


def load_template(
    path: Path,
    *,
    subject: str | None = None,
    list_unsubscribe: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    utm: tuple[tuple[str, str], ...] = (),
    inline_css: bool | None = None,
    locale: str | None = None,
    lenient: bool = False,
) -> Template:
    """The template in the file or folder `path`. What else is given wins over what it says; `utm` goes to links.

    A `lenient` one goes without the files that its page includes and that are not there. Raises TemplateError, with
    file and line, for anything that would fail for every contact.
    """
    manuscript = read_manuscript(path)
    if lenient:
        manuscript = replace(manuscript, body=_INCLUDE.sub(r"\g<0> ignore missing", manuscript.body))
    return Template(manuscript, subject, list_unsubscribe, headers, utm, inline_css, locale)


def _filled_in(utm: tuple[tuple[str, str], ...], path: Path, variant: str) -> tuple[tuple[str, str], ...]:
    """The parameters of links, with the variant in them. Raises TemplateError where there is none."""
    for key, value in utm:
        if not variant and UTM_TOKEN.search(value):
            raise TemplateError(f"utm: {key}: it asks for the variant, and {path} has no variants")
    return tuple([(key, UTM_TOKEN.sub(variant, value)) for key, value in utm])


def _unknown(name: str, columns: Collection[str]) -> str:
    hint = did_you_mean(name, columns)
    return f"{name!r} is not a column of the list{hint and f' ({hint})'}"
