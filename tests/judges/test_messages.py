"""Twenty messages and more through Postfix into Dovecot: what arrives is what was meant, part by part.

It is taken apart by Python's email package and by Dovecot's IMAP server, and its signatures are judged by opendkim and
dkimpy. What was meant stands here in its own words.
"""

import json
import os
import re
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Campaign
from tests.judges.bodystructure import Part, fetched
from tests.judges.dovecot import Dovecot
from tests.judges.opendkim import find_opendkim, new_keys
from tests.judges.postfix import Postfix
from tests.judges.server import MAILDIR
from tests.signatures import verdicts

EVERY_OCTET = bytes(range(256)) * 40
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
TABLE = "name;Größe\r\nZoë;1\r\n"
FILES = {
    "terms.pdf": EVERY_OCTET,
    "empty.bin": b"",
    "large.zip": os.urandom(3_000_000),
    "Größen  & Maße.csv": TABLE.encode(),
    "=?utf-8?q?a?=.txt": b"plain\n.\n..\n",
    "logo.png": PNG,
    "images/one more.gif": b"GIF89a",
    "bills/r1.pdf": b"%PDF of r1",
    "bills/Отчёт.pdf": "%PDF отчёт".encode(),
    'bills/a"b\\c;.pdf': b"%PDF odd",
}
TYPES = {
    ".pdf": "application/pdf",
    ".bin": "application/octet-stream",
    ".zip": "application/zip",
    ".csv": "text/csv",
} | {
    ".txt": "text/plain",
    ".png": "image/png",
    ".gif": "image/gif",
}


@dataclass
class Meant:
    """A message: what is written for it, and what is to arrive. `page` is the HTML."""

    template: str
    body: str
    row: dict[str, str]
    subject: str
    text: str
    page: str | None = None
    named: list[str] = field(default_factory=list)
    """What the template names as attachments."""
    files: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)

    def structure(self) -> Any:
        """Its types, one within the other (RFC 2046, 2387)."""
        found: Any = "text/plain"
        if self.page is not None:
            found = ("multipart/alternative", found, "text/html")
        if self.images:
            found = ("multipart/related", found, *map(kind, self.images))
        return ("multipart/mixed", found, *map(kind, self.files)) if self.files else found


def kind(file: str) -> str:
    return TYPES[Path(file).suffix]


def text(subject: str, text: str, name: str = "Ann", **more: Any) -> Meant:
    """A plain text: of a column, whose cells have no spaces around them, or of the template."""
    row = {"name": name, "text": text, "title": subject}
    body = "{{ text }}\n" if text == text.strip() else f"{text}\n"
    return Meant("txt", body, row, subject, f"{text}\n", **more)


LONG = "x" * 5000
WORDS = "to be = or not to be " * 400
DOTS = ".\n..\n...\n.hidden\n\n.\nFrom here on\n>From there\n--\n--=_\n-- \n"
WORLD = (
    "Grüße aus Köln, señor Ångström – žluťoučký kůň",
    "日本語のメール、佐藤様。一二三四五六七八九十" * 8,
    "السلام عليكم ورحمة الله، שלום עולם",
    "नमस्ते दुनिया สวัสดีชาวโลก xin chào thế giới",
    "Привет, мир! Ελληνικά. გამარჯობა. አማርኛ",
    "👩‍👩‍👧‍👦 🏳️‍🌈 e\u0301 \u202eabc\u202c \U00020000 \u200d",
)
PAGE = (
    '<h1>Hi {{ name }}</h1>\n<p>{{ text }}</p>\n<p>\n.\n..\n--\n</p>\n<a href="https://y.example/?a=1&amp;b=2">go</a>\n'
)
PAGE_TEXT = "Hi {name}\n\n{text}\n\n. .. --\n\ngo <https://y.example/?a=1&b=2>\n"


def page(name: str, text: str, written: tuple[str, str], subject: str = "A page", **more: Any) -> Meant:
    """An HTML message. `written` is name and text as HTML has them."""
    meant = PAGE.replace("{{ name }}", written[0]).replace("{{ text }}", written[1])
    row = {"name": name, "text": text, "title": subject}
    return Meant("html", PAGE, row, subject, PAGE_TEXT.format(name=name, text=text), meant, **more)


def shown(before: str, *images: str, **more: Any) -> Meant:
    """An HTML message with images; their places in `before` are as people write them."""
    return Meant("html", before, {"title": "Images"}, "Images", more.pop("text"), before, images=[*images], **more)


