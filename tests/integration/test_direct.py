"""Delivery straight to the hosts that a real nameserver names: their order, who stands in for whom, who bounces."""

import json
import socket
import socketserver
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.in_thread import InThread
from tests.integration.nameserver import start_nsd

SERVERS = {"mx1": "127.0.0.2", "mx2": "127.0.0.3"}
ZONE = """
mx1 A 127.0.0.2
mx2 A 127.0.0.3
grumpy A 127.0.0.4
dead A 127.0.0.9
first MX 10 mx1
first MX 20 mx2
backup MX 10 dead
backup MX 20 mx2
refused MX 10 grumpy
refused MX 20 mx1
equal MX 10 mx1
equal MX 10 mx2
implicit A 127.0.0.3
null MX 0 .
down MX 10 dead
down MX 20 nowhere
"""
EACH = range(40)
DELIVERED = {
    "first": {"mx1.zz"},
    "backup": {"mx2.zz"},
    "refused": {"mx1.zz"},
    "equal": {"mx1.zz", "mx2.zz"},
    "implicit": {"implicit.zz"},
}
HOSTS = {"mx1.zz": "mx1", "mx2.zz": "mx2", "implicit.zz": "mx2"}


class Grumpy(socketserver.BaseRequestHandler):
    """Says 554 to everybody: no SMTP service here (RFC 5321 3.1)."""

    def handle(self) -> None:
        self.request.sendall(b"554 not here\r\n")


class Refusing(InThread, socketserver.ThreadingTCPServer):
    """The server that does so."""


@pytest.fixture
def port() -> int:
    """One that is free on every loopback address."""
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        return listener.getsockname()[1]


