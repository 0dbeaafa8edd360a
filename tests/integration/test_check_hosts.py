"""What `campaign check` asks of relays and of DNS about the hosts that send: real servers, on loopback."""

import json

import pytest

from tests.integration.test_check import MAIL, found, serve, txt  # noqa: F401

ROWS = [["email", "name", "number"], ["ann@yahoo.com", "Ann", "1"], ["bob@yahoo.com", "Bob", "2"]]

PLAIN = "---\nsubject: Hello\nfrom: Ada <ada@club.zz>\n---\nHello\n"

DIRECT = """template: plain.txt
delivery: mx
mx: {source_address: 127.0.0.7, ehlo_name: out.club.zz}
dnsbl: bl.zz
"""

HOSTS = ("size.", "relay.", "dns.", "auth.spf-address")


@pytest.fixture(autouse=True)
def contacts(campaign) -> None:
    campaign.write_list(ROWS)
    (campaign.folder / "plain.txt").write_text(PLAIN)


def of_hosts(ended) -> list[tuple[str, str]]:
    return [each for each in found(ended) if each[0].startswith(HOSTS)]


def test_a_relay_is_asked_what_it_takes_and_nothing_is_begun(campaign, start_server) -> None:
    server = start_server()
    (campaign.folder / "film.bin").write_bytes(bytes(7_400_000))
    (campaign.folder / "campaign.yaml").write_text(f"relay: {server.relay}\nattachments: [film.bin]\n")
    ended = campaign("check", "list.csv", "-t", "plain.txt", "--json")
    told = {each["id"]: each for each in json.loads(ended.out)["findings"]}
    assert told["size.relay"]["place"] == f"relay 127.0.0.1:{server.port}"
    assert told["size.relay"]["what"].endswith("and it takes 10,000,000")
    assert (told["size.relay"]["rows"], told["size.relay"]["line"], ended.code) == (2, 2, 65)
    assert [each["what"] for each in server.log] == ["connect", "quit"]
    (campaign.folder / "film.bin").write_bytes(bytes(1000))
    assert of_hosts(campaign("check", "list.csv", "-t", "plain.txt", "--json")) == []


def test_a_relay_that_cannot_be_asked_is_said(campaign) -> None:
    relays = "relays:\n- {url: 'smtp://127.0.0.1:1?tls=off', name: main}\n"
    (campaign.folder / "campaign.yaml").write_text(relays)
    ended = campaign("check", "list.csv", "-t", "plain.txt", "--json")
    assert of_hosts(ended) == [("relay.unreachable", "relay main")]
    assert ended.code == 0


def test_of_the_address_that_sends_straight_its_names_and_blocklists_are_looked_at(campaign, serve) -> None:  # noqa: F811
    zones = {
        "club.zz": MAIL + txt("@", "v=spf1 mx -all") + txt("_mta-sts", "v=STSv1") + "out A 127.0.0.9\n",
        "127.in-addr.arpa": "9.0.0 PTR out.club.zz.\n7.0.0 PTR old.club.zz.\n",
        "bl.zz": "2.0.0.127 A 127.0.0.2\n7.0.0.127 A 127.0.0.4\n" + txt("7.0.0.127", "seen in traps"),
    }
    serve(DIRECT, zones)
    ended = campaign("check", "list.csv", "--json")
    assert of_hosts(ended) == [
        ("auth.spf-address", "TXT club.zz"),
        ("dns.ptr-forward", "PTR 127.0.0.7"),
        ("dns.mta-sts", "TXT _mta-sts.club.zz"),
        ("dns.ehlo", "EHLO out.club.zz"),
        ("dns.listed", "bl.zz 127.0.0.7"),
    ]
    assert "127.0.0.4: seen in traps" in ended.out
    other = (campaign.folder / "campaign.yaml").read_text().replace("127.0.0.7", "127.0.0.8")
    (campaign.folder / "campaign.yaml").write_text(other)
    assert ("dns.ptr", "PTR 127.0.0.8") in found(campaign("check", "list.csv", "--json"))


def test_a_host_that_is_as_it_should_be_has_no_finding(campaign, serve, start_server) -> None:  # noqa: F811
    zones = {
        "club.zz": MAIL + txt("@", "v=spf1 ip4:127.0.0.7 -all") + "out A 127.0.0.7\n"
        "_mta-sts TXT \"v=STSv1; id=1;\"\n",
        "127.in-addr.arpa": "7.0.0 PTR out.club.zz.\n",
        "bl.zz": "2.0.0.127 A 127.0.0.2\n",
    }  # fmt: skip
    serve(DIRECT, zones)
    assert of_hosts(campaign("check", "list.csv", "--json")) == []
    # A blocklist that is asked about the relay, by an option; and one that is none.
    text = (campaign.folder / "campaign.yaml").read_text().replace("delivery: mx\n", f"relay: {start_server().relay}\n")
    (campaign.folder / "campaign.yaml").write_text(text)
    ended = campaign("check", "list.csv", "--json", "--dnsbl", "bl.zz", "--dnsbl", "club.zz")
    assert of_hosts(ended) == [("dns.unanswered", "club.zz 127.0.0.1")]


def test_progress_is_for_a_terminal_and_not_for_a_pipe(campaign) -> None:
    piped = campaign("check", "list.csv", "-t", "plain.txt")
    assert "messages made" not in piped.out + piped.err