MARKDOWN = "# Hi {{ name }}\n\n{{ text }}\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
MARKDOWN_PAGE = (
    '<!doctype html>\n<html>\n<head><meta charset="utf-8"></head>\n<body>\n<h1>Hi %s</h1>\n<p>%s</p>\n'
    "<table>\n<thead>\n<tr>\n<th>a</th>\n<th>b</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>1</td>\n<td>2</td>\n</tr>\n"
    "</tbody>\n</table>\n</body>\n</html>\n"
)
MAILMERGE = (
    "TO: {{email}}\nSUBJECT: {{title}}\nFROM: Zoë of the Club <ada@news.sender.example.org>\nATTACHMENT: terms.pdf\n"
    'Content-Type: multipart/alternative; boundary="boundary"\n\n--boundary\nContent-Type: text/plain\n\n'
    "Text for {{name}}\n\n--boundary\nContent-Type: text/html\n\n<p>Page for {{name}}</p>\n"
)

MESSAGES = [
    text("Hello", "Nothing but ASCII."),
    *[
        text(f"{each[:30]} 🎉", each, name)
        for each, name in zip(WORLD, ("Zoë", "佐藤 愛子", "علي", "राम", "Ян", "😀"), strict=True)
    ],
    text("s" * 900, LONG, 'Bob "B." Stone, Jr.'),
    text("long words " * 60 + "end", WORDS, "=?utf-8?q?x?="),
    text("dots", DOTS, "Bcc: evil@example.org"),
    text("ünï " * 60 + "end", "\t tabs \t and spaces at ends \t\n \n\n\n", "(comment) <a@b.c>"),
    page("Ann", "plain", ("Ann", "plain")),
    page("Ann & <Bob>", "1 < 2 & é 🎉", ("Ann &amp; &lt;Bob&gt;", "1 &lt; 2 &amp; é 🎉")),
    page("Long", LONG, ("Long", LONG)),
    Meant(
        "md",
        MARKDOWN,
        {"name": "*Ann*", "text": "a **b** <i> [c](d)", "title": "Markdown"},
        "Markdown",
        "Hi *Ann*\n\na **b** <i> [c](d)\n\na  b\n1  2\n",
        MARKDOWN_PAGE % ("*Ann*", "a **b** &lt;i&gt; [c](d)"),
    ),
    text("Terms", "See the terms.", named=["terms.pdf"], files=["terms.pdf"]),
    text("Odd files", "See.", named=(odd := ["empty.bin", "Größen  & Maße.csv", "=?utf-8?q?a?=.txt"]), files=odd),
    text("Large", "See.", named=["large.zip"], files=["large.zip"]),
    *[
        page(
            name,
            name,
            (name, name),
            f"Bill {name}",
            named=["terms.pdf", "bills/{{ name }}.pdf"],
            files=["terms.pdf", f"bills/{name}.pdf"],
        )
        for name in ("r1", "Отчёт")
    ],
    text('Bill a"b', "See.", 'a"b\\c;', named=["bills/{{ name }}.pdf"], files=['bills/a"b\\c;.pdf']),
    shown('<p>a</p><img alt="Logo" src="logo.png">\n', "logo.png", text="a\n\nLogo\n"),
    shown(
        '<p>b</p><img alt="L" src="cid:logo.png"><img alt="M" src="images/one%20more.gif"><img alt=L src=logo.png>\n',
        "logo.png",
        "images/one more.gif",
        text="b\n\nLML\n",
        named=["terms.pdf", "logo.png"],
        files=["terms.pdf"],
    ),
    Meant(
        "mailmerge",
        MAILMERGE,
        {"name": "Ann", "title": "Both"},
        "Both",
        "Text for Ann\n",
        "<p>Page for Ann</p>\n",
        files=["terms.pdf"],
    ),
]


CONFIG = """relay: "smtp://127.0.0.1:{port}{query}"
rate: [default=none]
from: Zoë of the Club <ada@news.sender.example.org>
dkim:
- {{domain: sender.example.org, selector: r1, key: r1.pem}}
- {{domain: sender.example.org, selector: e1, key: e1.pem}}
"""


@dataclass
class Arrived:
    """A message as it is in the Maildir, and as Dovecot takes it apart; what the signatures are by our two judges."""

    meant: Meant
    content: bytes
    part: Part
    verdicts: list[list[Any]]


