"""Signatures and links of what arrives, by dkimpy; opendkim's judgement is in `tests/judges`."""

import hmac
import json
from base64 import urlsafe_b64decode
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.integration.test_dry_run import snapshot
from tests.signatures import verdicts

TEMPLATE = """---
subject: "Hello {{ name }} \N{PARTY POPPER}"
from: Zoë <ada@news.sender.example.org>
X-Note: "for {{ name }}"
---
Dear {{ name }},

{{ text }}
.
..dots
 trailing   \t
<a href="{{ unsubscribe_url }}">leave</a>



"""

CONFIG = """dkim:
- {{domain: sender.example.org, selector: r1, key: r1.pem}}
- {{domain: sender.example.org, selector: e1, key: e1.pem}}
unsubscribe: {{url: "https://sender.example.org/u?t={{{{ token }}}}&x=1", mailto: "u@sender.example.org"}}
headers: {{Feedback-ID: "a:b:c:club", List-Id: "Club <club.sender.example.org>"}}
relay: "{relay}"
"""

ROWS = [
    ["email", "name", "text"],
    ["ann@yahoo.com", "Ann", "x" * 3000],
    ["bob@yahoo.com", "Bób", "é" * 2000 + "\n.\n"],
    ["jürgen@bücher.example", "Jürgen", "中文 " * 300],
    ["eve@yahoo.com", "=?utf-8?q?x?= " * 20, " \n \n.\n..\n\t\n"],
    ["dan@yahoo.com", 'D. \\ "Q"', "From here\nFrom there  \n"],
]


@pytest.fixture
def records(campaign) -> dict[str, str]:
    """Two keys in the campaign's folder, and what DNS would say of them."""
    made = [
        campaign(
            "dkim", "new", "sender.example.org", "--selector", selector, "--output", f"{selector}.pem", "--json", *more
        )
        for selector, more in (("r1", []), ("e1", ["--ed25519"]))
    ]
    said = [json.loads(each.out) for each in made]
    return {each["name"]: each["value"] for each in said}


def arrived(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted(folder.iterdir())]


@pytest.mark.parametrize("suffix", ["txt", "html", "md"])
@pytest.mark.parametrize(
    "options", [[], ["--chunking"], ["--no-pipelining"]], ids=["pipelining", "chunking", "neither"]
)
def test_what_arrives_is_what_was_signed(campaign, start_server, records, tmp_path, suffix, options) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    server = start_server("--keep", str(kept), *options)
    (campaign.folder / f"mail.{suffix}").write_text(TEMPLATE, encoding="utf-8")
    (campaign.folder / "campaign.yaml").write_text(CONFIG.format(relay=server.relay))
    campaign.write_list(ROWS)

    ended = campaign("send", "list.csv", "-t", f"mail.{suffix}", "--name", "spring")

    assert ended.code == 0, ended.err
    messages = arrived(kept)
    assert [verdicts(content, records) for content in messages] == [[True, True]] * (len(ROWS) - 1)
    key = (campaign.state / "unsubscribe.key").read_bytes().strip()
    tokens = {}
    for content in messages:
        header = message_from_bytes(content)
        link = header["List-Unsubscribe"].split(">")[0].lstrip("<")
        said, mac = [urlsafe_b64decode(part + "==") for part in link.partition("?t=")[2].partition("&")[0].split(".")]
        assert hmac.digest(key, said, "sha256")[:16] == mac
        tokens[said.decode()] = header["To"]
    assert sorted(tokens) == sorted(f"spring\n{row['email'].casefold()}" for row in campaign.report("spring"))
    assert key.decode() not in ended.out + ended.err + "".join(map(repr, messages))


def test_what_is_sent_again_has_the_same_signature(campaign, start_server, records) -> None:
    server = start_server()
    (campaign.folder / "campaign.yaml").write_text(CONFIG.format(relay=server.relay))
    campaign.write_list([["email", "name", "number"], ["drop@yahoo.com", "D", "1"], ["moody@yahoo.com", "M", "2"]])
    command = ("send", "list.csv", "-t", "hello.txt", "--from", "ada@sender.example.org")
    assert campaign(*command, "--max-runtime", "2s").code in (3, 75)
    assert campaign(*command, "--resend-uncertain", "--max-runtime", "2s").code in (3, 75)
    digests = [entry["digest"] for entry in server.log if entry["recipient"] == "drop@yahoo.com" and "digest" in entry]
    assert len(digests) >= 2
    assert len(set(digests)) == 1


def test_a_changed_key_is_asked_about_and_a_dry_run_touches_nothing(campaign, start_server, records) -> None:
    server = start_server()
    config = CONFIG.format(relay=server.relay)
    (campaign.folder / "campaign.yaml").write_text(config)
    campaign.write_list([["email", "name", "number"], ["ann@yahoo.com", "A", "1"], ["bob@yahoo.com", "B", "2"]])
    command = ("send", "list.csv", "-t", "hello.txt", "--from", "ada@sender.example.org")
    before = snapshot(campaign.folder)
    shown = campaign(*command, "--dry-run")
    assert (shown.code, shown.out.count("dry-run-token")) == (0, 2)
    assert "the links shown here have none yet" in shown.out
    assert snapshot(campaign.folder) == before

    assert campaign(*command, "--limit", "1").code == 75
    (campaign.folder / "campaign.yaml").write_text(config.replace("selector: e1", "selector: e2"))
    ended = campaign(*command)
    assert ended.code == 65
    assert "has changed since" in ended.err
    assert campaign(*command, "--accept-changes").code == 0


def test_a_key_that_others_can_read_ends_before_anything_is_sent(campaign, start_server, records) -> None:
    server = start_server()
    (campaign.folder / "campaign.yaml").write_text(CONFIG.format(relay=server.relay))
    (campaign.folder / "e1.pem").chmod(0o644)
    campaign.write_list([["email", "name", "number"], ["ann@yahoo.com", "A", "1"]])
    ended = campaign("send", "list.csv", "-t", "hello.txt", "--from", "ada@sender.example.org")
    assert (ended.code, ended.err) == (
        78,
        "campaign: campaign.yaml:3: dkim: e1.pem: others can read it: chmod 600 "
        f"{(campaign.folder / 'e1.pem').resolve()}\n",
    )
    assert server.log == []
