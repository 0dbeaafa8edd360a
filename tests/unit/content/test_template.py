from pathlib import Path

import pytest
from jinja2.defaults import DEFAULT_FILTERS

from campaign_cli.content.shapes import filled
from campaign_cli.content.template import Rendered, Template, load_template
from campaign_cli.model.errors import ComposeError, TemplateError

HEAD = "---\nsubject: s\n---\n"


def template(folder: Path, text: str, name: str = "mail.txt", **given: str) -> Template:
    path = folder / name
    path.write_text(text, "utf-8")
    return load_template(path, **given)


def check(folder: Path, text: str, *columns: str) -> str:
    """What the check tells, without the folder."""
    with pytest.raises(TemplateError) as caught:
        template(folder, text).check(columns)
    return str(caught.value).replace(f"{folder}/", "")


def failure(folder: Path, text: str, **fields: str) -> str:
    with pytest.raises(ComposeError) as caught:
        template(folder, text).render(fields)
    return str(caught.value).replace(f"{folder}/", "")


def body(folder: Path, text: str, **fields: str) -> str | None:
    loaded = template(folder, HEAD + text)
    loaded.check(fields)
    return "".join(filled(*loaded.render(fields).text))


def test_every_unknown_variable_is_told_with_its_line_a_near_column_and_all_columns(tmp_path: Path) -> None:
    (tmp_path / "foot.txt").write_text("bye\n{{ zzz }}")
    text = "---\nfrom: a\nsubject: '{{ nmae }}'\nX-Id: '{{ idd }}'\n---\n"
    text += "Hi {{ name }}\n{{ emial }}{{ qq }}{% include 'foot.txt' %}"
    there = "the list's columns are: email, name"
    assert check(tmp_path, text, "name", "email").split("\n") == [
        f"mail.txt:3: 'nmae' is not a column of the list (did you mean 'name'?); {there}",
        f"mail.txt:4: 'idd' is not a column of the list; {there}",
        f"mail.txt:7: 'emial' is not a column of the list (did you mean 'email'?); {there}",
        f"mail.txt:7: 'qq' is not a column of the list; {there}",
        f"foot.txt:2: 'zzz' is not a column of the list; {there}",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{{ x | default('') }}",
        "{{ x | d('') | upper }}",
        "{% if x is defined %}{{ x }}{% endif %}",
        "{% if x is undefined %}{% else %}{{ x }}{% endif %}",
        "{% set x = 'a' %}{{ x }}",
        "{% for x in range(2) %}{{ loop.index }}{{ x }}{% endfor %}",
        "{% macro x(y, z='') %}{{ y }}{{ caller() }}{% endmacro %}{% call x('a') %}b{% endcall %}",
        "{% include 'none.txt' ignore missing %}",
    ],
)
def test_a_variable_with_another_value_or_a_guard_needs_no_column(tmp_path: Path, text: str) -> None:
    loaded = template(tmp_path, HEAD + text, subject="{{ x | default('s') }}")
    loaded.check(["email"])
    assert loaded.render({"email": "a"}).subject == "s"


@pytest.mark.parametrize("text", ["{{ x | upper | default('') }}", "{{ x }}{{ x | default('') }}"])
def test_a_default_guards_only_what_it_stands_behind(tmp_path: Path, text: str) -> None:
    assert check(tmp_path, HEAD + text).startswith("mail.txt:4: 'x' is not a column")


def test_files_of_the_folder_can_be_included_imported_and_extended(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "base.txt").write_bytes(
        b"\xef\xbb\xbf[{% block b %}{% endblock %}]\r\n{% include 'foot.txt' %}"
    )
    (tmp_path / "foot.txt").write_text("{% import 'm.txt' as m %}{{ m.f(x) }}")
    (tmp_path / "m.txt").write_text("{% macro f(a) %}<{{ a }}>{% endmacro %}")
    text = "{% extends 'parts/base.txt' %}{% block b %}{{ super() }}{{ x }}{% endblock %}"
    assert body(tmp_path, text, x="é") == "[é]\n<é>"


@pytest.mark.parametrize(
    "name", ["../secret.txt", "a/../../secret.txt", "{tmp}/secret.txt", "link.txt", "sub/secret.txt"]
)
@pytest.mark.parametrize("tag", ["include", "extends"])
def test_nothing_outside_of_the_folder_can_be_read(tmp_path: Path, tag: str, name: str) -> None:
    (tmp_path / "secret.txt").write_text("SECRET")
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "sub").symlink_to(tmp_path)
    name = name.format(tmp=tmp_path)
    loaded = template(folder, f"{HEAD}\n{{% {tag} '{name}' %}}")
    for error, act in ((TemplateError, lambda: loaded.check([])), (ComposeError, lambda: loaded.render({}))):
        with pytest.raises(error) as caught:
            act()
        where = f"{folder}/mail.txt:5"
        assert str(caught.value) == f"{where}: {name!r} is not a file of UTF-8 text in the template's folder"


