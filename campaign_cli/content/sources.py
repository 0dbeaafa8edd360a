"""Where a template's text comes from: its own file, and the files beside it that it includes or extends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.loaders import split_template_path
from jinja2.meta import find_referenced_templates
from jinja2.sandbox import ImmutableSandboxedEnvironment

from campaign_cli.content.compiler import Compiler, calls
from campaign_cli.content.filters import Filters
from campaign_cli.content.manuscript import Kind, Manuscript
from campaign_cli.content.mjml import with_includes
from campaign_cli.model.errors import TemplateError

EXAMPLES = "Jinja2 is written as {{ name }} and {% if name %} ... {% endif %}"

NOT_THERE = "is not a file of UTF-8 text in the template's folder"


class Sources:
    """Gives Jinja2 the template and what lies in its folder, and nothing from outside of it."""

    def __init__(self, manuscript: Manuscript, filters: Filters) -> None:
        self._filters = filters.named()
        self.names: dict[str, str] = {}
        """What all templates know by its name, besides a contact's fields."""
        self._path = manuscript.page
        self._folder = self._path.parent.resolve()
        self._is_mjml = manuscript.kind is Kind.MJML
        body = _below(manuscript.body_line, manuscript.body)
        self._own = {self._path.name: (with_includes(body) if self._is_mjml else body, str(self._path))}
        if own := manuscript.own_text:
            self._own[manuscript.own_text_name] = _below(own.line, own.text), str(own.file)

    def environment(self, *, escape: bool, finalize: Callable[..., Any] | None = None) -> jinja2.Environment:
        """A sandbox in which an unknown variable is an error, and HTML is escaped if `escape`."""
        environment = ImmutableSandboxedEnvironment(
            loader=jinja2.FunctionLoader(self._load),
            autoescape=escape,
            undefined=jinja2.StrictUndefined,
            finalize=finalize,
            keep_trailing_newline=True,
            auto_reload=False,
        )
        # Not worked out when the template is compiled, which is in the process that sends and has no bound.
        environment.code_generator_class = Compiler
        environment.filters.update(self._filters)
        environment.globals.update(self.names)
        environment.intercepted_binops = frozenset({"*", "**", "%"})
        return environment

    def _load(self, name: str) -> tuple[str, str, None] | None:
        if name in self._own:
            return *self._own[name], None
        try:
            file = self._folder.joinpath(*split_template_path(name))
        except jinja2.TemplateNotFound:
            return None
        if not file.resolve().is_relative_to(self._folder) or not file.is_file():
            return None
        try:
            source = file.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            return None
        return with_includes(source) if self._is_mjml else source, str(self._path.parent / name), None

    def all(self, environment: jinja2.Environment, file: str) -> dict[str, str]:
        """The source of `file` and of every other that it names, directly or not, by name.

        Raises TemplateError, with file and line, for one that `environment` cannot compile.
        """
        found: dict[str, str] = {}
        names: list[str | None] = [file]
        while names:
            name = names.pop()
            if name is None or name in found:
                continue
            # A file that is not there is an error only if the template comes to it ({% include ... ignore missing %}).
            if loaded := self._load(name):
                self.compiled(environment, name)
                found[name] = loaded[0]
                names += find_referenced_templates(environment.parse(loaded[0]))
        return found

    def unusable(self, environment: jinja2.Environment, sources: Mapping[str, str]) -> Iterator[tuple[str, int, str]]:
        """What in these sources names a file that is not there, or one that leads back to it: file, line and words."""
        named = {file: list(_references(environment.parse(source))) for file, source in sources.items()}
        for file, references in named.items():
            for line, names, needed in references:
                found = next(filter(self._load, names), None)
                if found is None and needed:
                    yield file, line, f"{' or '.join(map(repr, names))} {NOT_THERE}"
                elif found and _leads_to(file, found, named):
                    yield file, line, f"{found!r} leads back to this file, so there would be no end: take it out"

    def compiled(self, environment: jinja2.Environment, name: str) -> jinja2.Template:
        """The file `name`, compiled. Raises TemplateError, with file and line."""
        try:
            return environment.get_template(name)
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(f"{error.filename or self._path}:{error.lineno}: {mended(error)}") from None


def _below(line: int, text: str) -> str:
    """The text behind a comment as long as what stands before it: so every line keeps the number that it has."""
    return "{#" + "\n" * (line - 1) + "#}" + text


def mended(error: jinja2.TemplateError) -> str:
    """What is wrong with a template's syntax, and what to do about it."""
    return f"{(error.message or '').rstrip('.')}: mend this line; {EXAMPLES}"


_Reference = tuple[int, list[str], bool]
"""The line on which a template names a file, its name, and whether it must be there; of several names, the first that
is there counts."""


def _references(tree: nodes.Template) -> Iterator[_Reference]:
    """The files that a template names, as far as their names stand in it as they are."""
    for node in tree.find_all((nodes.Include, nodes.Extends, nodes.Import, nodes.FromImport)):
        assert isinstance(node, nodes.Include | nodes.Extends | nodes.Import | nodes.FromImport)
        try:
            names = None if calls(node.template) else node.template.as_const()
        except nodes.Impossible:
            continue
        names = [names] if isinstance(names, str) else names
        if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
            yield node.lineno, list(names), not getattr(node, "ignore_missing", False)


def _leads_to(goal: str, start: str, named: Mapping[str, list[_Reference]]) -> bool:
    """Whether `start` is the file `goal`, or names it, directly or not."""
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        file = ahead.pop()
        if file == goal:
            return True
        if file not in seen:
            seen.add(file)
            ahead += [name for _, names, _ in named.get(file, []) for name in names]
    return False
