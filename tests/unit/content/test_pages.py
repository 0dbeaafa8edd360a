from html import escape

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from campaign_cli.content import pages
from campaign_cli.content.pages import Pages
from campaign_cli.content.plaintext import plaintext
from campaign_cli.content.shapes import Filled, Skeleton, filled

PAGES: list[Skeleton] = [
    ("<p>Dear ", 0, ",</p><p>you live in ", 1, ".</p>"),
    ("<h1>", 0, "</h1><p>a<br>", 1, " b</p>"),
    ('<p><a href="https://x.example/?a=', 0, '">', 1, "</a></p>"),
    ('<p><a href="https://x.example/?a=', 0, '">https://x.example/?a=', 0, "</a>", 1, "</p>"),
    ('<img alt="', 0, '" src="x"><title>', 1, "</title>"),
    ("<style>p { color: ", 0, " }</style><p>x</p><!-- ", 1, " -->"),
    ("<ul><li>", 0, "</li><li>", 1, "</li></ul><pre>", 0, "</pre>"),
    ('<p><a href="', 0, '">', 1, "</a> <a href='", 1, "'>x</a></p>"),
]
VALUE = st.text("ab &<>\"' é\n\u00a0;#x39", max_size=12) | st.sampled_from(
    ["", " ", "Ann Lee", "a  b", "&amp;", "<b>x</b>", "https://x.example/?a=1&b", "MAILTO:a@x.example", "a link"]
)


TABLE: Skeleton = ("<table><tr><td>", 0, "</td><td>b</td></tr><tr><td>c</td><td>", 1, "</td></tr></table>")


@settings(max_examples=300)
@given(st.tuples(st.sampled_from(PAGES), st.lists(st.tuples(VALUE, VALUE), min_size=1, max_size=4)))
@example((TABLE, [("Ann", "Cork"), ("A", "London"), ("Bartholomew", "x")]))
@example((PAGES[-1], [("https://x.example/a", "mailto:a@x.example"), ("https://x.example/a", "https://x.example/a")]))
def test_the_text_of_a_shape_is_that_of_the_whole_page_whatever_its_values(
    case: tuple[Skeleton, list[tuple[str, str]]],
) -> None:
    (page, rows), texts = case, Pages()
    for row in rows:
        values = [escape(value) for value in row]
        assert "".join(filled(*texts.page(Filled(page, values))[1])) == plaintext("".join(filled(page, values)))


def test_the_library_is_asked_once_for_each_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(pages, "plaintext", lambda page: asked.append(page) or plaintext(page))
    texts = Pages()
    made = ["".join(filled(*texts.page(Filled(PAGES[0], [f"Ann{number}", "Cork"]))[1])) for number in range(100)]
    assert made[99] == "Dear Ann99,\n\nyou live in Cork.\n"
    assert len(asked) <= 3
    texts.page(Filled(PAGES[0], ["Ann", ""]))
    assert len(asked) <= 6


def test_no_more_shapes_are_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "REMEMBERED", 3)
    texts = Pages()
    for number in range(20):
        texts.page(Filled((f"<p>{number} ", 0, "</p>"), ["Ann"]))
    assert len(texts._known) == 3
