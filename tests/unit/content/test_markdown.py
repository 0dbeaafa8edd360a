from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaign_cli.content.markdown import PAGE
from campaign_cli.content.shapes import filled
from campaign_cli.content.template import load_template

FIELDS = [
    "<b>",
    "[x](http://evil.example)",
    "**bold**",
    "`code`",
    "# title",
    "- item",
    "&amp;",
    '"',
    "'",
    "a\n\n> b",
    "",
]
PLACES = [
    ("{{ x }}", "<p>{}</p>\n"),
    ("Dear **{{ x }}**,", "<p>Dear <strong>{}</strong>,</p>\n"),
    ("`{{ x }}`", "<p><code>{}</code></p>\n"),
    ("    {{ x }}", "<pre><code>{}\n</code></pre>\n"),
    ("[go](https://x.example/?q={{ x }})", '<p><a href="https://x.example/?q={}">go</a></p>\n'),
    ("[{{ x }}](https://x.example)", '<p><a href="https://x.example">{}</a></p>\n'),
    ("![{{ x }}](a.png)", '<p><img src="a.png" alt="{}" /></p>\n'),
    ('<div title="{{ x }}">\n', '<div title="{}">\n'),
    ('a <i title="{{ x }}">b</i>', '<p>a <i title="{}">b</i></p>\n'),
    ("| a |\n|---|\n| {{ x }} |", None),
    ("{{ x | e }}", "<p>{}</p>\n"),
    ("{{ x | escape }}", "<p>{}</p>\n"),
]


def page(folder: Path, body: str, **fields: str) -> str:
    path = folder / "mail.md"
    path.write_text("---\nsubject: s\n---\n" + body, "utf-8")
    pieces = load_template(path).render(fields).html
    assert pieces is not None
    html = "".join(filled(*pieces))
    start, end = PAGE.split("{body}")
    assert html.startswith(start)
    assert html.endswith(end)
    return html.removeprefix(start).removesuffix(end)


@pytest.mark.parametrize("value", FIELDS)
@pytest.mark.parametrize(("body", "expected"), PLACES)
def test_a_field_arrives_as_text_escaped_once(tmp_path: Path, body: str, expected: str | None, value: str) -> None:
    html = page(tmp_path, body, x=value)
    quoted = escape(value).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    assert html == expected.format(quoted) if expected else f"<td>{quoted}</td>" in html


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=30) | st.text("<>&[]()*_`#\\!\n x1", max_size=20))
def test_no_field_adds_an_element_or_loses_a_character(tmp_path: Path, value: str) -> None:
    seen = Seen()
    seen.feed(page(tmp_path, "a{{ x }}b{{ x }}c **{{ x }}**", x=value))
    seen.close()
    assert (seen.tags, seen.text) == (["p", "strong"], f"a{value}b{value}c {value}\n")


def test_what_the_author_marks_safe_is_markdown(tmp_path: Path) -> None:
    assert page(tmp_path, "{{ '**x**' | safe }} {{ '**x**' }}") == "<p><strong>x</strong> **x**</p>\n"


def test_loops_conditions_and_macros_work(tmp_path: Path) -> None:
    body = (
        "{% macro item(text, url) %}[{{ text }}]({{ url }}){% endmacro %}"
        "{% for word in x.split(',') %}\n- {{ item(word, 'https://x.example/' ~ word) }}"
        "{% if loop.last %} (last){% endif %}{% endfor %}\n"
    )
    assert page(tmp_path, body, x="a,<b>") == (
        '<ul>\n<li><a href="https://x.example/a">a</a></li>\n'
        '<li><a href="https://x.example/&lt;b&gt;">&lt;b&gt;</a> (last)</li>\n</ul>\n'
    )


def test_one_message_has_nothing_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "mail.md"
    path.write_text("---\nsubject: s\n---\n{{ x }} {{ 1 // (n|int) }}")
    template = load_template(path)
    with pytest.raises(Exception, match="division"):
        template.render({"x": "secret", "n": "0"})
    page = template.render({"x": "a", "n": "1"}).html
    assert page is not None
    assert "".join(filled(*page)) == PAGE.format(body="<p>a 1</p>\n")
