from pathlib import Path

import pytest

from campaign_cli.content.composer import Composer
from campaign_cli.content.frontmatter import Entry, Split
from campaign_cli.content.mailmerge import Body, Mailmerge, taken_apart
from campaign_cli.content.manuscript import Kind, one_file
from campaign_cli.content.template import Template
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.errors import ComposeError, TemplateError

PATH = Path("mailmerge_template.txt")
HEAD = "TO: {{email}}\nSUBJECT: Hi {{name}}\nFROM: Me <me@y.example>\n"
BOTH = f"""{HEAD}Content-Type: multipart/alternative; boundary="b d"

old

--b d
Content-Type: text/plain

Hi, {{{{nam}}}},

--b d
Content-Type: text/html; charset=us-ascii

<p>{{{{number}}}}</p>
--b d--
after
"""


def test_the_header_block_says_what_front_matter_and_a_name_would() -> None:
    source = (
        f"{HEAD}BCC: a@b.c\nReply-To: R <r@y.example>\nlist-id:\n <x>\n y\n"
        "ATTACHMENT: a.pdf\nattachment: {{b}}.pdf\n"
        "MIME-VERSION: 1.0\nContent-Type: TEXT/HTML; charset=x\n\n\n<p>\n"
    )
    assert taken_apart(PATH, source) == Mailmerge(
        Split(
            (
                Entry("subject", "Hi {{name}}", 2),
                Entry("from", "Me <me@y.example>", 3),
                Entry("reply_to", "R <r@y.example>", 5),
                Entry("List-Id", "<x> y", 6),
                Entry("attachments", "", 9, (("a.pdf", 9), ("{{b}}.pdf", 10))),
            ),
            "\n<p>\n",
            14,
        ),
        ".html",
        None,
        (f"{PATH}:4: BCC is left out: everybody gets a message of their own, and nobody a copy",),
    )


def test_html_with_a_text_beside_it_is_both_on_their_own_lines() -> None:
    found = taken_apart(PATH, BOTH)
    assert found
    assert (found.parts.body, found.parts.body_line, found.suffix) == ("<p>{{number}}</p>", 16, ".html")
    assert found.text == Body("Hi, {{nam}},\n", 11)


@pytest.mark.parametrize(
    "source",
    [
        "Hello\n",
        "",
        "To: all members\nDate: now\n\nHello\n",
        "TO: {{email}}\nFrom me: \nHello\n",
        f"---\nsubject: s\n---\n{HEAD}\n\nHello\n",
        f"\n{HEAD}\n",
        f"<p>\n{HEAD}\n",
    ],
)
def test_any_other_file_is_no_such_template(source: str) -> None:
    assert taken_apart(PATH, source) is None


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (HEAD.replace("{{email}}", "all@y.example"), "1: TO: everybody gets a message of their own: write {{email}}"),
        (HEAD.replace("{{email}}", "{{email}}, b@y.example"), "1: TO: everybody gets"),
        (f"{HEAD}SUBJECT: x\n", "4: 'SUBJECT' stands here a second time, first on line 2"),
        (
            f"{HEAD}Content-Type: image/png\n\n",
            " Content-Type: image/png: there are text/plain, text/html, text/markdown",
        ),
        (
            f"{HEAD}Content-Type: multipart/mixed; boundary=x\n\n",
            " Content-Type: multipart/mixed; boundary=x: there are",
        ),
        (f"{HEAD}Content-Type: multipart/alternative\n\n", " Content-Type: multipart/alternative: there are"),
        (
            BOTH.replace("text/plain", "text/plain\nContent-Transfer-Encoding: base64"),
            "9: write the part as it is, without Content-Transfer-Encoding",
        ),
    ],
)
def test_what_would_not_be_sent_as_it_is_meant_is_told(source: str, told: str) -> None:
    with pytest.raises(TemplateError) as caught:
        taken_apart(PATH, source)
    assert str(caught.value).startswith(f"{PATH}:{told}")


@pytest.mark.parametrize("to", ["{{email}}", "{{ Email }}", "{{name}} <{{email}}>", '"Me" < {{email}} >'])
def test_to_may_have_a_name_beside_the_lists_address(to: str) -> None:
    assert taken_apart(PATH, HEAD.replace("{{email}}", to))


def test_errors_name_the_lines_of_the_file() -> None:
    template = Template(one_file(PATH, BOTH), None, None)
    assert template.kind is Kind.HTML
    with pytest.raises(TemplateError, match=r"^mailmerge_template\.txt:11: 'nam' is not a column"):
        template.check({"email", "name", "number"})
    with pytest.raises(ComposeError, match=r"^mailmerge_template\.txt:11: 'nam' is undefined"):
        template.render({"name": "x", "number": "1"})
    with pytest.raises(ComposeError, match=r"^mailmerge_template\.txt:16: 'number' is undefined"):
        template.render({"name": "x"})
    with pytest.raises(TemplateError, match=r"^mailmerge_template\.txt:11: "):
        Template(one_file(PATH, BOTH.replace("{{nam}}", "{% if %}")), None, None)


def test_the_text_beside_html_is_part_of_the_digest() -> None:
    def digest(source: str) -> str:
        return Composer(Template(one_file(PATH, source), None, None), Mailbox("", Address("a", "y.example"))).digest

    assert digest(BOTH) == digest(BOTH)
    assert len({digest(BOTH), digest(BOTH.replace("Hi,", "Ho,")), digest(BOTH.replace("<p>", "<b>"))}) == 3
