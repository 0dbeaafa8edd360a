"""Style sheets go into the elements, once for each shape; each page is the same as if it had been made alone."""

from html import escape
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html

from campaign_cli.content import styles
from campaign_cli.content.pages import Pages
from campaign_cli.content.shapes import Filled, Skeleton, filled
from campaign_cli.content.styles import inlined
from campaign_cli.content.template import Template, load_template

RULES = ".a{color:red} .b{color:blue} #i{margin:0} p{padding:0} td{width:1px} @media (max-width:9px){.a{color:green}}"
HEAD = f"<!doctype html><html><head><style>{RULES}</style></head><body>"

SKELETONS: list[Skeleton] = [
    (HEAD, "<p class=a>", 0, '</p><a href="https://x.example/?', 1, '">', 0, "</a>"),
    (HEAD, '<p class="', 0, '">x</p><p id="', 1, '">', 0, "</p>"),
    (HEAD, "<p class='c ", 0, " d ", 1, "'>x</p>"),
    (HEAD, '<p style="', 0, '">x</p><p style="color:', 1, '">y</p>'),
    (HEAD, '<table><tr><td title="', 0, '">', 1, "</td></tr></table>"),
    ("<style>p{color:", 0, "} .", 1, "{margin:1px}</style><p class=a>x</p>"),
    (HEAD, "<p>", 0, "</p><!-- ", 1, " --><pre>", 0, "</pre><textarea>", 1, "</textarea>"),
]
VALUE = st.sampled_from(
    ["a", "b", "i", "red", "", " ", "a b", "color:red", "x y", "&", '"', "<", "'", "1", "é", "a\nb"]
)


def same(page: str) -> str:
    """The page as a parser reads it, without the white space in styles, and with one kind of quotes there."""
    tree = lxml_html.document_fromstring(page)
    for element in tree.iter():
        if "style" in element.attrib:
            element.set("style", element.get("style").replace(" ", "").replace('"', "'"))
    return lxml_html.tostring(tree, encoding="unicode")


@settings(max_examples=400)
@given(st.sampled_from(SKELETONS), st.lists(st.tuples(VALUE, VALUE), min_size=1, max_size=4))
def test_a_page_of_a_shape_is_what_it_would_be_alone_whatever_its_values(
    bones: Skeleton, rows: list[tuple[str, str]]
) -> None:
    pages = Pages([inlined])
    for row in rows:
        values = [escape(value) for value in row]
        alone = inlined("".join(filled(bones, values)))
        assert same("".join(filled(*pages.page(Filled(bones, values))[0]))) == same(alone)


def page(folder: Path, text: str, name: str = "mail.html", **given: bool) -> Template:
    (folder / name).write_text(f"---\nsubject: s\n---\n{text}", "utf-8")
    return load_template(folder / name, **given)


def shown(template: Template, **fields: str) -> str:
    made = template.render(fields).html
    assert made is not None
    return "".join(filled(*made))


def test_rules_go_into_elements_and_what_cannot_stays_in_a_sheet() -> None:
    made = inlined(f"{HEAD}<p class=a>x</p><p class=a style='color:black'>x</p><style>a:hover{{color:red}}</style>")
    assert '<p class="a" style="padding: 0;color: red;">x</p>' in made
    assert "color: black" in made
    assert "@media (max-width:9px){.a{color:green}}" in made
    assert "a:hover" in made
    assert "<style></style>" not in made


def test_a_sheet_for_some_screens_is_for_no_others() -> None:
    sheet = '<style media="print">p{color:red}</style>'
    made = inlined(f"<html><head><style media=all>p{{margin:0}}</style>{sheet}</head><body><p>x</p>")
    assert '<p style="margin: 0;">' in made
    assert sheet in made


@pytest.mark.parametrize(
    "doctype",
    [
        "",
        "<!doctype html>",
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" '
        '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">',
    ],
)
def test_the_doctype_and_outlooks_conditions_stay(doctype: str) -> None:
    kept = "<!--[if mso]><table><tr><td><![endif]--><p>x</p><!--[if mso]></td></tr></table><![endif]-->"
    made = inlined(f"{doctype}<html><head><style>p{{}}</style></head><body>{kept}<![if !mso]><b>y</b><![endif]>")
    assert made.startswith(doctype or "<html>")
    assert kept in made
    assert "<!--[if !mso]><!--><b>y</b><!--<![endif]-->" in made


