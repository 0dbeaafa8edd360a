from pathlib import Path

import pytest

from campaign_cli.content.template import load_template
from campaign_cli.model.errors import TemplateError

MEND = ": mend this line; Jinja2 is written as {{ name }} and {% if name %} ... {% endif %}"


def told(path: Path, text: str) -> str:
    path.write_text(text, "utf-8")
    with pytest.raises(TemplateError) as caught:
        load_template(path).check(["email"])
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("---\nsubject: x\n", "1: the front matter does not end: close it with a line ---"),
        (
            "---\nsubject: {{ x }}\n---\n",
            "2: subject must be one text; a value that begins with { or [ must stand in quotes",
        ),
        ("---\nsunject: x\n---\n", "2: 'sunject' is not a key of the front matter; did you mean 'subject'?"),
        ("---\nReply-To: x\n---\n", "2: 'Reply-To' is not a key of the front matter; did you mean 'reply_to'?"),
        (
            "---\ntitle: x\n---\n",
            "2: 'title' is not a key of the front matter; there are subject, from, reply_to, preheader, "
            "inline_css, locale, attachments, variants, and headers by their names, such as X-Newsletter",
        ),
        ("---\nsubject: x\nsubject: y\n---\n", "3: 'subject' stands here a second time, first on line 2"),
        ("---\nfrom: '{{ x }}'\n---\n", "2: from is the same in every message; take the {{ }} out"),
        ("---\nsubject: '{% if %}'\n---\n", f"2: Expected an expression, got 'end of statement block'{MEND}"),
        ("---\nsubject: s\nX-A: '{{ email | no }}'\n---\n", f"3: No filter named 'no'{MEND}"),
        (
            "---\nsubject: s\n---\n\n{{ email\n",
            f"5: unexpected end of template, expected 'end of print statement'{MEND}",
        ),
        ("---\nsubject: s\n---\n\n{{ email | no }}\n", f"5: No filter named 'no'{MEND}"),
    ],
)
def test_a_mistake_is_told_with_file_line_and_what_to_do(tmp_path: Path, text: str, message: str) -> None:
    assert told(tmp_path / "mail.html", text) == f"mail.html:{message}"


@pytest.mark.parametrize(
    "name",
    ["Bcc", "Cc", "To", "Date", "Message-ID", "Content-Type", "content-id", "MIME-Version", "Sender", "Resent-To"],
)
def test_a_header_made_for_each_message_cannot_be_set(tmp_path: Path, name: str) -> None:
    text = f"---\nsubject: s\n{name}: x\n---\n"
    assert told(tmp_path / "mail.md", text) == f"mail.md:3: {name} is made for each message; take it out"


@pytest.mark.parametrize("mistake", ["{% if %}", "{{ email | no }}"])
def test_a_mistake_in_an_included_file_is_told_with_its_own_line(tmp_path: Path, mistake: str) -> None:
    (tmp_path / "foot.txt").write_text(f"bye\n{mistake}")
    text = "---\nsubject: s\n---\n{% include 'foot.txt' %}"
    assert told(tmp_path / "mail.txt", text).startswith("foot.txt:2: ")


def test_a_subject_must_come_from_somewhere_and_the_one_given_wins(tmp_path: Path) -> None:
    path = tmp_path / "mail.txt"
    for text in ("Hello", "---\nsubject:\n---\n"):
        message = "mail.txt: no subject: add 'subject: ...' to its front matter, or give --subject"
        assert told(path, text) == message
    path.write_text("---\nsubject: old\n---\n")
    assert load_template(path, subject="{{ x }}!").render({"x": "new"}).subject == "new!"
    with pytest.raises(TemplateError, match=r"^--subject: 'x' is not a column"):
        load_template(path, subject="{{ x }}!").check([])


@pytest.mark.parametrize("given", ["https://x.example/{{ id }}", "<https://x.example/{{ id }}>"])
def test_the_list_unsubscribe_given_wins_over_the_template_in_any_case(tmp_path: Path, given: str) -> None:
    path = tmp_path / "mail.txt"
    path.write_text("---\nsubject: s\nList-UNSUBSCRIBE: <https://old.example>\nX-Empty: '{{ e }}'\n---\n")
    rendered = load_template(path, list_unsubscribe=given).render({"id": "7", "e": ""})
    assert rendered.headers == (("List-Unsubscribe", "<https://x.example/7>"),)


def test_a_file_that_is_no_template_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"\xe9")
    (tmp_path / "dir.txt").mkdir()
    (tmp_path / "mail.doc").write_text("")
    for name, message in {
        "none.txt": "there is no such template",
        "latin.txt": "is not UTF-8 text; save it as UTF-8",
        "dir.txt": "this folder has no body.html, body.mjml, body.md or body.txt in it",
        "mail.doc": "a template's name ends in .html, .mjml, .md or .txt, or is that of a folder",
    }.items():
        with pytest.raises(TemplateError) as caught:
            load_template(tmp_path / name)
        assert str(caught.value) == f"{tmp_path}/{name}: {message}"
