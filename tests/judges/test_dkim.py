"""Signatures of what real servers took and stored, by opendkim, and by dkimpy beside it."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

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


class Opendkim:
    """opendkim in its root folder, as Debian has it."""

    def __init__(self, root: Path, records: dict[str, str]) -> None:
        self._root = root
        lines = "".join(f"{name} {value}\n" for name, value in records.items())
        (root / "records").write_text(lines)
        (root / "opendkim.conf").write_text("Mode v\nTestDNSData file:/records\nOn-BadSignature accept\nSyslog no\n")

    def verdicts(self, content: bytes) -> list[str]:
        """What it says of each signature: `pass`, or something else."""
        (self._root / "message").write_bytes(content)
        command = ["chroot", self._root, "/usr/sbin/opendkim", "-x", "/opendkim.conf", "-v", "-v", "-t", "/message"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return re.findall(r"\bdkim=(\w+)", said.stdout + said.stderr)


@pytest.fixture
def records(campaign) -> dict[str, str]:
    """Two keys in the campaign's folder, and what DNS would say of them."""
    new = ("dkim", "new", "sender.example.org", "--json")
    said = [
        json.loads(campaign(*new, "--selector", "r1", "--output", "r1.pem").out),
        json.loads(campaign(*new, "--selector", "e1", "--output", "e1.pem", "--ed25519").out),
    ]
    return {each["name"]: each["value"] for each in said}


@pytest.mark.parametrize("suffix", ["txt", "html", "md"])
@pytest.mark.parametrize("query", ["", "?chunking=off"], ids=["chunking", "pipelining"])
def test_what_a_real_server_stored_is_what_was_signed(campaign, start_each, records, suffix, query) -> None:
    unpacked = os.environ.get("JUDGES_OPENDKIM")
    if not unpacked:
        pytest.skip("there is no opendkim: start these tests with tests/judges/run")
    judge = Opendkim(Path(unpacked), records)
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
