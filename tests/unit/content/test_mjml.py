"""MJML is compiled as Jinja2 has made it, once for each shape; what is wrong is told with its file and line."""

from pathlib import Path

import mrml
import pytest

from campaign_cli.content.mjml import MjmlError, compiled
from campaign_cli.content.shapes import filled
from campaign_cli.content.template import Template, load_template
from campaign_cli.model.errors import ComposeError, TemplateError

HEAD = "---\nsubject: s\n---\n"


def section(text: str) -> str:
    return f"<mj-section><mj-column>{text}</mj-column></mj-section>"


def whole(text: str, head: str = "") -> str:
    return f"<mjml><mj-head>{head}</mj-head><mj-body>\n{text}\n</mj-body></mjml>"


def template(folder: Path, text: str, **given: bool) -> Template:
    (folder / "mail.mjml").write_text(HEAD + text, "utf-8")
    return load_template(folder / "mail.mjml", **given)


def shown(template: Template, **fields: str) -> str:
    template.check(fields)
    made = template.render(fields).html
    assert made is not None
    return "".join(filled(*made))


def test_a_page_is_what_mrml_makes_of_it_with_the_values_in_it(tmp_path: Path) -> None:
    text = whole(section('<mj-text>Hi {{ name }}</mj-text><mj-button href="https://x.example/{{ id }}">Go</mj-button>'))
    made = template(tmp_path, text, inline_css=False)
    values = {"name": "B&o", "id": "7"}
    alone = mrml.to_html(
        text.replace("{{ name }}", "B&amp;o").replace("{{ id }}", "7"), render_options=mrml.RenderOptions(fonts={})
    ).content
    assert shown(made, **values).replace(' data-css-inline="ignore"', "") == alone
    assert "".join(filled(*made.render(values).text)) == "Hi B&o\n\nGo <https://x.example/7>\n"


def test_jinja2_may_stand_between_elements_and_a_recipient_costs_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []
    monkeypatch.setattr("campaign_cli.content.template.compiled", lambda page: runs.append(page) or compiled(page))
    (tmp_path / "parts.mjml").write_text(
        "{% macro part(x) %}" + section("<mj-text>{{ x }}</mj-text>") + "{% endmacro %}"
    )
    made = template(
        tmp_path,
        whole(
            "{% from 'parts.mjml' import part %}{% for i in range(2) %}"
            + section("<mj-text>{{ name }}</mj-text>")
            + "{% endfor %}{% if name != 'Bo0' %}{{ part(name ~ '!') }}{% else %}<mj-section></mj-section>{% endif %}"
        ),
    )
    for number in range(20):
        page = shown(made, name=f"Bo{number}")
        assert page.count(f">Bo{number}<") == 2
        assert page.count(f">Bo{number}!<") == min(number, 1)
    assert len(runs) == 2


def test_a_value_that_is_a_number_of_mjml_makes_a_shape_of_its_own(tmp_path: Path) -> None:
    text = whole(section('<mj-divider width="{{ w }}px" /><mj-image src="{{ u }}" />'))
    made = template(tmp_path, text, inline_css=False)
    for w in ("40", "50", "40"):
        alone = template(tmp_path, text.replace("{{ w }}", w), inline_css=False)
        assert shown(made, w=w, u="https://x.example/a") == shown(alone, u="https://x.example/a")


def test_fonts_come_from_nowhere_unless_the_page_says_so(tmp_path: Path) -> None:
    assert "fonts.googleapis" not in shown(template(tmp_path, whole(section("<mj-text>a</mj-text>"))))
    font = '<mj-font name="R" href="https://x.example/r.css"/>'
    text = '<mj-text font-family="R">a</mj-text>'
    assert "https://x.example/r.css" in shown(template(tmp_path, whole(section(text), font)))


