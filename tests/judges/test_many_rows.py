import random
from collections import Counter

import pytest

from tests.judges.rows import counted, mixed_rows

ROWS = 2000

BODY = """Dear {greeted},

this is number {number}. What follows are lines that SMTP and mailboxes have a use for:
.
..
From here on there is nothing.
"""

SINGLE = ("From", "To", "Subject", "Date", "Message-ID")


@pytest.mark.parametrize("query", ["", "?chunking=off"], ids=["chunking", "pipelining"])
def test_two_thousand_rows_end_as_the_servers_log_and_mailbox_say(campaign, start_each, query) -> None:
    server = start_each()
    rows = mixed_rows(ROWS, random.Random(7))
    campaign.write_list([["email", "name", "number"], *([row.written, row.name, str(row.number)] for row in rows)])
    suppressed = [row.written for row in rows if row.status == "suppressed"]
    (campaign.folder / "leavers.txt").write_text("\n".join(suppressed), encoding="utf-8")
    (campaign.folder / "campaign.yaml").write_text(
        f"template: hello.txt\nrelay: 'smtp://127.0.0.1:{server.port}{query}'\n"
        "patience: 3s\nretry: {base: 1s, factor: 60}\n"
        "providers:\n  default: {rate: none}\nrate: [gmail=none, yahoo=none, hotmail=none, gmx=none]\n"
    )
    assert campaign("suppress", "import", "leavers.txt").out == f"{len(suppressed)} suppressed that were not before\n"

    ended = campaign("send", "list.csv")
    report = campaign.report()
    print(f"{server.version}{query}: {counted([row['status'] for row in report])}")

    assert ended.code == 75, ended.err
    assert [(int(row["line"]), row["status"], row["code"], row["enhanced_code"]) for row in report] == [
        (line, *row.result(server.accepted)) for line, row in enumerate(rows, 2)
    ]
    log = server.settled_log()
    assert log.taken == Counter(set(log.taken))
    assert log.delivered == Counter(
        (server.queue_id(row["reply"]), row["email"], row["message_id"])
        for row in report
        if row["status"] == "delivered"
    )
    assert log.refused == refusals(rows, report)
    assert stored(server) == sorted(
        (row.email, row.name, row.email, expected_subject(row), expected_body(row), report[index]["message_id"])
        for index, row in enumerate(rows)
        if row.status == "delivered"
    )


def refusals(rows, report) -> Counter[tuple[str, int, str]]:
    """How often the server must have refused whom, by what the report says of attempts."""
    refused: Counter[tuple[str, int, str]] = Counter()
    for row, result in zip(rows, report, strict=True):
        if result["status"] in ("bounced", "deferred"):
            refused[row.email, int(result["code"]), result["enhanced_code"]] += int(result["attempts"])
        elif row.kind == "defer":
            refused[row.email, 451, "4.7.1"] += int(result["attempts"]) - 1
    return refused


def expected_subject(row) -> str:
    return f"Hello {row.name or 'you'}, number {row.number}"


def expected_body(row) -> str:
    return BODY.format(greeted=row.name or "member", number=row.number)


def stored(server) -> list[tuple[str, str, str, str, str, str]]:
    """Whom each message on disk was for, and what it says to them: each header that must be single is."""
    found = []
    for message in server.stored():
        assert {name: len(message.get_all(name, [])) for name in SINGLE} == dict.fromkeys(SINGLE, 1)
        assert str(message["From"]) == "Zoë of the Club <ada@sender.example.org>"
        assert message["Date"].datetime.utcoffset() is not None
        assert message.defects == []
        (to,) = message["To"].addresses
        body = message.get_content().replace("\r\n", "\n")
        recipient = str(message[server.recipient_header])
        found.append((recipient, to.display_name, to.addr_spec, str(message["Subject"]), body, message["Message-ID"]))
    return sorted(found)
