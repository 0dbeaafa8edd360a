"""`campaign check`: ten faults are ten findings, a clean campaign has none; DNS is a real nameserver's."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.nameserver import start_nsd
from tests.integration.test_dry_run import snapshot

CLEAN = """---
subject: "Club news for {{ name }}"
from: Ada <ada@club.zz>
---
<html><body><p>Dear {{ name }},</p>
<p>the <a href="https://club.zz/news">news</a> of the club.</p>
{% include "footer.html" %}
<p><a href="{{ unsubscribe_url }}">Unsubscribe</a></p></body></html>
"""

FAULTY = f"""---
subject: "Club news for {{{{ name }}}}"
from: Ada <ada@other.zz>
---
<html><body><p>Dear {{{{ nmae }}}},</p>
{{% include "foot.html" %}}
<p>the <a href="http://club.zz/news">news</a></p>
<p>{"x" * 2000}</p></body></html>
"""

CONFIG = """template: page.html
return_path: bounces@club.zz
dkim:
- {domain: club.zz, selector: s1, key: s1.pem}
"""

MAIL = "@ MX 10 mail\nmail A 192.0.2.1\n"


@pytest.fixture
def keys(campaign) -> dict[str, str]:
    """Two keys in the campaign's folder, and their records."""
    made = {}
    for name in ("s1", "s2"):
        new = campaign("dkim", "new", "club.zz", "--selector", name, "--output", f"{name}.pem", "--json")
        made[name] = json.loads(new.out)["value"]
    return made


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[object]:
    """Starts the nameserver with zones, and writes campaign.yaml."""
    running = []

    def start(config: str, zones: dict[str, str]) -> None:
        (tmp_path / "nsd").mkdir()
        process, port = start_nsd(tmp_path / "nsd", zones)
        running.append(process)
        (tmp_path / "campaign.yaml").write_text(f'{config}dns: {{nameservers: ["127.0.0.1:{port}"], timeout: 30s}}\n')

    yield start
    for process in running:
        process.kill()
        process.communicate()


def txt(name: str, record: str) -> str:
    pieces = " ".join(f'"{record[at : at + 200]}"' for at in range(0, len(record), 200))
    return f"{name} TXT {pieces}\n"


def found(ended) -> list[tuple[str, str]]:
    return [(each["id"], each["place"]) for each in json.loads(ended.out)["findings"]]


def test_ten_planted_faults_are_ten_findings_each_with_its_place(campaign, serve, keys) -> None:
    folder = campaign.folder
    (folder / "page.html").write_text(FAULTY)
    # Made by nothing that can be sent: 19 MB are 26 in Base64.
    (folder / "film.bin").write_bytes(bytes(19_000_000))
    config = CONFIG + 'attachments: [film.bin, "invoices/{{ name }}.pdf"]\n'
    (folder / "invoices").mkdir()
    (folder / "invoices/Ann.pdf").write_bytes(b"%PDF-1.4\n")
    lookups = " ".join(f"a:h{number}.club.zz" for number in range(10))
    zone = MAIL + "".join(f"h{number} A 192.0.2.{number + 1}\n" for number in range(10))
    zone += txt("@", f"v=spf1 mx {lookups} -all") + txt("s1._domainkey", keys["s2"])
    serve(config, {"club.zz": zone, "other.zz": MAIL + txt("_dmarc", "v=DMARC1; p=none")})
    campaign.write_list([["email", "name"], ["ann@yahoo.com", "Ann"], ["bob@yahoo.com", "Bob"]])

    ended = campaign("check", "list.csv", "--json")

    assert found(ended) == [
        ("template.column", "page.html:5"),
        ("template.include", "page.html:6"),
        ("attachments.missing", "list.csv:3"),
        ("size.limit", "message"),
        ("auth.alignment", "header From"),
        ("auth.dkim-mismatch", "TXT s1._domainkey.club.zz"),
        ("auth.spf-lookups", "TXT club.zz"),
        ("links.http", "HTML part, line 3"),
        ("unsubscribe.missing", "message"),
        ("text.line", "text part, line 5"),
    ]
    assert ended.code == 65


