"""Jinja2's templates rendered time and again, and what they put out taken apart into their own text and values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import jinja2

from campaign_cli.content.shapes import Filled
from campaign_cli.content.sources import NOT_THERE


class Renderer:
    """Renders one Jinja2 template time and again, in one context where it has no blocks to keep apart."""

    def __init__(self, template: jinja2.Template) -> None:
        self._template = template
        self._context = template.new_context() if not template.blocks else None

    def pieces(self, names: dict[str, Any]) -> list[str]:
        """What the template puts out: its own text, each stretch the same object every time, and values between.

        `names` are a contact's fields, and what there is for every template.
        """
        template, context = self._template, self._context
        if context is None:
            context = template.new_context(names)
        else:
            context.parent = names
            if context.vars:
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


class Joined(dict[str, list[str]]):
    """What macros, blocks and the like put out, each as a whole, and the pieces it was joined from.

    Jinja2 takes it for a value then, but it is the template's own text with values between.
    """

    def heed(self, environment: jinja2.Environment) -> None:
        """Have in it what the environment's templates join from now on."""

        def concat(pieces: Iterable[str]) -> str:
            pieces = list(pieces)
            whole = "".join(pieces)
            # Of shorter ones, so that to take apart what was taken apart has an end.
            if max(map(len, pieces), default=0) < len(whole):
                self[whole] = pieces
            return whole

        environment.concat = concat  # type: ignore[method-assign]

    def taken(self, pieces: list[str]) -> list[str]:
        """The pieces of these pieces, and nothing is left."""
        found = list(self._unfolded(pieces))
        self.clear()
        return found

    def _unfolded(self, pieces: Iterable[str]) -> Iterator[str]:
        for piece in pieces:
            inner = None if type(piece) is str else self.get(piece)
            if inner is None:
                yield piece
            else:
                yield from self._unfolded(inner)


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
