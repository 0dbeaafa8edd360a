"""Jinja2's templates rendered time and again, and what they put out taken apart into their own text and values."""

from __future__ import annotations

from collections.abc import Mapping

import jinja2

from campaign_cli.content.shapes import Filled
from campaign_cli.content.sources import NOT_THERE


class Renderer:
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


def taken_apart(pieces: list[str]) -> Filled:
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


def said(error: Exception) -> str:
    """What went wrong in a template, in words on one line."""
    if isinstance(error, jinja2.TemplateNotFound):
        return f"{error.name!r} {NOT_THERE}"
    text = (error.message if isinstance(error, jinja2.TemplateError) else str(error)) or type(error).__name__
    return " ".join(text.split())
