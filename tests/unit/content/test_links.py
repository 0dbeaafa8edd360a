from pathlib import Path

import pytest

from campaign_cli.content.links import tracked
from campaign_cli.content.shapes import filled
from campaign_cli.content.template import load_template

UTM = (("source", "a club"), ("medium", "e&m"))
ADDED = "utm_source=a+club&amp;utm_medium=e%26m"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<a href="https://x.example">', f'<a href="https://x.example?{ADDED}">'),
        ("<A class='b' HREF = 'http://x.example/p'>", f"<A class='b' HREF = 'http://x.example/p?{ADDED}'>"),
        ('<a href="https://x.example/?a=1&amp;b=2">', f'<a href="https://x.example/?a=1&amp;b=2&amp;{ADDED}">'),
        ('<a href="https://x.example/?">', f'<a href="https://x.example/?{ADDED}">'),
        ('<a href="https://x.example/#end">', f'<a href="https://x.example/?{ADDED}#end">'),
        ('<a href="https://x.example/?utm_source=mine">', None),
        ('<a href="mailto:a@x.example">', None),
        ('<a href="#end">https://x.example</a>', None),
        ('<img src="https://x.example/a.png">', None),
        ('<a name="x">', None),
    ],
)
def test_links_to_sites_have_the_parameters_and_nothing_else_changes(before: str, after: str | None) -> None:
    page = f"<p>{before} and {before}"
    assert tracked(page, UTM) == f"<p>{after or before} and {after or before}"


@pytest.mark.parametrize(
    ("file", "body", "expected"),
    [
        (
            "mail.html",
            '<a href="https://x.example/{{ id }}?n={{ name }}#{{ id }}">{{ name }}</a> <a href="{{ url }}">bye</a>',
            f'<a href="https://x.example/7?n=A&amp;n&amp;{ADDED}#7">A&amp;n</a> <a href="https://y.example">bye</a>',
        ),
        ("mail.md", "[{{ name }}](https://x.example/{{ id }})", f'<a href="https://x.example/7?{ADDED}">A&amp;n</a>'),
    ],
)
def test_what_a_contacts_fields_say_stays_where_it_was(tmp_path: Path, file: str, body: str, expected: str) -> None:
    (tmp_path / file).write_text(f"---\nsubject: Hi\n---\n{body}\n")
    fields = {"id": "7", "name": "A&n", "url": "https://y.example"}
    rendered = load_template(tmp_path / file, utm=UTM).render(fields)
    assert rendered.html
    assert expected in "".join(filled(*rendered.html))
    assert "utm_source=a+club&utm_medium=e%26m" in "".join(filled(*rendered.text))
    text = load_template(tmp_path / file).render(fields).text
    assert "utm" not in "".join(filled(*text))
