"""A template whose messages are visibly tests: what else they are is what they would be for their contact."""

from __future__ import annotations

from collections.abc import Mapping

from campaign_cli.content.template import Rendered, Template

MARK = "[Test] "
"""What the subject of a test message begins with."""

HEADER = ("X-Campaign-Test", "yes")
"""What filters and programs know a test message by."""


class TrialTemplate(Template):
    """The same template, its messages marked."""

    @classmethod
    def of(cls, template: Template) -> TrialTemplate:
        """That of `template`."""
        return cls(*template._made_of)

    def __reduce__(self) -> tuple[type[Template], tuple[object, ...]]:
        """As pickle takes it to a worker process."""
        return TrialTemplate, self._made_of

    def render(self, fields: Mapping[str, str]) -> Rendered:
        """As the template does, with the marks. Raises ComposeError."""
        rendered = super().render(fields)
        return rendered._replace(subject=MARK + rendered.subject, headers=(*rendered.headers, HEADER))