@pytest.fixture(scope="module", params=["", "?chunking=off"], ids=["chunking", "pipelining"])
def arrived(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Arrived]:
    unpacked = [os.environ.get(f"JUDGES_{name}") for name in ("POSTFIX", "DOVECOT")]
    if not all(unpacked):
        pytest.skip("there are no servers: start these tests with tests/judges/run")
    folder = tmp_path_factory.mktemp("messages")
    campaign = Campaign(folder)
    records = new_keys(campaign)
    for name, octets in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(octets)
    with Dovecot(Path(unpacked[1]), folder / "dovecot") as dovecot:
        with Postfix(Path(unpacked[0]), folder / "postfix", lmtp=dovecot.port) as postfix:
            (folder / "campaign.yaml").write_text(CONFIG.format(port=postfix.port, query=request.param), "utf-8")
            for number, meant in enumerate(MESSAGES):
                send(campaign, number, meant)
            postfix.settled_log()
        with dovecot.mailbox() as mailbox:
            parts = dict(fetched(mailbox, number) for number in mailbox.search(None, "ALL")[1][0].decode().split())
    judge = find_opendkim(records)
    stored = {}
    for file in (dovecot.root / MAILDIR).glob("[cn]*/*.*"):
        content = file.read_bytes()
        found = message_from_bytes(content, policy=policy.default)
        place = int(found["Delivered-To"].partition("+")[2].partition("@")[0])
        judged = [judge.verdicts(content), verdicts(content, records)]
        stored[place] = Arrived(MESSAGES[place], content, parts[found["Message-ID"]], judged)
    return [stored[place] for place in range(len(MESSAGES))]


def send(campaign: Campaign, number: int, meant: Meant) -> None:
    """Send it to an address that has its number in it."""
    suffix, head = meant.template, ""
    if suffix == "mailmerge":
        suffix = "txt"
    else:
        named = f"attachments: {json.dumps(meant.named)}\n" if meant.named else ""
        head = f'---\nsubject: "{{{{ title }}}}"\n{named}---\n'
    (campaign.folder / f"m{number}.{suffix}").write_text(head + meant.body, "utf-8")
    campaign.write_list([["email", *meant.row], [f"p+{number}@yahoo.com", *meant.row.values()]])
    ended = campaign("send", "list.csv", "-t", f"m{number}.{suffix}", "--yes")
    assert ended.code == 0, ended.err


def lines(content: str) -> str:
    return content.replace("\r\n", "\n")


def test_there_are_twenty_messages_and_more(arrived: list[Arrived]) -> None:
    assert len(arrived) == len(MESSAGES) >= 20


@pytest.mark.parametrize("number", range(len(MESSAGES)))
class TestMessage:
    """Each of them."""

    def test_python_reads_what_was_meant(self, arrived: list[Arrived], number: int) -> None:
        meant = arrived[number].meant
        found = message_from_bytes(arrived[number].content, policy=policy.default)
        assert isinstance(found, EmailMessage)
        assert (found["Subject"], found["To"].addresses[0].display_name) == (meant.subject, meant.row.get("name", ""))
        assert found["From"] == "Zoë of the Club <ada@news.sender.example.org>"
        assert structure(found) == meant.structure()
        body, page = found.get_body(("plain",)), found.get_body(("html",))
        assert lines(body.get_content()) == meant.text
        assert (page and content_ids(lines(page.get_content()))) == (meant.page and content_ids(meant.page))
        named = [part for part in found.walk() if part.get_content_disposition()]
        wanted = [*[("inline", image) for image in meant.images], *[("attachment", file) for file in meant.files]]
        assert [(part.get_content_disposition(), part["Content-Disposition"].params["filename"]) for part in named] == [
            (how, Path(file).name) for how, file in wanted
        ]
        assert [part.get_payload(decode=True) for part in named] == [FILES[file] for _, file in wanted]

    def test_dovecot_reads_what_was_meant(self, arrived: list[Arrived], number: int) -> None:
        meant, part = arrived[number].meant, arrived[number].part
        assert part.structure() == meant.structure()
        texts = [leaf for leaf in part.leaves() if not leaf.disposition]
        assert [leaf.parameters["charset"] for leaf in texts] == ["utf-8"] * len(texts)
        assert [content_ids(lines(leaf.content.decode())) for leaf in texts] == [
            content_ids(each) for each in (meant.text, meant.page) if each is not None
        ]
        named = [leaf for leaf in part.leaves() if leaf.disposition]
        assert [(leaf.disposition, leaf.filename, leaf.content) for leaf in named] == [
            *[("inline", Path(image).name, FILES[image]) for image in meant.images],
            *[("attachment", Path(file).name, FILES[file]) for file in meant.files],
        ]
        # The page shows each image by its Content-ID, once or more.
        shown = re.findall(r'"cid:([^"]+)"', texts[-1].content.decode())
        assert list(dict.fromkeys(shown)) == [
            leaf.content_id.strip("<>") for leaf in named if leaf.disposition == "inline"
        ]

    def test_its_signatures_are_good(self, arrived: list[Arrived], number: int) -> None:
        assert arrived[number].verdicts == [["pass", "pass"], [True, True]]


def structure(part: EmailMessage) -> Any:
    """The types, one within the other."""
    kind = part.get_content_type()
    return (kind, *[structure(inner) for inner in part.iter_parts()]) if part.is_multipart() else kind


def content_ids(page: str) -> str:
    """The page without what images are named by."""
    return re.sub(r'src=("[^"]*"|[^">]+)', 'src=""', page)
