"""What DNS says of the host that sends, by a DNS that is a table."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from campaign_cli.model.dns import Unresolved
from campaign_cli.model.finding import Finding
from campaign_cli.policy.authentication import Ask
from campaign_cli.policy.sending_host import judged_greeting, judged_listing, judged_mta_sts, judged_name
from campaign_cli.policy.spf import SpfAnswer

Records = dict[tuple[str, str], tuple[str, ...] | Unresolved]

LOST = Unresolved("DNS does not answer in time")
PTR = "7.2.0.192.in-addr.arpa"
SIX = "2001:db8::7"
SIX_PTR = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"
TEST = ("2.0.0.127.bl.zz", "A")


def dns(records: Records) -> Ask:
    async def ask(name: str, kind: str) -> tuple[str, ...] | Unresolved:
        return records.get((name, kind), ())

    return ask


def rules(judged: Callable[[Ask], Awaitable[list[Finding]]], records: Records) -> list[str]:
    async def all_of_it() -> list[Finding]:
        return await judged(dns(records))

    return [each.rule for each in asyncio.run(all_of_it())]


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ({}, ["dns.ptr"]),
        ({(PTR, "PTR"): LOST}, ["dns.unanswered"]),
        ({(PTR, "PTR"): ("out.zz.",), ("out.zz", "A"): ("192.0.2.7",)}, []),
        ({(PTR, "PTR"): ("out.zz.",), ("out.zz", "A"): ("192.0.2.8",)}, ["dns.ptr-forward"]),
        ({(PTR, "PTR"): ("out.zz.",)}, ["dns.ptr-forward"]),
        ({(PTR, "PTR"): ("old.zz.", "out.zz."), ("out.zz", "A"): ("192.0.2.8", "192.0.2.7")}, []),
        ({(PTR, "PTR"): ("out.zz.",), ("out.zz", "A"): LOST}, ["dns.unanswered"]),
    ],
)
def test_the_name_of_an_address_leads_back_to_it(records: Records, said: list[str]) -> None:
    assert rules(lambda ask: judged_name(ask, "192.0.2.7"), records) == said


def test_so_does_that_of_one_of_ipv6_however_it_is_written() -> None:
    records: Records = {(SIX_PTR, "PTR"): ("out.zz.",), ("out.zz", "AAAA"): ("2001:db8:0:0::7",)}
    assert rules(lambda ask: judged_name(ask, SIX), records) == []


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ({("out.zz", "A"): ("192.0.2.7",)}, []),
        ({("out.zz", "A"): ("192.0.2.8",)}, ["dns.ehlo"]),
        ({}, ["dns.ehlo"]),
        ({("out.zz", "A"): LOST}, ["dns.unanswered"]),
    ],
)
def test_the_name_that_we_greet_with_leads_to_the_address(records: Records, said: list[str]) -> None:
    assert rules(lambda ask: judged_greeting(ask, "out.zz", "192.0.2.7"), records) == said


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ({TEST: ("127.0.0.2",)}, []),
        ({TEST: ("127.0.0.2",), ("7.2.0.192.bl.zz", "A"): ("127.0.0.4",)}, ["dns.listed"]),
        ({TEST: ("127.0.0.2",), ("7.2.0.192.bl.zz", "A"): ("198.51.100.1",)}, []),
        ({TEST: ("127.0.0.2",), ("7.2.0.192.bl.zz", "A"): LOST}, ["dns.unanswered"]),
        ({}, ["dns.unanswered"]),
        ({TEST: ("198.51.100.1",)}, ["dns.unanswered"]),
        ({TEST: ("127.255.255.254",)}, ["dns.unanswered"]),
        ({TEST: ("127.0.0.2",), ("7.2.0.192.bl.zz", "A"): ("127.255.255.255",)}, ["dns.unanswered"]),
    ],
)
def test_only_a_blocklist_that_answers_lists(records: Records, said: list[str]) -> None:
    assert rules(lambda ask: judged_listing(ask, "192.0.2.7", "bl.zz"), records) == said


def test_what_a_blocklist_says_of_an_address_is_told() -> None:
    name = SIX_PTR.replace("ip6.arpa", "bl.zz")
    records: Records = {TEST: ("127.0.0.2",), (name, "A"): ("127.0.0.4",), (name, "TXT"): ("ask bl.zz",)}
    (finding,) = asyncio.run(judged_listing(dns(records), SIX, "bl.zz"))
    assert (finding.place, finding.what) == (f"bl.zz {SIX}", "it says 127.0.0.4: ask bl.zz")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ((), []),
        (("hello",), []),
        (("v=STSv1; id=20261127T0;",), []),
        (("v=STSv1; id=a-b",), ["dns.mta-sts"]),
        (("v=STSv1",), ["dns.mta-sts"]),
        (("v=STSv1; id=1", "v=STSv1; id=2"), ["dns.mta-sts"]),
        (LOST, ["dns.unanswered"]),
    ],
)
def test_an_mta_sts_record_that_is_there_can_be_read(said: tuple[str, ...] | Unresolved, expected: list[str]) -> None:
    assert rules(lambda ask: judged_mta_sts(ask, "zz.zz"), {("_mta-sts.zz.zz", "TXT"): said}) == expected


ZONE: Records = {
    ("zz.zz", "A"): ("192.0.2.1",),
    ("zz.zz", "MX"): ("10 mx.zz.", "20 six.zz."),
    ("mx.zz", "A"): ("192.0.2.7",),
    ("six.zz", "AAAA"): (SIX,),
    ("in.zz", "TXT"): ("v=spf1 ip4:192.0.2.7 -all",),
    ("out.zz", "TXT"): ("v=spf1 -ip4:192.0.2.7 +all",),
    ("loop.zz", "TXT"): ("v=spf1 include:loop.zz -all",),
}


@pytest.mark.parametrize(
    ("record", "passes"),
    [
        ("v=spf1 ip4:192.0.2.7 -all", True),
        ("v=spf1 ip4:192.0.2.0/29 -all", True),
        ("v=spf1 ip4:192.0.2.8/29 -all", False),
        ("v=spf1 ip6:2001:db8::/32 -all", False),
        ("v=spf1 a -all", False),
        ("v=spf1 a/28 -all", True),
        ("v=spf1 a:mx.zz ~all", True),
        ("v=spf1 a:none.zz ~all", False),
        ("v=spf1 mx -all", True),
        ("v=spf1 mx:none.zz -all", False),
        ("v=spf1 include:in.zz -all", True),
        ("v=spf1 include:out.zz ~all", False),
        ("v=spf1 ?all", False),
        ("v=spf1", False),
        ("v=spf1 redirect=in.zz", True),
        ("v=spf1 redirect=out.zz", False),
        ("v=spf1 -all redirect=in.zz", False),
        ("V=SPF1 IP4:192.0.2.7 -ALL", True),
        # What cannot be known is not held against anybody, nor what SpfWalk tells.
        ("v=spf1 exists:%{i}.zz -all", True),
        ("v=spf1 include:%{d}.zz -all", True),
        ("v=spf1 ptr -all", True),
        ("v=spf1 include:loop.zz -all", True),
        ("hello", True),
    ],
)
def test_spf_lets_an_address_pass_or_not(record: str, passes: bool) -> None:
    records: Records = ZONE | {("zz.zz", "TXT"): (record,)}
    said = rules(lambda ask: SpfAnswer(ask, "192.0.2.7").judged("zz.zz"), records)
    assert said == ([] if passes else ["auth.spf-address"])


@pytest.mark.parametrize(
    ("record", "passes"),
    [
        ("v=spf1 ip6:2001:db8::/32 -all", True),
        ("v=spf1 ip4:192.0.2.7 -all", False),
        ("v=spf1 mx -all", True),
        ("v=spf1 a:six.zz//64 -all", True),
        ("v=spf1 a:mx.zz/0 -all", False),
    ],
)
def test_so_of_ipv6(record: str, passes: bool) -> None:
    records: Records = ZONE | {("zz.zz", "TXT"): (record,)}
    said = rules(lambda ask: SpfAnswer(ask, SIX).judged("zz.zz"), records)
    assert said == ([] if passes else ["auth.spf-address"])
