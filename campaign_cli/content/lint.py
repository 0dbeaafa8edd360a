"""What is wrong with a message, found in the very bytes that would be sent. Pure: nothing is asked, nothing is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

from campaign_cli.model.finding import Finding
from campaign_cli.policy.domains import is_public

LONGEST_LINE = 998
"""Octets in a line, without its end (RFC 5322 2.1.1)."""

CLIPPED = 102 * 1024
"""Octets of HTML that Gmail shows; the rest is "[Message clipped]". Measured by others; Google says no figure."""

EARLY = 100 * 1024
"""Octets of HTML in which the link to unsubscribe is to be seen."""

HEAVY = 1_000_000
"""Octets of an image: a phone takes seconds to load more."""

LARGE = 10_000_000
"""Octets of a message that many companies' servers still take."""

LIMIT = 25_000_000
"""Octets of a message that Yahoo takes, as is told of it: the least of the large providers."""

LONG_SUBJECT = 100
"""Characters; inboxes show half of them."""

SHOUT = 8
"""Letters of a subject from which on capitals throughout are no abbreviation."""

ONCE = ("From", "To", "Subject", "Date", "Message-ID")
AT_MOST_ONCE = ("Sender", "Reply-To", "Cc", "In-Reply-To", "References", "List-Unsubscribe", "List-Unsubscribe-Post")
"""Fields that a message has once, or at most once (RFC 5322 3.6, RFC 2369 3.4)."""

_LEAVES = re.compile(
    r"unsub|opt.?out|abmeld|abbestell|d[ée]sabonn|d[ée]sinscri|cancel.*subscription|darse.de.baja|disiscri|"
    r"uitschrij|afmeld|odhl[aá]s|wypisz|avregistr|afmeld|preferences",
    re.IGNORECASE,
)
_LONG = re.compile(rb"[^\n]{999,}\n?")
_REPLY = re.compile(r"\s*(re|fwd?|aw|wg)\s*:", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s<>\"')\]]+")


class _Page(HTMLParser):
    """The links and images of a page, each with its line; where a link begins, in characters."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[tuple[int, str, int]] = []
        self.images: list[tuple[int, dict[str, str | None]]] = []
        self.leaves: list[int] = []
        self._starts = [0]
        for line in html.split("\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._open: int | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a link or an image."""
        line, column = self.getpos()
        given = dict(attrs)
        if tag == "a" and "href" in given:
            at = self._starts[line - 1] + column
            href = (given["href"] or "").strip()
            self.links.append((line, href, at))
            self._open = at
            if _LEAVES.search(href):
                self.leaves.append(at)
        elif tag == "img":
            self.images.append((line, given))

    def handle_endtag(self, tag: str) -> None:
        """Note that a link ends."""
        if tag == "a":
            self._open = None

    def handle_data(self, data: str) -> None:
        """Look whether a link's words say that it unsubscribes."""
        if self._open is not None and _LEAVES.search(data):
            self.leaves.append(self._open)