def test_no_file_and_no_address_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.css").write_text("p{color:red}")
    links = "".join(
        f'<link rel="stylesheet" href="{place}">'
        for place in (f"{tmp_path}/x.css", f"file://{tmp_path}/x.css", "http://127.0.0.1:9/x.css")
    )
    made = inlined(f"<html><head>{links}<style>@import '{tmp_path}/x.css'; b{{margin:0}}</style></head><body><p>x</p>")
    assert links in made
    assert "<p>x</p>" in made


def test_a_page_without_a_sheet_or_whose_styles_cannot_be_read_stays_to_the_byte() -> None:
    for text in ("<p class=a>x<br/>", "<STYLE>p{color:red}</STYLE><p style='}{'>x"):
        assert inlined(text) == text


def test_jinja2_may_stand_wherever_it_may_without_styles(tmp_path: Path) -> None:
    text = HEAD + (
        "{# a #}{% if name %}<p class=a>{% else %}<p class=b>{% endif %}{{ name }}</p>"
        "<table>{% for i in range(2) %}<tr><td title='{{ i }}'>{{ name }}{{ i }}</td></tr>{% endfor %}</table>"
        "{% macro m(x) %}<p class=a>{{ x }}</p>{% endmacro %}{{ m('m' ~ name) }}"
        "{% set s %}<p class=b>{{ name }}</p>{% endset %}{{ s }}"
    )
    made = shown(page(tmp_path, text), name="Bo")
    assert made.count('style="') == 5
    assert '<td title="1" style="width: 1px;">Bo1</td>' in made
    assert (made.count("color: red"), made.count("color: blue")) == (2, 1)


def test_what_macros_put_out_is_the_templates_own_text_with_values_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("campaign_cli.content.template.inlined", lambda text: asked.append(text) or inlined(text))
    (tmp_path / "base.html").write_text(HEAD + "{% block main %}<p class=a>base</p>{% endblock %}")
    loaded = page(
        tmp_path,
        "{% extends 'base.html' %}{% macro m(x) %}<p class=a>{{ x }}{{ caller() }}</p>{% endmacro %}"
        "{% block main %}{{ super() }}{% call m(name) %}<b class=b>{{ name }}</b>{% endcall %}{% endblock %}",
    )
    for number in range(50):
        made = shown(loaded, name=f"Bo{number}")
        assert f'color: red;">Bo{number}<b class="b" style="color: blue;">Bo{number}</b></p>' in made
    assert len(asked) == 1


def test_inline_css_false_leaves_the_page_as_it_was_and_is_part_of_what_messages_are_made_of(tmp_path: Path) -> None:
    text = f"{HEAD}<p class=a>x</p>"
    on, off = page(tmp_path, text), page(tmp_path, text, inline_css=False)
    assert shown(off) == text
    assert on.made_of() != off.made_of()
    (tmp_path / "mail.html").write_text(f"---\nsubject: s\ninline_css: false\n---\n{text}", "utf-8")
    assert shown(load_template(tmp_path / "mail.html")) == text
    assert shown(load_template(tmp_path / "mail.html", inline_css=True)) != text


def test_a_markdown_page_may_have_a_sheet(tmp_path: Path) -> None:
    assert '<p style="color: red;">Hi Bo</p>' in shown(
        page(tmp_path, "<style>p{color:red}</style>\n\nHi {{ name }}", "mail.md"), name="Bo"
    )


def test_what_no_sheet_shows_is_not_in_the_text(tmp_path: Path) -> None:
    loaded = page(tmp_path, "<style>.phone{display:none}</style><p class=phone>a</p><p>b</p>")
    assert "".join(filled(*loaded.render({}).text)) == "b\n"


def test_the_library_is_loaded_for_pages_with_a_sheet_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(styles, "_inliner", lambda: pytest.fail("asked"))
    assert inlined("<p>x</p>") == "<p>x</p>"
