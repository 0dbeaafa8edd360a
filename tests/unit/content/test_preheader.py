"""The preheader stands at the start of the page, hidden, and nowhere else."""

from pathlib import Path

import pytest
from lxml import html as lxml_html

from campaign_cli.content.preheader import with_preheader
from campaign_cli.content.shapes import filled
from campaign_cli.content.template import Template, load_template
from campaign_cli.model.errors import ComposeError, TemplateError

MJML = "<mj-section><mj-column><mj-text>Hi</mj-text></mj-column></mj-section>"


def template(folder: Path, body: str, name: str = "mail.html", preheader: str = "'News for {{ name }}'") -> Template:
    (folder / name).write_text(f"---\nsubject: s\npreheader: {preheader}\n---\n{body}", "utf-8")
    return load_template(folder / name)


def shown(template: Template, **fields: str) -> tuple[str, str]:
    """The page and its text."""
    rendered = template.render(fields)
    assert rendered.html is not None
    return "".join(filled(*rendered.html)), "".join(filled(*rendered.text))


@pytest.mark.parametrize(
    ("name", "body"),
    [
        (
            "mail.html",
            "<!doctype html><html><head><title>t</title></head><!-- <body> --><body class='b'><p>Hi</p></body>",
        ),
        ("mail.html", "<html><head><style>p,div{color:red}</style></head><body><p>Hi</p>"),
        ("mail.html", "<!doctype html><html><head><title>t</title></head><p>Hi</p>"),
        ("mail.html", "<p>Hi</p>"),
        ("mail.md", "Hi"),
        (
            "mail.mjml",
            "<mjml><mj-body><mj-section><mj-column><mj-text>Hi</mj-text></mj-column></mj-section></mj-body></mjml>",
        ),
    ],
)
def test_it_is_the_first_in_the_body_and_hidden_and_not_in_the_text(tmp_path: Path, name: str, body: str) -> None:
    made = template(tmp_path, body, name)
    for who, said in (("B<o>", "News for B<o>"), ("Ann  Lee", "News for Ann  Lee")):
        page, text = shown(made, name=who)
        first = lxml_html.document_fromstring(page).find("body")[0]
        assert (first.tag, first.text, "max-height:0" in first.get("style", "")) == ("div", said, True)
        assert page.count("News for") == 1
        assert text.strip() == "Hi"


def test_one_that_comes_out_empty_is_left_out(tmp_path: Path) -> None:
    made = template(tmp_path, "<p>{{ name }}</p>", preheader="'{{ name }}'")
    assert shown(made, name="")[0] == "<p></p>"
    assert shown(made, name="Bo")[0].endswith(">Bo</div><p>Bo</p>")
    assert shown(made, name="")[0] == "<p></p>"


def test_a_text_has_none(tmp_path: Path) -> None:
    rendered = template(tmp_path, "Hi", "mail.txt").render({"name": "Bo"})
    assert (rendered.html, "".join(filled(*rendered.text))) == (None, "Hi")


def test_it_is_checked_and_part_of_what_messages_are_made_of(tmp_path: Path) -> None:
    made = template(tmp_path, "<p>Hi</p>")
    with pytest.raises(TemplateError, match=r"mail\.html:3: 'name' is not a column"):
        made.check(["email"])
    with pytest.raises(ComposeError, match=r"mail\.html:3: preheader: 'name' is undefined"):
        made.render({})
    assert template(tmp_path, "<p>Hi</p>", preheader="other").made_of() != made.made_of()


def test_it_goes_behind_the_opening_of_the_body_whatever_that_has() -> None:
    assert with_preheader('<BODY\nid="a">x', "p").startswith('<BODY\nid="a"><div style="max-height:0')
