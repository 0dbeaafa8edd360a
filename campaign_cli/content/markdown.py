"""Markdown as an HTML page. What a contact's fields say is text in it, never Markdown and never HTML."""

from __future__ import annotations

import re
import secrets
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jinja2 import pass_context
from markupsafe import Markup, escape

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

PAGE = '<!doctype html>\n<html>\n<head><meta charset="utf-8"></head>\n<body>\n{body}</body>\n</html>\n'


class Markdown:
    """Keeps each value that a template puts out, has a word stand for it, and puts the value in after the conversion.

    The word is made of letters and figures that Markdown, HTML and URLs all leave alone.
    """

    def __init__(self) -> None:
        self._word = f"x{secrets.token_hex(8)}x"
        self._words = re.compile(rf"{self._word}(\d+)x")
        self._values: list[str] = []

    @property
    def keep(self) -> Any:
        """What Jinja2 calls with every value that it puts out. A value marked safe is the author's own Markdown."""

        # With the context asked for, Jinja2 does not call it for constants when it compiles.
        @pass_context
        def keep(_: object, value: Any) -> Any:
            if isinstance(value, Markup):
                return value
            self._values.append(str(value))
            return f"{self._word}{len(self._values) - 1}x"

        return keep

    @staticmethod
    def as_it_is(value: Any) -> Any:
        """For Jinja2's `escape` and its like, whose result would count as the author's own Markdown.

        A kept value is escaped in any case.
        """
        return value

    @cached_property
    def _markdown(self) -> MarkdownIt:
        from markdown_it import MarkdownIt

        return MarkdownIt("commonmark", {"breaks": False}).enable(["table", "strikethrough"])

    def page(self, rendered: str) -> str:
        """The HTML page for a body that was rendered with `keep`."""
        values, self._values = self._values, []
        body: str = self._markdown.render(rendered)
        return PAGE.format(body=self._words.sub(lambda found: str(escape(values[int(found[1])])), body))
