from email.message import EmailMessage

import pytest

from campaign_cli.content.lint import lint, measured

LEAVE = '<a href="https://club.zz/u/1">Unsubscribe</a>'


def message(html: str | None = LEAVE, *, text: str = "Hello.\n", subject: str = "News", **headers: str) -> bytes:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "ada@club.zz", "ann@yahoo.com", subject
    made["Date"], made["Message-ID"] = "Fri, 27 Nov 2026 01:00:00 +0000", "<a@club.zz>"
    given = {"List-Unsubscribe": "<https://club.zz/u/1>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    for name, value in (given | {name.replace("_", "-"): value for name, value in headers.items()}).items():
        if value:
            made[name] = value
    made.set_content(text)
    if html is not None:
        made.add_alternative(html, subtype="html")
    return made.as_bytes(policy=made.policy.clone(linesep="\r\n"))


def rules(content: bytes) -> list[str]:
    return [each.rule for each in lint(content)]


def test_nothing_is_wrong_with_a_clean_message() -> None:
    assert lint(message()) == []
    assert lint(message(None, text="Hello.\nLeave: https://club.zz/u/1\n")) == []


@pytest.mark.parametrize(
    ("html", "rule"),
    [
        ('<a href="http://club.zz">x</a>', "links.http"),
        ('<a href="">x</a>', "links.empty"),
        ('<a href="#">x</a>', "links.empty"),
        ('<a href="www.club.zz">x</a>', "links.syntax"),
        ('<a href="https:///x">x</a>', "links.syntax"),
        ('<a href="https://club.zz:x/">x</a>', "links.syntax"),
        ('<a href="https://localhost/x">x</a>', "links.local"),
        ('<a href="https://www.example.org/">x</a>', "links.local"),
        ('<img src="a.png">', "images.alt"),
        ("<!--" + "x" * 103 * 1024 + "-->", "html.clipped"),
    ],
)
def test_a_page_is_looked_at(html: str, rule: str) -> None:
    assert rules(message(LEAVE + "\n" + html)) == [rule]


def test_links_that_are_fine_are_left_alone() -> None:
    links = ["https://club.zz/a?b=c&amp;d=é", "mailto:a@club.zz", "tel:+491", "#top", "https://bücher.de/"]
    assert lint(message(LEAVE + "".join(f'<a href="{each}">x</a>' for each in links) + '<img src="x" alt="">')) == []


def test_a_finding_says_the_line() -> None:
    (found,) = lint(message(f'{LEAVE}\n\n<a href="http://club.zz">x</a>'))
    assert (found.place, found.what) == ("HTML part, line 3", "'http://club.zz'")


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (message(List_Unsubscribe="", List_Unsubscribe_Post=""), "unsubscribe.header"),
        (message("<p>x</p>"), "unsubscribe.link"),
        (message("<p>x</p>", List_Unsubscribe="", List_Unsubscribe_Post=""), "unsubscribe.missing"),
        (message(List_Unsubscribe_Post=""), "unsubscribe.one-click"),
        (message(List_Unsubscribe="<mailto:u@club.zz>"), "unsubscribe.one-click"),
        (message(DKIM_Signature="v=1; h=from:to:list-unsubscribe; b=x"), "unsubscribe.unsigned"),
        (message("<!--" + "x" * 101 * 1024 + "-->" + LEAVE), "unsubscribe.late"),
        (message(text="x" * 999 + "\n"), "text.line"),
        (message(subject="x" * 101), "subject.long"),
        (message(subject="BIG NEWS TODAY"), "subject.shouts"),
        (message(subject="News!!"), "subject.shouts"),
        (message(subject="Re: your order"), "subject.reply"),
        (message(subject="Free money inside"), "words.spam"),
        (message().replace(b"Date:", b"X-Date:"), "header.count"),
        (message().replace(b"Subject:", b"From: b@club.zz\r\nSubject:"), "header.count"),
        (message().replace(b"Subject:", b"X-Long: " + b"x" * 1000 + b"\r\nSubject:"), "message.line"),
        (message().replace(b"Hello.\r\n", b"Hello.\n"), "message.line"),
        (message(text="x" * 76 + "\n" + ("y" * 76 + "\n") * 140_000), "size.large"),
        (message(text="x" * 76 + "\n" + ("y" * 76 + "\n") * 330_000), "size.limit"),
    ],
)
def test_a_message_is_looked_at(content: bytes, rule: str) -> None:
    assert rules(content) == [rule]


def test_a_signature_that_covers_both_headers_is_enough() -> None:
    assert lint(message(DKIM_Signature="v=1; h=from:list-unsubscribe: List-Unsubscribe-Post; b=x")) == []


def test_what_its_octets_tell_is_found_without_taking_a_message_apart() -> None:
    large = message(text=("y" * 76 + "\n") * 140_000)
    assert [each.rule for each in measured(large)] == ["size.large"]
    assert list(measured(message(subject="Free money!!"))) == []
