"""DNS that is slow, dies or lies while a run asks it where mail goes: whom that costs what, and how the run ends."""

import signal
import time
from collections import Counter
from collections.abc import Iterator

import dns.rcode
import pytest

from tests.integration.scripted_dns import ScriptedDns

DOMAINS = 200

SLOW = 5.0
"""Seconds within which a run that is told to stop has ended, on a machine that has other things to do."""


def well(name: str, kind: str) -> list[str]:
    """What a nameserver that works says: all domains have one host, which is on loopback."""
    if kind == "MX":
        return ["10 mx.zz."]
    return ["127.0.0.1"] if (name, kind) == ("mx.zz", "A") else []


def mute(name: str, kind: str) -> list[str] | None:
    """It knows the root and no domain."""
    return [] if name == "." else None


@pytest.fixture
def dns_server() -> Iterator[ScriptedDns]:
    with ScriptedDns(well) as server:
        yield server


@pytest.fixture(params=["mx", "relay"])
def server(request, campaign, dns_server, start_server):
    """The mail server to which all goes, straight or as a relay; campaign.yaml and a list."""
    server = start_server()
    way = f"relay: {server.relay}" if request.param == "relay" else "delivery: mx"
    (campaign.folder / "campaign.yaml").write_text(
        f"template: hello.txt\n{way}\nmx: {{port: {server.port}, allow_private: true}}\nrate: {{default: none}}\n"
        f"dns: {{nameservers: ['127.0.0.1:{dns_server.port}'], timeout: 1s}}\npatience: 0s\nretry: {{base: 1h}}\n"
    )
    addresses = [f"p@d{number}.zz" for number in range(DOMAINS)]
    campaign.write_list([["email", "name", "number"], *([each, "P", "1"] for each in addresses)])
    server.direct = request.param == "mx"
    return server


def until_asked(dns_server: ScriptedDns, count: int) -> None:
    deadline = time.monotonic() + 30
    while len(dns_server.asked) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_look_ups_ends_the_run_at_once_and_the_next_goes_on(
    campaign, server, dns_server, number
) -> None:
    dns_server.say = mute
    run = campaign.start("send", "list.csv")
    until_asked(dns_server, 20)
    run.send_signal(number)
    told_at = time.monotonic()
    out, err = run.communicate(timeout=60)
    assert time.monotonic() - told_at < SLOW
    assert run.returncode == 130, out + err
    assert {(row["status"], row["attempts"]) for row in campaign.report()} == {("pending", "0")}

    dns_server.say = well
    ended = campaign("send", "list.csv")
    assert ended.code == 0, ended
    assert server.taken() == {row["email"]: 1 for row in campaign.report()}


def test_a_nameserver_that_dies_in_mid_run_costs_few_a_wait_and_nobody_twice(campaign, server, dns_server) -> None:
    answered: set[str] = set()

    def dying(name: str, kind: str) -> list[str] | None:
        answered.add(name)
        return well(name, kind) if len(answered) < DOMAINS // 2 else None

    dns_server.say = dying
    ended = campaign("send", "list.csv")
    states = Counter(row["status"] for row in campaign.report())
    assert ended.out.count("DNS cannot be asked") == 1, ended
    if server.direct:
        assert ended.code == 69, ended
        assert "\nreport: " in ended.out
        assert "DNS cannot be asked (DNS does not answer in time), and it alone knows where mail goes" in ended.err
        assert states["deferred"] <= DOMAINS // 4
    else:
        assert ended.code == 0, ended
        assert states == {"delivered": DOMAINS}

    dns_server.say = well
    ended = campaign("send", "list.csv")
    assert ended.code == (75 if states["deferred"] else 0), ended
    assert set(server.taken().values()) == {1}
    assert len(server.taken()) == DOMAINS - states["deferred"]


def test_a_nameserver_that_fails_for_half_of_the_domains_defers_these_and_no_other(
    campaign, server, dns_server
) -> None:
    def half(name: str, kind: str) -> list[str] | dns.rcode.Rcode:
        odd = name.startswith("d") and int(name[1:-3]) % 2
        return dns.rcode.SERVFAIL if odd else well(name, kind)

    dns_server.say = half
    ended = campaign("send", "list.csv")
    assert ended.code == 75, ended
    for number, row in enumerate(campaign.report()):
        assert row["status"] == ("deferred" if number % 2 else "delivered"), row
        if number % 2:
            assert (row["enhanced_code"], row["reason"]) == ("4.4.3", "DNS fails: SERVFAIL")
    assert set(server.taken().values()) == {1}
