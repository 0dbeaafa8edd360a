"""Signatures of what real servers took and stored, by opendkim, and by dkimpy beside it."""

import pytest

from tests.judges.opendkim import find_opendkim, new_keys
from tests.judges.server import MAILDIR
from tests.signatures import verdicts

TEMPLATE = """---
subject: "Hello {{ name }}"
from: Zoë of the Club <ada@news.sender.example.org>
---
Dear {{ name }},

{{ text }}
.
..
From here on there is nothing.
<a href="{{ unsubscribe_url }}">leave</a>


"""

CONFIG = """template: hello.{suffix}
relay: "smtp://127.0.0.1:{port}{query}"
rate: [yahoo=none]
headers: {{Feedback-ID: "a:b:c:club"}}
unsubscribe: {{url: "https://sender.example.org/{{{{ token }}}}"}}
dkim:
- {{domain: sender.example.org, selector: r1, key: r1.pem}}
- {{domain: sender.example.org, selector: e1, key: e1.pem}}
"""

ROWS = [
    ["email", "name", "text"],
    ["ann@yahoo.com", "Ann", "1"],
    ["bob@yahoo.com", 'Bób \\ "Q"', "\n.\n..\n trailing \t\n"],
    ["jürgen@yahoo.com", "Jürgen", "x" * 3000],
    ["eve@yahoo.com", "=?utf-8?q?x?= " * 20, "é" * 500],
]


@pytest.mark.parametrize("suffix", ["txt", "html", "md"])
@pytest.mark.parametrize("query", ["", "?chunking=off"], ids=["chunking", "pipelining"])
def test_what_a_real_server_stored_is_what_was_signed(campaign, start_each, suffix, query) -> None:
    records = new_keys(campaign)
    judge = find_opendkim(records)
    server = start_each()
    (campaign.folder / f"hello.{suffix}").write_text(TEMPLATE, encoding="utf-8")
    (campaign.folder / "campaign.yaml").write_text(CONFIG.format(suffix=suffix, port=server.port, query=query))
    campaign.write_list(ROWS)

    ended = campaign("send", "list.csv")

    assert ended.code == 0, ended.err
    server.settled_log()
    stored = [file.read_bytes() for file in sorted((server.root / MAILDIR / "new").iterdir())]
    assert [judge.verdicts(content) for content in stored] == [["pass", "pass"]] * (len(ROWS) - 1)
    assert [verdicts(content, records) for content in stored] == [[True, True]] * (len(ROWS) - 1)
    assert judge.verdicts(stored[0].replace(b"Subject: ", b"Subject: x")) == ["fail", "fail"]
