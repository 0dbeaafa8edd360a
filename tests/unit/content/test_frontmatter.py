from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.content.frontmatter import Entry, Split, split
from campaign_cli.model.errors import TemplateError

PATH = Path("mail.html")


def test_the_block_is_taken_off_and_each_value_keeps_its_line() -> None:
    source = "---\n# a comment\nsubject: 'Hi {{ name }}'\n\nX-Id: 7\nfrom:\n---\nDear\n---\nyou\n"
    assert split(PATH, source) == Split(
        (Entry("subject", "Hi {{ name }}", 3), Entry("X-Id", "7", 5), Entry("from", "", 6)), "Dear\n---\nyou\n", 8
    )


@pytest.mark.parametrize("source", ["", "Hello\n---\na: b\n---\n", "----\n", " ---\na: b\n---\n", "--- a\n---\n"])
def test_a_file_that_does_not_begin_with_the_line_is_all_body(source: str) -> None:
    assert split(PATH, source) == Split((), source, 1)


@pytest.mark.parametrize("source", ["---\n---\nx", "--- \n---\t\nx", "---\n# only a comment\n---\nx"])
def test_an_empty_block_has_no_entries(source: str) -> None:
    assert split(PATH, source) == Split((), "x", source.count("\n") + 1)


def test_the_block_may_end_with_the_file() -> None:
    assert split(PATH, "---\na: b\n---") == Split((Entry("a", "b", 2),), "", 3)


def test_a_value_over_several_lines_is_one_line_of_text() -> None:
    block = '---\nsubject: >\n  one\n  two\nfrom: "a\\r\\nBcc: b"\n---\n'
    assert split(PATH, block).entries == (Entry("subject", "one two", 2), Entry("from", "a Bcc: b", 5))


@pytest.mark.parametrize(
    ("written", "items"),
    [
        ("attachments: a  b.pdf", (("a  b.pdf", 3),)),
        ("attachments: ['a.pdf', \"i/{{ id }}.pdf\"]", (("a.pdf", 3), ("i/{{ id }}.pdf", 3))),
        ("attachments:\n- a.pdf\n-\n- 7", (("a.pdf", 4), ("7", 6))),
        ("attachments:", ()),
    ],
)
def test_a_list_keeps_each_text_and_its_line(written: str, items: tuple[tuple[str, int], ...]) -> None:
    assert split(PATH, f"---\nsubject: s\n{written}\n---\n").entries[1] == Entry("attachments", "", 3, items)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=80))
def test_whatever_the_file_says_its_lines_keep_their_numbers(body: str) -> None:
    parts = split(PATH, "---\nsubject: s\n---\n" + body)
    assert (parts.entries, parts.body, parts.body_line) == ((Entry("subject", "s", 2),), body, 4)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("---\nsubject: x\nHello", "mail.html:1: the front matter does not end: close it with a line ---"),
        (
            "---\nfrom: a\nsubject: {{ name }}\n---\n",
            "mail.html:3: subject must be one text; a value that begins with { or [ must stand in quotes",
        ),
        (
            "---\nfrom: a\nsubject: {{ name }}, hello\n---\n",
            "mail.html:3: the front matter is not YAML; a value that begins with { or [ must stand in quotes",
        ),
        (
            "---\nsubject: Sale: 10%\n---\n",
            "mail.html:2: the front matter is not YAML; write lines such as 'subject: Hello', and put a value with a "
            "colon in it in quotes",
        ),
        ("---\n- a\n---\n", "mail.html:2: the front matter is not keys and values, such as 'subject: Hello'"),
        ("---\na: 1\nb: 2\na: 3\n---\n", "mail.html:4: 'a' stands here a second time, first on line 2"),
        (
            "---\na: b\nattachments: {{ x }}.pdf\n---\n",
            "mail.html:3: the front matter is not YAML; a value that begins with { or [ must stand in quotes",
        ),
        (
            "---\nattachments:\n- {a: b}\n---\n",
            "mail.html:2: attachments must be one text or several in a list; write lines such as 'subject: Hello', and "
            "put a value with a colon in it in quotes",
        ),
        ("---\nX-Id: 1\nX-ID: 2\n---\n", "mail.html:3: 'X-ID' stands here a second time, first on line 2"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_to_do(source: str, told: str) -> None:
    with pytest.raises(TemplateError) as caught:
        split(PATH, source)
    assert str(caught.value) == told


def test_a_character_that_yaml_forbids_is_told() -> None:
    with pytest.raises(TemplateError, match=r"mail\.html:1: the front matter is not YAML; write lines such as"):
        split(PATH, "---\nsubject: a\x01b\n---\n")
