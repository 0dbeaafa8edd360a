import json
import time
from email import message_from_bytes, policy
from pathlib import Path

import pytest

TEMPLATE = """---
subject: s
from: Ada <ada@sender.example.org>
attachments:
- terms.pdf
- "invoices/{{ number }}.pdf"
---
Dear {{ name }}
"""


@pytest.fixture
def folder(campaign) -> Path:
    (campaign.folder / "hello.txt").write_text(TEMPLATE)
    (campaign.folder / "terms.pdf").write_bytes(b"terms")
    (campaign.folder / "invoices").mkdir()
    campaign.write_list([["email", "name", "number"], *[[f"p{n}@gmail.com", f"P{n}", str(n)] for n in range(30)]])
    return campaign.folder


def test_each_gets_what_all_have_and_their_own(campaign, folder) -> None:
    for number in range(30):
        (folder / f"invoices/{number}.pdf").write_text(f"invoice of p{number}@gmail.com")
    ended = campaign("send", "list.csv", "-t", "hello.txt", "--sandbox")
    assert ended.code == 0, ended.err
    arrived = [message_from_bytes(f.read_bytes(), policy=policy.default) for f in folder.glob("*-sandbox/*.eml")]
    assert len(arrived) == 30
    for message in arrived:
        terms, invoice = message.iter_attachments()
        assert (terms.get_filename(), terms.get_content()) == ("terms.pdf", b"terms")
        assert message["To"].addresses[0].addr_spec.encode() in invoice.get_content()


def test_every_file_that_is_missing_is_told_before_the_first_message_and_in_a_dry_run(campaign, folder) -> None:
    (folder / "terms.pdf").unlink()
    (folder / "invoices/7.pdf").write_text("x")
    asked = ["send", "list.csv", "-t", "hello.txt"]
    ended, dry = campaign(*asked, "--sandbox"), campaign(*asked, "--dry-run", "--json")
    assert (ended.code, dry.code, dry.err) == (65, 65, ended.err)
    lines = ended.err.splitlines()
    assert len(lines) == 1 + 20 + 1
    assert "hello.txt:5: attachments: there is no file 'terms.pdf' in this folder" in lines[0]
    assert "list.csv:2: hello.txt:6: attachments: there is no file 'invoices/0.pdf' in this folder" in lines[1]
    assert "list.csv:10: hello.txt:6: attachments: there is no file 'invoices/8.pdf' in this folder" in lines[8]
    assert "and 9 more" in lines[-1]
    assert not list(folder.glob("*-sandbox"))


def test_each_run_looks_for_the_files_again(campaign, folder, start_server) -> None:
    for number in range(30):
        (folder / f"invoices/{number}.pdf").write_text("x")
    server = start_server()
    asked = ["send", "list.csv", "-t", "hello.txt", "--relay", server.relay, "--yes"]
    assert campaign(*asked, "--limit", "10").code == 75
    (folder / "invoices/29.pdf").unlink()
    (folder / "invoices/29.pdf").mkdir()
    told = campaign(*asked)
    assert (told.code, told.err.count("is not a file")) == (65, 1)


def test_attachments_that_change_in_mid_campaign_are_asked_about(campaign, folder, start_server) -> None:
    for number in range(30):
        (folder / f"invoices/{number}.pdf").write_text("x")
    server = start_server()
    asked = ["send", "list.csv", "-t", "hello.txt", "--relay", server.relay]
    assert campaign(*asked, "--limit", "10").code == 75
    (folder / "terms.pdf").write_text("others")
    told = campaign(*asked)
    assert told.code == 65
    assert "or a file in it or beside it is not what it was" in told.err
    assert campaign(*asked, "--accept-changes").code == 0


def test_campaign_yaml_goes_before_the_template_and_a_column_that_is_not_there_is_told(campaign, folder) -> None:
    (folder / "campaign.yaml").write_text('attachments: ["{{ nr }}.pdf", terms.pdf]\n')
    told = campaign("send", "list.csv", "-t", "hello.txt", "--dry-run")
    assert told.code == 65
    assert "campaign.yaml:1: attachments: 'nr' is not a column of the list" in told.err
    (folder / "campaign.yaml").write_text("attachments: terms.pdf\n")
    plan = json.loads(campaign("send", "list.csv", "-t", "hello.txt", "--dry-run", "--json").out)
    assert [file["name"] for file in plan["messages"][0]["files"]] == ["terms.pdf"]
    (folder / "campaign.yaml").write_text("attachments: []\n")
    plan = json.loads(campaign("send", "list.csv", "-t", "hello.txt", "--dry-run", "--json").out)
    assert plan["messages"][0]["files"] == []


def test_what_is_composed_ahead_is_bounded_by_its_octets(campaign, folder, start_server) -> None:
    server = start_server("--delay", "0.2")
    (folder / "hello.txt").write_text(TEMPLATE.replace('- "invoices/{{ number }}.pdf"\n', ""))
    (folder / "terms.pdf").write_bytes(bytes(2_000_000))
    campaign.write_list([["email", "name"], *[[f"p{n}@{d}.com", "P"] for n in range(200) for d in ("gmail", "yahoo")]])
    asked = ["send", "list.csv", "-t", "hello.txt", "--relay", server.relay, "--rate", "yahoo=none", "--yes"]
    process = campaign.start(*asked)
    status = Path(f"/proc/{process.pid}/status")
    try:
        ends = time.monotonic() + 60
        while sum(server.taken().values()) < 40 and time.monotonic() < ends:
            highest = next(int(line.split()[1]) for line in status.read_text().splitlines() if "VmHWM" in line)
            time.sleep(0.05)
    finally:
        process.kill()
        process.communicate()
    assert sum(server.taken().values()) >= 40
    # All of them have a gigabyte. What the process has anyhow is some 70 MB.
    assert highest < 300_000
