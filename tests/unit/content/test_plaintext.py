from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.content.plaintext import plaintext

URL = "https://x.example/?a=1&section=2&copy=3"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (f'<p>See <a href="{escape(URL)}">our offer</a>.</p>', f"See our offer <{URL}>.\n"),
        (f'<p><a href=" {escape(URL)} ">our offer</a></p>', f"our offer <{URL}>\n"),
        (f'<a href="{escape(URL)}">our <b>best</b> offer</a> today', f"our best offer <{URL}> today\n"),
        (f'<a href="{escape(URL)}"><b>offer</b></a>', f"offer <{URL}>\n"),
        (f'<a href="{escape(URL)}"><!-- x -->offer</a>', f"offer <{URL}>\n"),
        (f'<a href="{escape(URL)}"><img src="b.png" alt="Buy now"></a>', f"Buy now <{URL}>\n"),
        (f'<a href="{escape(URL)}"></a>', f"<{URL}>\n"),
        ('<a href="mailto:ann@x.example">write</a>', "write <mailto:ann@x.example>\n"),
        ('<a href="HTTPS://x.example">shout</a>', "shout <HTTPS://x.example>\n"),
    ],
)
def test_a_link_is_its_text_and_its_address(source: str, text: str) -> None:
    assert plaintext(source) == text


@pytest.mark.parametrize("inner", [escape(URL), f"<b>{escape(URL)}</b>"])
def test_a_link_whose_text_is_its_address_is_not_doubled(inner: str) -> None:
    assert plaintext(f'<a href="{escape(URL)}">{inner}</a>') == f"{URL}\n"


@pytest.mark.parametrize("target", ["#top", "", "javascript:x()", "cid:1"])
def test_a_target_that_is_nothing_outside_of_the_page_is_left_out(target: str) -> None:
    assert plaintext(f'<a href="{target}">here</a><a name="top">!</a>') == "here!\n"


def test_a_picture_is_its_alternative_text() -> None:
    assert plaintext('<p>a <img alt=" logo " src="x"> b<img src="y">c</p>') == "a logo bc\n"


def test_what_no_reader_sees_is_left_out() -> None:
    source = (
        "<html><head><title>T</title><style>p { color: red }</style></head>"
        "<body><script>alert(1)</script><style>b {}</style><!-- no --><p>Hello</p></body></html>"
    )
    assert plaintext(source) == "Hello\n"


def test_blocks_lists_and_breaks_are_laid_out() -> None:
    source = "<h1>Title</h1><p>one<br>two</p><ul><li>a</li><li>b</li></ul><p>end</p>"
    assert plaintext(source) == "Title\n\none\ntwo\n\n  * a\n  * b\n\nend\n"


def test_characters_are_unescaped_once() -> None:
    assert plaintext("<p>&amp;lt; &lt;b&gt; &eacute; 漢</p>") == "&lt; <b> é 漢\n"


@pytest.mark.parametrize("source", ["", " \n", "<!-- only this -->", "<!doctype html>"])
def test_a_page_without_content_has_no_text(source: str) -> None:
    assert plaintext(source) == ""


def test_an_xhtml_page_that_names_its_encoding_is_read_as_the_text_it_is() -> None:
    source = '<?xml version="1.0" encoding="iso-8859-1"?>\n<html><head><meta charset="latin1"/></head><p>é</p></html>'
    assert plaintext(source) == "é\n"


@given(
    st.lists(
        st.sampled_from(
            ["<p>", "</p>", "<div>", "<td>", "<a href='http://x'>", "</a>", "<br>", "<img alt='b'>", "<!--"]
        )
        | st.text(max_size=5),
        max_size=30,
    ).map("".join)
)
def test_any_page_gives_lines_without_white_space_at_their_ends(source: str) -> None:
    text = plaintext(source)
    assert [line.rstrip() for line in text.split("\n")] == text.split("\n")
    assert "\n\n\n" not in text


@pytest.mark.parametrize("label", ["Buy", '<img src="b.png" alt="Buy">'])
def test_a_button_is_a_paragraph_whatever_stands_around_it(label: str) -> None:
    button = f'<table role="presentation"><tr><td><a href="{escape(URL)}">{label}</a></td></tr></table>'
    assert plaintext(f'one{button}<img src="x.png" alt="two">') == f"one\n\nBuy <{URL}>\n\ntwo\n"
    row = '<table role="presentation"><tr><td>Beans: <a href="#">3</a></td></tr></table>'
    assert plaintext(f"one{row}{row}two") == "one\nBeans: 3\nBeans: 3\ntwo\n"