def start(log: Path, address: str, port: int, *options: str) -> subprocess.Popen[str]:
    """A server that is up, and adds to `log`."""
    script = Path(__file__).parent / "smtp_server.py"
    command = [sys.executable, str(script), "--log", str(log), "--host", address, "--port", str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    return process


@pytest.fixture
def logs(tmp_path: Path, port: int) -> Iterator[dict[str, Path]]:
    """The logs of the servers, which are up."""
    running, logs = [], {}
    grumpy = Refusing(("127.0.0.4", port), Grumpy)
    grumpy.start()
    for name, address in SERVERS.items():
        logs[name] = tmp_path / f"{name}.log"
        running.append(start(logs[name], address, port))
    yield logs
    for process in running:
        process.terminate()
        process.communicate()
    grumpy.stop()


@pytest.fixture
def nameserver(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "nsd").mkdir()
    process, port = start_nsd(tmp_path / "nsd", {"zz": ZONE})
    yield port
    process.terminate()
    process.communicate()


def configure(campaign, nameserver: int, mx: str, more: str = "") -> None:
    (campaign.folder / "campaign.yaml").write_text(
        f"delivery: mx\nmx: {mx}\ndns: {{nameservers: ['127.0.0.1:{nameserver}']}}\npatience: 0s\n"
        f"rate: {{default: none}}\n{more}"
    )


def until(reached: Callable[[], bool]) -> None:
    """Wait for it."""
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def taken(log: Path) -> Counter[str]:
    """Whose mail a server took, how often each. The last line may be half written."""
    entries = map(json.loads, log.read_text().rpartition("\n")[0].splitlines())
    return Counter(entry["recipient"] for entry in entries if entry["what"] == "taken")


@pytest.mark.parametrize("connections", [1, 5])
def test_each_domains_mail_goes_to_the_first_of_its_own_hosts_that_takes_it_and_nobodys_twice(
    campaign, logs, nameserver, port, connections
) -> None:
    domains = [*DELIVERED, "null", "down", "gone"]
    addresses = [f"p{number}@{domain}.zz" for number in EACH for domain in domains]
    campaign.write_list(
        [["email", "name", "number"], *([each, "P", "1"] for each in [*addresses, "bounce+1@first.zz"])]
    )
    # One lane for domains that have hosts of their own each.
    domains_of_one = "[first.zz, backup.zz, refused.zz, down.zz, null.zz]"
    acme = f"{{domains: {domains_of_one}, connections: {connections}, rate: none}}"
    configure(campaign, nameserver, f"{{port: {port}, allow_private: true}}", f"providers: {{acme: {acme}}}\n")

    ended = campaign("send", "list.csv", "-t", "hello.txt")

    assert ended.code == 75, ended.err
    rows = campaign.report()
    assert len(rows) == len(addresses) + 1
    expected: dict[str, Counter[str]] = {name: Counter() for name in SERVERS}
    for row in rows:
        local, domain = row["email"].removesuffix(".zz").split("@")
        if domain in DELIVERED and local != "bounce+1":
            assert (row["status"], row["attempts"], row["tls"]) == ("delivered", "1", "none"), row
            assert row["route"] in DELIVERED[domain]
            expected[HOSTS[row["route"]]][row["email"]] += 1
    assert {name: taken(log) for name, log in logs.items()} == expected
    assert {row["route"] for row in rows if row["email"].endswith("@equal.zz")} <= DELIVERED["equal"]
    others = {
        (row["email"].partition("@")[2], row["status"], row["attempts"], row["enhanced_code"])
        for row in rows
        if row["status"] != "delivered"
    }
    assert others == {
        ("first.zz", "bounced", "1", "5.1.1"),
        ("null.zz", "bounced", "0", "5.1.10"),
        ("gone.zz", "bounced", "0", "5.1.2"),
        ("down.zz", "deferred", "1", "4.4.1"),
    }


SOON_ASKED_AGAIN = "import campaign_cli.engine.exchanges as e; e.LEFT_ALONE = 1.0; import campaign_cli.__main__"
"""The command, with a second for the minute for which an address that failed is left alone."""


def test_a_first_host_that_is_killed_and_comes_back_costs_nobody_an_attempt_and_nobody_gets_it_twice(
    campaign, nameserver, port, tmp_path
) -> None:
    rows, connections, slow = 900, 4, ("--delay", "0.01")
    log = tmp_path / "both.log"
    addresses = [f"p{number}@first.zz" for number in range(rows)]
    campaign.write_list([["email", "name", "number"], *([each, "P", "1"] for each in addresses)])
    acme = f"{{domains: [first.zz], connections: {connections}, messages_per_connection: 20, rate: none}}"
    configure(campaign, nameserver, f"{{port: {port}, allow_private: true}}", f"providers: {{acme: {acme}}}\n")
    first, second = (start(log, address, port, *slow) for address in SERVERS.values())

    run = campaign.start("send", "list.csv", "-t", "hello.txt", "--yes", by=("-c", SOON_ASKED_AGAIN))
    until(lambda: taken(log).total() > 100)
    first.kill()
    first.communicate()
    until(lambda: taken(log).total() > 300)
    first = start(log, SERVERS["mx1"], port, *slow)
    out, err = run.communicate(timeout=60)
    for server in (first, second):
        server.terminate()
        server.communicate()

    report = campaign.report()
    states = Counter(row["status"] for row in report)
    assert states["delivered"] + states["uncertain"] == rows, out + err
    # With PIPELINING two are in flight on each connection.
    assert states["uncertain"] <= 2 * connections
    assert {row["attempts"] for row in report} == {"1"}
    assert set(taken(log).values()) == {1}
    assert taken(log).keys() >= {row["email"] for row in report if row["status"] == "delivered"}
    way = [row["route"] for row in sorted(report, key=lambda row: row["last_attempt_at"])]
    assert (way[0], way[-1]) == ("mx1.zz", "mx1.zz")
    assert 50 < Counter(way)["mx2.zz"] < 700, Counter(way)


def test_an_address_that_is_not_public_is_connected_to_only_where_that_is_allowed(
    campaign, logs, nameserver, port
) -> None:
    campaign.write_list([["email", "name", "number"], ["p@first.zz", "P", "1"]])
    configure(campaign, nameserver, f"{{port: {port}}}")

    ended = campaign("send", "list.csv", "-t", "hello.txt")

    assert ended.code == 75, ended.err
    (row,) = campaign.report()
    assert (row["status"], row["enhanced_code"]) == ("deferred", "4.4.1")
    assert "mx2.zz has the address 127.0.0.3, which is not public" in row["reason"]
    assert [log.read_text() for log in logs.values()] == ["", ""]


def test_a_dry_run_says_that_it_goes_direct_and_what_that_needs(campaign) -> None:
    campaign.write_list([["email", "name", "number"], ["p@first.zz", "P", "1"]])
    ended = campaign("send", "list.csv", "-t", "hello.txt", "--delivery", "mx", "--dry-run")
    assert ended.code == 0, ended.err
    assert ended.out.count("delivery: mx") == 1
    assert "PTR" in ended.out


def test_a_test_message_goes_straight_too_or_says_why_it_cannot(campaign, logs, nameserver, port) -> None:
    campaign.write_list([["email", "name", "number"], ["p@first.zz", "P", "1"]])
    configure(campaign, nameserver, f"{{port: {port}, allow_private: true}}")

    def tried(address: str):
        return campaign("send", "list.csv", "-t", "hello.txt", "--to", address)

    ended = tried("me@backup.zz")
    assert ended.code == 0, ended.err
    assert "mx2.zz said: 250" in ended.out
    assert taken(logs["mx2"]) == {"me@backup.zz": 1}
    assert "null.zz cannot be sent to: the domain takes no mail (null MX)" in tried("me@null.zz").err
    assert "down.zz cannot be sent to: " in tried("me@down.zz").err