def clean(campaign, serve, keys: dict[str, str]) -> None:
    (campaign.folder / "page.html").write_text(CLEAN)
    (campaign.folder / "footer.html").write_text("<p>The club, 1 Street, Town</p>\n")
    config = CONFIG + 'unsubscribe: {url: "https://club.zz/u/{{ token }}", mailto: "u@club.zz"}\n'
    zone = MAIL + txt("@", "v=spf1 mx -all") + txt("s1._domainkey", keys["s1"]) + txt("_dmarc", "v=DMARC1; p=none")
    serve(config, {"club.zz": zone})
    campaign.write_list([["email", "name"], *[[f"p{number}@yahoo.com", f"P{number}"] for number in range(300)]])


def test_a_clean_campaign_has_no_finding_and_check_leaves_nothing_behind(campaign, serve, keys) -> None:
    clean(campaign, serve, keys)
    before = snapshot(campaign.folder)

    ended = campaign("check", "list.csv", "--strict", "--json")
    shown = campaign("check", "list.csv", "--strict")

    assert found(ended) == []
    assert (ended.code, json.loads(ended.out)["messages"]) == (0, 300)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.endswith("300 rows, 0 invalid, 0 duplicates; 300 messages looked at: 0 errors, 0 warnings\n")
    assert snapshot(campaign.folder) == before


def test_rows_of_the_same_fault_are_one_finding_with_the_first_line(campaign) -> None:
    campaign.write_list([
        ["email", "name", "number"],
        ["a@yahoo.com", "A", "1"],
        ["b@yahoo.com", "B", "http://yahoo.com"],
        ["c@yahoo.com", "C", "http://yahoo.com"],
        ["c@yahoo.com", "C", "1"],
        ["nobody", "", ""],
    ])  # fmt: skip
    shown = campaign("check", "list.csv", "-t", "hello.txt")
    said = json.loads(campaign("check", "list.csv", "-t", "hello.txt", "--json").out)

    findings = {each["id"]: each for each in said["findings"]}
    assert (findings["links.http"]["rows"], findings["links.http"]["line"]) == (2, 3)
    assert (said["rows"], said["invalid"], said["duplicates"], said["messages"]) == (5, 1, 1, 3)
    assert said["errors"] == 0
    assert "(2 rows, first line 3)" in shown.out
    assert "DNS is off" in shown.out
    assert shown.code == 0
    assert campaign("check", "list.csv", "-t", "hello.txt", "--strict").code == 65


def test_a_row_whose_message_cannot_be_made_is_an_error_with_its_line(campaign) -> None:
    (campaign.folder / "sum.txt").write_text("---\nsubject: x\nfrom: a@club.zz\n---\n{{ 10 // (number | int) }}\n")
    campaign.write_list([["email", "number"], ["a@yahoo.com", "1"], ["b@yahoo.com", "0"]])
    ended = campaign("check", "list.csv", "-t", "sum.txt", "--json")
    assert ("row.fails", "list.csv:3") in found(ended)
    assert ended.code == 65


def test_a_filter_that_is_not_there_is_said(campaign) -> None:
    campaign.write_list([["email", "name", "number"], ["a@yahoo.com", "A", "1"]])
    ended = campaign("check", "list.csv", "-t", "hello.txt", "--rspamd", "http://127.0.0.1:1", "--json")
    assert ("spam.verdict", "first message") in found(ended)


def test_a_list_on_standard_input_is_looked_at_also_where_the_template_is_wrong(campaign) -> None:
    (campaign.folder / "page.txt").write_text("---\nsubject: x\nfrom: a@gmail.com\n---\n{{ nmae }} http://club.zz\n")
    command = [sys.executable, "-m", "campaign_cli", "check", "-", "-t", "page.txt", "--json"]
    ran = subprocess.run(command, cwd=campaign.folder, input=b"email,name\na@yahoo.com,A\n", capture_output=True)
    rules = [each["id"] for each in json.loads(ran.stdout)["findings"]]
    assert rules == ["template.column", "from.free-mail", "links.http", "unsubscribe.missing", "auth.unsigned"]
