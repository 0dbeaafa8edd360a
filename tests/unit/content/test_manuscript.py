"""A template may be a folder with a file for each part."""

import pickle
from pathlib import Path

import pytest

from campaign_cli.content.shapes import filled
from campaign_cli.content.template import Template, load_template
from campaign_cli.model.errors import ComposeError, TemplateError

WHOLE = {
    "subject.txt": "Hello {{ name }}\n",
    "headers.yaml": "from: Ann <ann@x.example>\nreply_to: re@x.example\nX-Id: '{{ id }}'\n",
    "body.html": "<p>{{ name }}</p>{% include 'foot.html' %}",
    "foot.html": "<p>bye</p>",
    "body.txt": "{{ name }}, in words{% include 'foot.txt' %}",
    "foot.txt": ", bye",
}


def folder(place: Path, files: dict[str, str]) -> Path:
    made = place / "spring"
    made.mkdir()
    for name, text in files.items():
        (made / name).write_text(text, "utf-8")
    return made


def told(place: Path, files: dict[str, str], *columns: str) -> str:
    """What is wrong, without the folder."""
    made = folder(place, files)
    with pytest.raises(TemplateError) as caught:
        load_template(made).check(columns)
    return str(caught.value).replace(str(made), "spring")


def test_a_folder_is_a_template_with_a_file_for_each_part(tmp_path: Path) -> None:
    loaded = load_template(folder(tmp_path, WHOLE))
    loaded.check(["name", "id"])
    for template in (loaded, pickle.loads(pickle.dumps(loaded))):
        rendered = template.render({"name": "<Bo>", "id": "7"})
        assert (template.sender_text, template.reply_to) == ("Ann <ann@x.example>", "re@x.example")
        assert (rendered.subject, rendered.headers) == ("Hello <Bo>", (("X-Id", "7"),))
        assert rendered.html is not None
        assert "".join(filled(*rendered.html)) == "<p>&lt;Bo&gt;</p><p>bye</p>"
        assert "".join(filled(*rendered.text)) == "<Bo>, in words, bye"


def test_without_a_text_of_its_own_it_is_made_from_the_page_and_alone_it_is_the_message(tmp_path: Path) -> None:
    made = folder(tmp_path, {name: text for name, text in WHOLE.items() if name != "body.txt"})
    assert "".join(filled(*load_template(made).render({"name": "Bo", "id": "7"}).text)) == "Bo\n\nbye\n"
    (made / "body.html").rename(made / "body.txt")
    assert load_template(made).render({"name": "Bo", "id": "7"}).html is None


def test_every_file_of_a_folder_is_part_of_what_messages_are_made_of(tmp_path: Path) -> None:
    made = folder(tmp_path, WHOLE)
    seen = [load_template(made).made_of()]
    for name in WHOLE:
        if name == "headers.yaml":
            (made / name).write_text("X-Id: other")
        else:
            (made / name).write_text("!" + WHOLE[name])
        seen.append(load_template(made).made_of())
    assert [number for number, one in enumerate(seen) if one in seen[:number]] == []


def test_all_that_is_wrong_is_told_with_its_file_and_line(tmp_path: Path) -> None:
    there = "is not a column of the list; the list's columns are: email"
    files = WHOLE | {"body.html": "\n{% include 'nope.html' %}", "foot.txt": "\n\n{{ zzz }}"}
    assert told(tmp_path, files, "email").split("\n") == [
        "spring/body.html:2: 'nope.html' is not a file of UTF-8 text in the template's folder",
        f"spring/subject.txt:1: 'name' {there}",
        f"spring/headers.yaml:3: 'id' {there}",
        f"spring/body.txt:1: 'name' {there}",
        f"spring/foot.txt:3: 'zzz' {there}",
    ]


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"subject.txt": "s"}, "spring: this folder has no body.html, body.mjml, body.md or body.txt in it"),
        (
            {"body.html": "", "body.md": ""},
            "spring: body.html and body.md are two pages for one message: keep one of them",
        ),
        ({"body.txt": "x"}, "spring: no subject: write it into subject.txt, or give --subject"),
        (
            {"body.txt": "x", "subject.txt": "a\nb\n"},
            "spring/subject.txt:2: a subject is one line; take out what stands below it",
        ),
        (
            {"body.txt": "x", "subject.txt": "s", "headers.yaml": "\nsubject: s"},
            "spring/headers.yaml:2: subject: there is subject.txt as well; take one of them out",
        ),
        (
            {"body.txt": "x", "headers.yaml": "frm: a\nDate: b\n"},
            "spring/headers.yaml:1: 'frm' is not a key of the front matter; did you mean 'from'?\n"
            "spring/headers.yaml:2: Date is made for each message; take it out",
        ),
        (
            {"body.txt": "x", "headers.yaml": "from: a\n  b: c: d"},
            "spring/headers.yaml:2: the front matter is not YAML; write lines such as 'subject: Hello', and put a "
            "value with a colon in it in quotes",
        ),
    ],
)
def test_a_folder_that_is_no_template_is_told(tmp_path: Path, files: dict[str, str], what: str) -> None:
    assert told(tmp_path, files) == what


def test_nothing_outside_of_the_folder_is_in_a_message(tmp_path: Path) -> None:
    (tmp_path / "secret.html").write_text("secret")
    made = folder(tmp_path, WHOLE)
    (made / "foot.html").unlink()
    (made / "foot.html").symlink_to(tmp_path / "secret.html")
    for name in ("foot.html", "../secret.html", "images/../../secret.html"):
        (made / "body.html").write_text(f"{{% include {name!r} %}}")
        with pytest.raises(ComposeError, match="is not a file of UTF-8 text in the template's folder"):
            load_template(made).render({"name": "Bo", "id": "7"})
    (made / "body.html").unlink()
    (made / "body.html").symlink_to(tmp_path / "secret.html")
    with pytest.raises(TemplateError, match="leads out of the template's folder"):
        load_template(made)


def test_an_error_in_a_file_of_any_name_is_told_with_its_line(tmp_path: Path) -> None:
    made = folder(tmp_path, WHOLE | {"foot.html": "{% import 'sums.jinja' as s %}{{ s.a(1) }}"})
    (made / "sums.jinja").write_text("{% macro a(b) %}\n{{ b / 0 }}{% endmacro %}")
    loaded: Template = load_template(made)
    with pytest.raises(ComposeError) as caught:
        loaded.render({"name": "Bo", "id": "7"})
    assert str(caught.value) == f"{made}/sums.jinja:2: division by zero"
