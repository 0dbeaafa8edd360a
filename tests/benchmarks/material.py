"""What is sent: a list of contacts, and one newsletter in the forms that campaign and its peers want it in."""

from __future__ import annotations

import csv
from pathlib import Path

SENDER = "news@sender.benchmark.test"

OCTETS = 5120
"""Of a message, about; smtp-source sends exactly that many, and its header."""

PROVIDERS = {"gmail": "gmail.com", "yahoo": "yahoo.com", "hotmail": "hotmail.com", "icloud": "icloud.com"}
"""By name, with the domain that stands for it in the lists."""

COLUMNS = ("email", "first_name", "last_name", "city", "plan", "code")

FIRST_NAMES = ("Ann", "Ben", "Chloé", "Deniz", "Eva", "Farid", "Grażyna", "Hiro", "Ines", "Joan")
LAST_NAMES = ("Lee", "Stone", "Garcia", "Novak", "Haddad", "Kowalska", "Weiß")
CITIES = ("Cork", "Graz", "Köln", "Leeds", "Sevilla", "Tartu", "Utrecht", "Vigo", "Wien", "York", "Zadar")
PLANS = ("free", "basic", "family")

SUBJECT = "{{ first_name }}, what is new in {{ city }} this week"

GREETING = "Hello {{ first_name }} {{ last_name }},"
CLOSING = "You get this at {{ email }} because you have the {{ plan }} plan. Your code is {{ code }}."
PARAGRAPHS = (
    "The beds along the south wall are open again, and the first of the early beans can be had by whoever comes "
    "to pick them. Bring a basket.",
    "On Saturday we mend the fence by the stream. There are gloves and posts for twelve; there is soup for as "
    "many as come. In {{ city }} the bus leaves at nine from the square behind the station.",
    "The library of seeds has grown by forty kinds since the spring, most of them beans and some of them older "
    "than the club. Take three.",
    "The children's corner has a new gate, lower than the old one, and a sand pit that is deeper. Whoever has "
    "a spare watering can, a small one, may leave it there.",
    "In the shed there is now a list of all tools with the names of those who have them. Look for yours, and if "
    "you have had it since the winter, be so kind and bring it back.",
    "Last, a word about water: the well gives less than it did a year ago. Please water in the evening, at the "
    "root, and let the grass be brown until it rains. It comes back every year, as we do.",
)
STYLE = "margin: 0 0 1em; font: 16px/1.5 Helvetica, Arial, sans-serif; color: #222"


def html() -> str:
    """The HTML, its placeholders as Jinja has them."""
    paragraphs = "\n".join(
        f'    <h2 style="{STYLE}">Part {number}</h2>\n    <p style="{STYLE}">{_wrapped(text)}\n'
        f'    <a href="https://club.benchmark.test/{number}" style="color: #0645ad">Read on</a></p>'
        for number, text in enumerate(PARAGRAPHS, 1)
    )
    return (
        '<!doctype html>\n<html>\n<body style="margin: 0; background: #f4f4f2">\n'
        '  <div style="max-width: 36em; margin: 0 auto; padding: 2em; background: #fff">\n'
        f'    <h1 style="{STYLE}">{GREETING}</h1>\n{paragraphs}\n    <p style="{STYLE}">{_wrapped(CLOSING)}</p>\n'
        "  </div>\n</body>\n</html>\n"
    )


def text() -> str:
    """The plain text, as it may be made from the HTML."""
    parts = "\n\n".join(f"Part {number}\n\n{_wrapped(part)} Read on" for number, part in enumerate(PARAGRAPHS, 1))
    return f"{GREETING}\n\n{parts}\n\n{_wrapped(CLOSING)}\n"


def message() -> str:
    """The whole message for those who only replace its placeholders: mailmerge, and aiosmtplib's peer."""
    lines = [
        "TO: {{ email }}",
        f"SUBJECT: {SUBJECT}",
        f"FROM: News <{SENDER}>",
        "MIME-Version: 1.0",
        'Content-Type: multipart/alternative; boundary="boundary"',
        "",
        "--boundary",
        "Content-Type: text/plain; charset=utf-8",
        "",
        text(),
        "--boundary",
        "Content-Type: text/html; charset=utf-8",
        "",
        html(),
        "--boundary--",
        "",
    ]
    return "\n".join(lines)


def _wrapped(paragraph: str) -> str:
    lines, line = [], ""
    for word in paragraph.split(" "):
        if len(line) + len(word) > 90:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])


def write_templates(folder: Path) -> None:
    """`newsletter.html` for campaign; `body.html`, `body.txt` and `message.txt` for its peers."""
    front = f'---\nsubject: "{SUBJECT}"\nfrom: News <{SENDER}>\n---\n'
    (folder / "newsletter.html").write_text(front + html(), "utf-8")
    (folder / "body.html").write_text(html(), "utf-8")
    (folder / "body.txt").write_text(text(), "utf-8")
    (folder / "message.txt").write_text(message(), "utf-8")


def write_list(path: Path, rows: int, domains: tuple[str, ...] = tuple(PROVIDERS.values())) -> Path:
    """`rows` contacts, the domains in turns; the same list every time. No cell needs quotes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(
            (
                f"contact{number:07d}@{domains[number % len(domains)]}",
                FIRST_NAMES[number % len(FIRST_NAMES)],
                LAST_NAMES[number % len(LAST_NAMES)],
                CITIES[number % len(CITIES)],
                PLANS[number % len(PLANS)],
                f"{number * 7919 % 1_000_003:06d}",
            )
            for number in range(rows)
        )
    return path
