"""A list of mixed rows, and what must become of each."""

import random
from collections import Counter
from dataclasses import dataclass

from tests.judges.server import REFUSED

NAMES = ("Ann", "Zoë", "佐藤 愛子", "Øyvind", 'Bob "B." Stone, Jr.', "")

DOMAINS = {
    "gmail.com": "gmail.com",
    "yahoo.com": "yahoo.com",
    "hotmail.com": "hotmail.com",
    "web.de": "web.de",
    "example.org": "example.org",
    "bücher.example": "xn--bcher-kva.example",
    "пример.example": "xn--e1afmkfd.example",
}
"""As a list has them, and as they go on the wire."""

INVALID = ("no address", "@x.org", "a b@x.org", "ann@", "", "ann@localhost")

STATUSES = {
    "": "delivered",
    "defer": "delivered",
    "bounce": "bounced",
    "full": "bounced",
    "early": "bounced",
    "blocked": "bounced",
    "busy": "deferred",
    "moody": "deferred",
}
"""What becomes of a recipient whose local part begins so."""


@dataclass(frozen=True)
class Row:
    """A row of the list. `email` is the address on the wire, `kind` the refusal it asks for."""

    written: str
    name: str
    number: int
    status: str
    email: str = ""
    kind: str = ""

    def result(self, accepted: tuple[str, str]) -> tuple[str, str, str]:
        """Status, code and enhanced code in the report, of a server that takes messages with `accepted`."""
        if self.status == "delivered":
            return (self.status, *accepted)
        if self.status in ("bounced", "deferred"):
            code, enhanced = REFUSED[self.kind]
            return self.status, str(code), enhanced
        return self.status, "", ""


def mixed_rows(count: int, chance: random.Random) -> list[Row]:
    """As many rows, of every status a server has a say in, and of those it has none."""
    rows: list[Row] = []
    for number in range(count):
        name, kind = chance.choice(NAMES), chance.random()
        domain = chance.choice(list(DOMAINS))
        if kind < 0.05:
            rows.append(Row(chance.choice(INVALID), name, number, "invalid"))
        elif kind < 0.10 and (earlier := [row for row in rows if row.email]):
            rows.append(Row(f" {chance.choice(earlier).written.upper()} ", name, number, "duplicate"))
        elif kind < 0.15:
            local = f"leaver{number}"
            rows.append(Row(f"{local}@{domain}", name, number, "suppressed", f"{local}@{DOMAINS[domain]}"))
        else:
            failure = chance.choice(list(REFUSED)) if kind > 0.7 else ""
            local = f"{failure}+p{number}" if failure else chance.choice((f"p{number}", f"jörg{number}"))
            email = f"{local}@{DOMAINS[domain]}"
            rows.append(Row(f"{local}@{domain}", name, number, STATUSES[failure], email, failure))
    return rows


def counted(statuses: list[str]) -> str:
    """How many of each, for the eyes of whoever runs the tests."""
    return ", ".join(f"{count} {status}" for status, count in sorted(Counter(statuses).items()))
