"""rspamd, as Debian has it, finds nothing wrong with how the starters' messages are made."""

import csv
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator

import pytest

from campaign_cli.audience.addresses import parse_address, parse_mailbox
from campaign_cli.content.composer import Composer
from campaign_cli.content.starters import SHIPPED, STARTERS
from campaign_cli.content.template import load_template
from campaign_cli.content.unsubscribe import Unsubscribe

ABOUT_THE_SENDING_HOST = {"RDNS_NONE", "RDNS_DNSFAIL", "ONCE_RECEIVED"}
"""What rspamd holds against a host without a name in DNS: here there is neither."""

ASK_THE_NETWORK = (
    *("arc", "asn", "dkim", "dmarc", "elastic", "fuzzy_check", "greylist", "hfilter", "history_redis", "maillist"),
    *("mx_check", "neural", "phishing", "ratelimit", "rbl", "replies", "spf", "surbl", "url_redirector", "whitelist"),
)

CONFIGURATION = """
.include "$CONFDIR/common.conf"
options {
  pidfile = "$RUNDIR/rspamd.pid";
  .include "$CONFDIR/options.inc"
  .include(try=true; priority=10) "$LOCAL_CONFDIR/override.d/options.inc"
}
logging { type = "file"; filename = "$LOGDIR/rspamd.log"; level = "notice"; }
worker "normal" { bind_socket = "127.0.0.1:PORT"; count = 1; }
"""

OPTIONS = 'dns { nameserver = ["127.0.0.1:1"]; timeout = 0.05s; retransmits = 1; }\ndisable_hyperscan = true;\n'
"""No nameserver, and no patterns compiled for the next start."""


@pytest.fixture(scope="module")
def rspamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address. It listens on loopback, and asks nobody."""
    program = shutil.which("rspamd")
    if program is None:
        pytest.skip("there is no rspamd: apt-get install rspamd")
    folder = tmp_path_factory.mktemp("rspamd")
    (folder / "override.d").mkdir()
    (folder / "override.d/options.inc").write_text(OPTIONS)
    for module in ASK_THE_NETWORK:
        (folder / f"override.d/{module}.conf").write_text("enabled = false;")
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    (folder / "rspamd.conf").write_text(CONFIGURATION.replace("PORT", str(port)))
    folders = [f"--var={name}={folder}" for name in ("LOCAL_CONFDIR", "DBDIR", "LOGDIR", "RUNDIR")]
    with subprocess.Popen(
        [program, "--no-fork", "--insecure", "--config", folder / "rspamd.conf", *folders],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    ) as running:
        try:
            _wait_for(port, running)
            yield f"http://127.0.0.1:{port}/checkv2"
        finally:
            running.terminate()


def _wait_for(port: int, running: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 90
    while running.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail("rspamd does not start")


def verdict(rspamd: str, content: bytes, sender: str, recipient: str) -> tuple[float, set[str], set[str]]:
    """The score, what raises it, and all rules that hold."""
    envelope = {"From": sender, "Rcpt": recipient, "IP": "192.0.2.7", "Helo": "mail.garden.example.org", "Pass": "all"}
    with urllib.request.urlopen(urllib.request.Request(rspamd, content, envelope), timeout=30) as answer:
        said = json.load(answer)
    symbols = said["symbols"]
    return said["score"], {name for name, found in symbols.items() if found["score"] > 0}, set(symbols)


@pytest.mark.parametrize("name", STARTERS)
def test_no_rule_of_badness_holds_for_a_starter(rspamd: str, name: str) -> None:
    template = load_template(SHIPPED / name)
    assert template.sender_text
    links = Unsubscribe(name, "https://garden.example.org/u/{{ token }}", "mailto:u@garden.example.org", bytes(32))
    composer = Composer(template, parse_mailbox(template.sender_text), unsubscribe=links)
    for row in csv.DictReader((SHIPPED / name / "contacts.csv").read_text("utf-8").splitlines()):
        address = parse_address(row["email"])
        message = composer.compose(address, row, message_id="<a1@garden.example.org>", date=time.time())
        score, bad, all_rules = verdict(rspamd, message.content, composer.sender.address.email, address.email)
        assert bad - ABOUT_THE_SENDING_HOST == set()
        assert {"MIME_GOOD", "HAS_LIST_UNSUB", "FROM_EQ_ENVFROM"} <= all_rules
        assert score < 1.2


def test_rspamd_does_find_what_is_wrong(rspamd: str) -> None:
    content = b"From: a@x.example\r\nSubject: x\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n"
    bad = verdict(rspamd, content, "a@x.example", "b@y.example")[1]
    assert {"MISSING_DATE", "MISSING_MID", "MIME_HTML_ONLY"} <= bad


def test_campaign_check_asks_it_about_the_first_message(campaign, rspamd: str) -> None:
    campaign.write_list([["email", "name", "number"], ["a@yahoo.com", "A", "1"]])
    said = campaign("check", "list.csv", "-t", "hello.txt", "--rspamd", rspamd.removesuffix("/checkv2"), "--json")
    assert "rspamd says" in said.out