THERE = "is not a file of UTF-8 text in the template's folder"
ENDLESS = "leads back to this file, so there would be no end: take it out"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{% include 'nope.html' %}", [f"mail.txt:5: 'nope.html' {THERE}"]),
        ("{% extends 'nope.html' %}", [f"mail.txt:5: 'nope.html' {THERE}"]),
        ("{% import 'nope.html' as n %}", [f"mail.txt:5: 'nope.html' {THERE}"]),
        (
            "{% from 'nope.html' import n %}{{ zzz }}",
            [f"mail.txt:5: 'nope.html' {THERE}", "mail.txt:5: 'zzz' is not a "],
        ),
        ("{% include ['a', 'b'] %}", [f"mail.txt:5: 'a' or 'b' {THERE}"]),
        ("{% include 'hole.txt' %}", [f"hole.txt:2: 'nope.txt' {THERE}"]),
        ("{% include 'mail.txt' %}", [f"mail.txt:5: 'mail.txt' {ENDLESS}"]),
        ("{% include 'mail.txt' ignore missing %}", [f"mail.txt:5: 'mail.txt' {ENDLESS}"]),
        ("{% include 'round.txt' %}", [f"mail.txt:5: 'round.txt' {ENDLESS}", f"round.txt:1: 'mail.txt' {ENDLESS}"]),
        ("{% include 'nope.html' ignore missing %}{% include ['nope.html', 'flat.txt'] %}", []),
        ("{% include 'flat.txt' %}{% include 'flat.txt' %}{% include email %}", []),
    ],
)
def test_a_file_that_is_not_there_or_holds_itself_is_told_before_the_first_message(
    tmp_path: Path, text: str, told: list[str]
) -> None:
    (tmp_path / "flat.txt").write_text("flat")
    (tmp_path / "hole.txt").write_text("\n{% include 'nope.txt' %}")
    (tmp_path / "round.txt").write_text("{% include 'mail.txt' %}")
    found = check(tmp_path, f"{HEAD}\n{text}", "email").split("\n") if told else []
    template(tmp_path, f"{HEAD}\n{text if not told else ''}").check(["email"])
    assert [line for line, start in zip(found, told, strict=True) if not line.startswith(start)] == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{{ ''.__class__.__mro__ }}", "access to attribute '__class__' of 'str' object is unsafe."),
        ("{{ '{0.__class__}'.format(n) }}", "access to attribute '__class__' of 'str' object is unsafe."),
        ("{{ range(10 ** 9) }}", "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000)."),
        ("{{ none }}{{ x }}", "'x' is undefined"),
        ("{% if x %}{% endif %}", "'x' is undefined"),
        ("{{ n.y }}", "'str object' has no attribute 'y'"),
        ("{{ 1 / (n|int) }}", "division by zero"),
        ("{% include 'sum.txt' %}", None),
    ],
)
def test_what_cannot_be_rendered_is_told_for_the_row_with_its_line(tmp_path: Path, text: str, told: str | None) -> None:
    (tmp_path / "sum.txt").write_text("\n\n{{ 1 / (n|int) }}")
    told = f"mail.txt:5: {told}" if told else "sum.txt:3: division by zero"
    assert failure(tmp_path, f"{HEAD}Hi\n{text}", n="0") == told


def test_a_subject_or_header_that_cannot_be_rendered_is_told_with_its_line(tmp_path: Path) -> None:
    assert failure(tmp_path, "---\nsubject: '{{ ''''.__class__ }}'\n---\n").startswith("mail.txt:2: Subject: access")
    assert failure(tmp_path, "---\nsubject: s\nX-Id: '{{ x }}'\n---\n") == "mail.txt:3: X-Id: 'x' is undefined"
    assert failure(tmp_path, "---\nsubject: '{{ x }}'\n---\n", x=" ") == "mail.txt:2: the subject is empty for this row"


def test_fields_are_escaped_in_html_and_nowhere_else(tmp_path: Path) -> None:
    text = "---\nsubject: '{{ x }}'\nX-Id: '{{ x }}'\n---\n{{ x }} {{ x|safe }}"
    x = "<b>&\"'"
    headers = (("X-Id", x),)
    assert template(tmp_path, text).render({"x": x}) == Rendered(x, headers, ((0, " ", 1), [x, x]), None)
    for file in ("mail.html", "mail.HTM"):
        rendered = template(tmp_path, text, file).render({"x": x})
        assert rendered.html == ((0, " ", 1), ["&lt;b&gt;&amp;&#34;&#39;", x])
        assert (rendered.subject, rendered.headers, "".join(filled(*rendered.text))) == (x, headers, "<b>&\"' &\"'\n")


def test_a_file_with_crlf_and_a_byte_order_mark_is_the_same_template(tmp_path: Path) -> None:
    path = tmp_path / "mail.txt"
    path.write_bytes(b"\xef\xbb\xbf---\r\nsubject: s\r\nfrom: Ann <a@x.example>\r\n---\r\nHi\r\n{{ x }}\r\n")
    loaded = load_template(path)
    assert (loaded.sender_text, loaded.render({"x": "a"})) == (
        "Ann <a@x.example>",
        Rendered("s", (), (("Hi\n", 0, "\n"), ["a"]), None),
    )
    with pytest.raises(TemplateError, match=r"mail\.txt:6: 'x'"):
        loaded.check([])


def test_what_a_template_multiplies_is_worked_out_for_each_message_and_not_when_it_is_read(tmp_path: Path) -> None:
    loaded = template(tmp_path, HEAD + "{{ 'ab' * 3 }}")
    assert "ababab" not in loaded._body._template.root_render_func.__code__.co_consts
    assert loaded.render({}).text == ((0,), ["ababab"])


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'x' | center(9) }}",
        "{{ ['x' | center(9)] }}",
        "{% set a = 'x' | center(9) %}{{ a }}",
        "{% if 'x' | center(9) %}a{% endif %}",
        "{% for i in 'x' | center(9) %}a{% endfor %}",
        "{% include 'x' | center(9) ignore missing %}a",
    ],
)
def test_no_filter_is_called_before_a_message_is_made(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = []
    monkeypatch.setitem(DEFAULT_FILTERS, "center", lambda value, width: called.append(width) or "x.txt")
    made = template(tmp_path, text, subject="s{{ 'x' | center(8) }}")
    made.check(["email"])
    made.made_of()
    assert called == []
    made.render({})
    assert called == [8, 9]