def test_the_authors_styles_go_into_elements_and_the_librarys_own_do_not(tmp_path: Path) -> None:
    style = "<mj-style>.a { color: red } @media (max-width:9px) { .a { color: blue } }</mj-style>"
    page = shown(template(tmp_path, whole(section('<mj-text css-class="a">x</mj-text>'), style)))
    assert (
        '<td class="a" align="left" style="color: red;' in page
        or '<td align="left" class="a" style="color: red;' in page
    )
    assert ("#outlook a { padding: 0; }" in page, "border-collapse: collapse;mso" in page) == (True, False)
    assert ".a { color: blue }" in page
    assert "data-css-inline" not in page


def test_an_include_of_mjml_is_one_of_jinja2_in_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "foot.mjml").write_text(section("<mj-text>{{ name }}, bye</mj-text>"))
    (tmp_path / "own.css").write_text(".a { color: red }")
    (tmp_path / "old.html").write_text("<p class='a'>old</p>")
    text = whole(
        '<mj-include path="./foot.mjml" />' + section('<mj-include path="old.html" type="html"></mj-include>'),
        '<mj-include path="own.css" type="css" />',
    )
    made = template(tmp_path, text)
    page = shown(made, name="Bo")
    assert ">Bo, bye<" in page
    assert '<p class="a" style="color: red;">old</p>' in page
    before = made.made_of()
    (tmp_path / "own.css").write_text(".a { color: blue }")
    assert template(tmp_path, text).made_of() != before


@pytest.mark.parametrize("path", ["/etc/hostname", "../mail.mjml", "http://127.0.0.1:9/a.mjml", "https://x.example/a"])
def test_an_include_from_elsewhere_is_told_and_not_followed(tmp_path: Path, path: str) -> None:
    made = template(tmp_path, whole(f'\n<mj-include path="{path}" />'))
    with pytest.raises(TemplateError) as caught:
        made.check([])
    assert str(caught.value) == (
        f"{tmp_path}/mail.mjml:6: {path!r} is not a file of UTF-8 text in the template's folder"
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\n<mj-txt>a</mj-txt>", "6: <mj-txt> is no element of MJML; did you mean 'mj-text'?"),
        (section("\n<mj-text>a < b</mj-text>"), "6: this < begins no tag: write &lt;, or put values of attributes in"),
        (section("<mj-text>\n<b>a</mj-text>"), "6: </mj-text> stands inside <b>: close what is open first, or take it"),
        (section("\n\n<mj-text><a href=x>a</a></mj-text>"), "7: this < begins no tag: write &lt;, or put values of"),
    ],
)
def test_what_is_wrong_for_everybody_is_told_before_the_first_message(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(TemplateError) as caught:
        template(tmp_path, whole(text)).check([])
    assert str(caught.value).split("\n")[0].startswith(f"{tmp_path}/mail.mjml:{told}")


def test_what_is_wrong_in_one_branch_is_told_for_its_rows_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "foot.mjml").write_text(
        "\n{% if name %}\n" + section("<mj-text>{{ name }}</mj-column>") + "{% endif %}"
    )
    made = template(tmp_path, whole("{% include 'foot.mjml' %}" + section("<mj-text>a</mj-text>")))
    made.check(["name"])
    assert made.render({"name": ""}).subject == "s"
    with pytest.raises(ComposeError) as caught:
        made.render({"name": "Bo"})
    assert str(caught.value) == (
        f"{tmp_path}/foot.mjml:3: </mj-column> stands inside <mj-text>: close what is open first, or take it out"
    )
    with pytest.raises(ComposeError, match=r"mail\.mjml:5: "):
        template(
            tmp_path, whole("{% if 1 %}" + section("<mj-text>{{ name | safe }}</mj-text>") + "{% endif %}")
        ).render({"name": "a < b"})


def test_what_only_the_library_minds_is_told_in_its_words() -> None:
    with pytest.raises(MjmlError, match="this is not MJML: "):
        compiled("<p>x</p>")
