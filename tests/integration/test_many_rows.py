import random
from collections import Counter

import pytest

ROWS = 2000

NAMES = ("Ann", "Zoë", "佐藤 愛子", "Øyvind", 'Bob "B." Stone, Jr.', "")

DOMAINS = ("gmail.com", "yahoo.com", "hotmail.com", "web.de", "example.org", "bücher.example", "пример.example")

EXPECTED = {
    "": "delivered",
    "bounce+": "bounced",
    "full+": "bounced",
    "blocked+": "bounced",
    "defer+": "delivered",
    "drop+": "uncertain",
    "reset+": "delivered",
    "busy+": "deferred",
    "moody+": "deferred",
}


LOSSES = {"drop+", "reset+"}
"""With CHUNKING these leave others uncertain, too: see test_chunking."""


def mixed_rows(chance: random.Random, failures: list[str]) -> tuple[list[list[str]], list[str], list[str]]:
    """The rows of the list, the status each must get, and the addresses to suppress."""
    rows, statuses, suppressed = [], [], []
    for number in range(ROWS):
        name = chance.choice(NAMES)
        kind = chance.random()
        if kind < 0.05:
            rows.append([chance.choice(("no address", "@x.org", "a b@x.org", "ann@", "", "ann@localhost")), name, "1"])
            statuses.append("invalid")
        elif kind < 0.10 and number > 10:
            earlier = next(row for row in reversed(rows) if "@" in row[0] and statuses[rows.index(row)] != "invalid")
            rows.append([f" {earlier[0].upper()} ", name, "1"])
            statuses.append("duplicate")
        elif kind < 0.15:
            rows.append([f"leaver{number}@{chance.choice(DOMAINS)}", name, "1"])
            statuses.append("suppressed")
            suppressed.append(rows[-1][0])
        else:
            failure = chance.choice(failures) if kind > 0.7 else ""
            rows.append([f"{failure}p{number}@{chance.choice(DOMAINS)}", name, str(number)])
            statuses.append(EXPECTED[failure])
    return rows, statuses, suppressed


@pytest.mark.parametrize(
    ("options", "failures"),
    [
        ((), list(EXPECTED)),
        (("--no-pipelining",), list(EXPECTED)),
        (("--chunking",), [failure for failure in EXPECTED if failure not in LOSSES]),
    ],
    ids=["pipelining", "one command at a time", "chunking"],
)
def test_every_row_gets_its_status_and_the_server_agrees(campaign, start_server, options, failures) -> None:
    server = start_server(*options)
    rows, statuses, suppressed = mixed_rows(random.Random(7), failures)
    campaign.write_list([["email", "name", "number"], *rows])
    (campaign.folder / "leavers.txt").write_text("\n".join(suppressed), encoding="utf-8")
    (campaign.folder / "campaign.yaml").write_text(
        f"template: hello.txt\nrelay: '{server.relay}'\npatience: 3s\nretry: {{base: 1s, factor: 60}}\n"
        "providers:\n  default: {rate: none}\nrate: [gmail=none, yahoo=none, hotmail=none, gmx=none]\n"
    )
    assert campaign("suppress", "import", "leavers.txt").out == f"{len(suppressed)} suppressed that were not before\n"

    ended = campaign("send", "list.csv")

    assert ended.code == 75, ended.err
    report = campaign.report()
    assert [int(row["line"]) for row in report] == list(range(2, ROWS + 2))
    assert [row["status"] for row in report] == statuses
    agree_with_log(report, server)


def agree_with_log(report, server) -> None:
    """Row by row: what the server logged about the row's address is what the report says of it."""
    taken = server.taken()
    assert not [address for address, count in taken.items() if count > 1]
    asked = Counter(entry["recipient"] for entry in server.log if entry["what"] == "rcpt")
    message_ids = {entry["recipient"]: entry["message_id"] for entry in server.log if entry["what"] == "taken"}
    for row in report:
        address, status = row["email"], row["status"]
        if status in ("delivered", "uncertain"):
            assert (taken[address], message_ids[address]) == (1, row["message_id"]), row
        elif status in ("bounced", "deferred"):
            assert (taken[address], asked[address]) == (0, int(row["attempts"])), row
        elif status != "duplicate":
            assert (taken[address], asked[address]) == (0, 0), row
    assert sum(taken.values()) == sum(row["status"] in ("delivered", "uncertain") for row in report)
