"""Markdown as an HTML page. What a contact's fields say is text in it, never Markdown and never HTML."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from jinja2 import pass_context
from markupsafe import Markup, escape

from campaign_cli.content.shapes import REMEMBERED, Filled, Skeleton, skeleton, word

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

PAGE = '<!doctype html>\n<html>\n<head><meta charset="utf-8"></head>\n<body>\n{body}</body>\n</html>\n'


class Markdown:
    """Keeps each value that a template puts out, has a word stand for it, and says where it goes in the HTML."""

    def __init__(self, *, breaks: bool = False) -> None:
        """With `breaks`, a line's end is one in the page, too."""
        self._breaks = breaks
        self._values: list[str] = []
        self._skeleton = lru_cache(maxsize=REMEMBERED)(self._converted)

    @property
    def keep(self) -> Any:
        """What Jinja2 calls with every value that it puts out. A value marked safe is the author's own Markdown."""

        # With the context asked for, Jinja2 does not call it for constants when it compiles.
        @pass_context
        def keep(_: object, value: Any) -> Any:
            if isinstance(value, Markup):
                return value
            self._values.append(str(value))
            return word(len(self._values) - 1)

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

        return MarkdownIt("commonmark", {"breaks": self._breaks}).enable(["table", "strikethrough"])

    def page(self, rendered: str) -> Filled:
        """The HTML page for a body that was rendered with `keep`, and its values, as HTML."""
        values, self._values = self._values, []
        return Filled(self._skeleton(rendered), [str(escape(value)) for value in values])

    def _converted(self, rendered: str) -> Skeleton:
        return skeleton(PAGE.format(body=self._markdown.render(rendered)))