def lint(content: bytes) -> list[Finding]:
    """All that is wrong with the message `content`; each finding's place is a part of it."""
    message = message_from_bytes(content, policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    plain, rich = message.get_body(("plain",)), message.get_body(("html",))
    text = plain.get_content().replace("\r\n", "\n") if plain else ""
    html = rich.get_content().replace("\r\n", "\n") if rich else None
    page = _Page(html) if html is not None else None
    return [
        *measured(content),
        *_header(message),
        *_subject(str(message["Subject"] or "")),
        *_text(text, has_plain=plain is not None),
        *(_linked(text) if page is None else _paged(page, html or "")),
        *_unsubscribing(message, text, page, html),
        *_images(message),
        *_words(f"{message['Subject']}\n{text}"),
    ]


def measured(content: bytes) -> Iterator[Finding]:
    """What is wrong with the octets of the message `content`, whatever they say."""
    if len(content) > LIMIT:
        yield Finding("size.limit", "message", f"it has {len(content):,} octets")
    elif len(content) > LARGE:
        yield Finding("size.large", "message", f"it has {len(content):,} octets")
    if content.count(b"\n") != content.count(b"\r\n") or content.count(b"\r") != content.count(b"\r\n"):
        yield Finding("message.line", "message", "a line ends in a bare CR or LF")
    if (found := _LONG.search(content)) and len(found[0].rstrip(b"\r\n")) > LONGEST_LINE:
        line = content.count(b"\n", 0, found.start()) + 1
        yield Finding("message.line", f"message, line {line}", f"it has {len(found[0].rstrip()):,} octets")


def _header(message: EmailMessage) -> Iterator[Finding]:
    for name in (*ONCE, *AT_MOST_ONCE):
        count = len(message.get_all(name, []))
        if count > 1 or (count == 0 and name in ONCE):
            yield Finding("header.count", f"header {name}", f"it is there {count} times")


def _subject(subject: str) -> Iterator[Finding]:
    letters = [each for each in subject if each.isalpha()]
    if len(subject) > LONG_SUBJECT:
        yield Finding("subject.long", "header Subject", f"it has {len(subject)} characters")
    if len(letters) >= SHOUT and all(each.isupper() for each in letters):
        yield Finding("subject.shouts", "header Subject", "it is all capitals")
    elif subject.count("!") > 1:
        yield Finding("subject.shouts", "header Subject", f"it has {subject.count('!')} exclamation marks")
    if _REPLY.match(subject):
        yield Finding("subject.reply", "header Subject", f"it begins with {subject.split(':')[0]}:")


def _text(text: str, *, has_plain: bool) -> Iterator[Finding]:
    if not has_plain:
        yield Finding("text.missing", "message", "it has HTML only")
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > LONGEST_LINE:
            yield Finding("text.line", f"text part, line {number}", f"it has {len(line):,} characters")


def _linked(text: str) -> Iterator[Finding]:
    for number, line in enumerate(text.split("\n"), 1):
        for url in _URL.findall(line):
            yield from _link(url, "text part", number)


def _paged(page: _Page, html: str) -> Iterator[Finding]:
    if (size := len(html.encode())) > CLIPPED:
        yield Finding("html.clipped", "HTML part", f"it has {size:,} octets")
    for line, href, _ in page.links:
        yield from _link(href, "HTML part", line)
    for line, given in page.images:
        if "alt" not in given:
            source = (given.get("src") or "")[:60]
            yield Finding("images.alt", f"HTML part, line {line}", f"the image {source!r} has no alt")


def _link(href: str, part: str, line: int) -> Iterator[Finding]:
    place = f"{part}, line {line}"
    shown = href[:80]
    if href in ("", "#"):
        yield Finding("links.empty", place, f"it is {href!r}")
        return
    try:
        url = urlsplit(href)
        host = (url.hostname or "").lower()
        _ = url.port
    except ValueError as error:
        yield Finding("links.syntax", place, f"{shown!r}: {error}")
        return
    if url.scheme not in ("http", "https"):
        if not url.scheme and not href.startswith("#"):
            yield Finding("links.syntax", place, f"{shown!r} has no https:// before it")
        return
    if not host or " " in href:
        yield Finding("links.syntax", place, f"{shown!r} has no host, or a space in it")
    elif url.scheme == "http":
        yield Finding("links.http", place, f"{shown!r}")
    elif not is_public(host.encode("idna").decode() if not host.isascii() else host):
        yield Finding("links.local", place, f"{shown!r}")


def _unsubscribing(message: EmailMessage, text: str, page: _Page | None, html: str | None) -> Iterator[Finding]:
    header = str(message["List-Unsubscribe"] or "")
    links = [url for url in re.findall(r"<([^>]+)>", header.replace(" ", "")) if url.startswith("https:")]
    leaves = list(page.leaves) if page else []
    if page:
        leaves += [at for _, href, at in page.links if href in links]
    elif _LEAVES.search(text) or any(url in text for url in links):
        leaves = [0]
    if not header and not leaves:
        yield Finding("unsubscribe.missing", "message", "it has neither List-Unsubscribe nor a link")
        return
    if not leaves:
        yield Finding("unsubscribe.link", "HTML part" if page else "text part", "no link unsubscribes")
    elif html is not None and len(html[: min(leaves)].encode()) > EARLY:
        yield Finding("unsubscribe.late", "HTML part", f"it begins after {len(html[: min(leaves)].encode()):,} octets")
    if not header:
        yield Finding("unsubscribe.header", "header", "mailboxes show no button to leave")
        return
    if not links or str(message["List-Unsubscribe-Post"] or "").strip() != "List-Unsubscribe=One-Click":
        what = "has no https link" if not links else "comes without List-Unsubscribe-Post"
        yield Finding("unsubscribe.one-click", "header List-Unsubscribe", f"it {what}")
    signed = [re.search(r"\bh=([^;]*)", str(each)) for each in message.get_all("DKIM-Signature", [])]
    names = {name.strip().lower() for found in signed if found for name in found[1].split(":")}
    if signed and not {"list-unsubscribe", "list-unsubscribe-post"} <= names:
        yield Finding("unsubscribe.unsigned", "header DKIM-Signature", "its h= does not name both")


def _images(message: EmailMessage) -> Iterator[Finding]:
    for part in message.walk():
        if part.get_content_maintype() == "image":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes) and len(payload) > HEAVY:
                yield Finding("images.heavy", part.get_filename() or "image", f"it has {len(payload):,} octets")


@cache
def _spam_words() -> re.Pattern[str]:
    lines = Path(__file__).with_name("spam-words.txt").read_text("utf-8").splitlines()
    phrases = [re.escape(line) for line in lines if line and not line.startswith("#")]
    return re.compile(rf"(?<!\w)(?:{'|'.join(phrases)})(?!\w)", re.IGNORECASE)


def _words(text: str) -> Iterator[Finding]:
    for phrase in sorted({found.lower() for found in _spam_words().findall(text)}):
        yield Finding("words.spam", "subject or text", f"{phrase!r}")
