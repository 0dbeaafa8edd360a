import asyncio

import pytest

from campaign_cli.model.dns import Unresolved
from campaign_cli.policy.authentication import Dmarc, SpfWalk, judged_key, read_dmarc, tags

ADDRESS = {("a.zz", "A"): ("192.0.2.1",), ("a.zz", "MX"): ("10 a.zz.",), ("six.zz", "AAAA"): ("2001:db8::1",)}


def spf(records: dict[str, str | list[str]], more: dict[tuple[str, str], tuple[str, ...]] = ADDRESS) -> list[str]:
    async def ask(name: str, kind: str) -> tuple[str, ...] | Unresolved:
        if kind == "TXT" and name in records:
            found = records[name]
            return (found,) if isinstance(found, str) else tuple(found)
        return more.get((name, kind), ())

    return [each.rule.removeprefix("auth.spf-") for each in asyncio.run(SpfWalk(ask, "zz.zz").judged())]


@pytest.mark.parametrize(
    ("record", "rules"),
    [
        ("v=spf1 mx:a.zz -all", []),
        ("v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 a:a.zz/24 ~all", []),
        ("V=SPF1 A:A.ZZ. exists:%{i}.x.zz -ALL", []),
        ("v=spf1 " + "a:a.zz " * 10 + "-all", []),
        ("v=spf1 " + "a:a.zz " * 11 + "-all", ["lookups"]),
        ("v=spf1 " + "a:six.zz " * 10 + "-all", []),
        ("v=spf1 a:n1.zz a:n2.zz -all", []),
        ("v=spf1 a:n1.zz a:n2.zz mx:n3.zz -all", ["void"]),
        ("v=spf1 +all", ["all"]),
        ("v=spf1 ipv4:192.0.2.1 -all", ["wrong"]),
        ("v=spf1 include:none.zz -all", ["wrong"]),
        ("v=spf1 include:zz.zz -all", ["wrong"]),
        ("v=spf1 redirect=five.zz", []),
        ("v=spf1 include:five.zz include:five.zz -all", ["lookups"]),
        ("v=spf1 include:five.zz a:a.zz a:a.zz a:a.zz redirect=five.zz", ["lookups"]),
        ("v=spf1 include:five.zz a:a.zz a:a.zz a:a.zz -all redirect=five.zz", []),
        ("v=spf10 -all", ["missing"]),
        (["v=spf1 -all", "v=spf1 -all"], ["several"]),
        (["hello", "v=spf1 -all"], []),
    ],
)
def test_spf_is_followed_as_far_as_a_receiver_may_have_to(record: str | list[str], rules: list[str]) -> None:
    assert spf({"zz.zz": record, "five.zz": "v=spf1 " + "a:a.zz " * 5 + "-all"}) == rules


@pytest.mark.parametrize(
    ("records", "rules"),
    [
        ([], ["missing"]),
        (["v=DKIM1; k=rsa; p=QUJD"], []),
        (["k=rsa; p=QU JD"], []),
        (["v=DKIM1; p="], ["revoked"]),
        (["v=DKIM1; p=WFla"], ["mismatch"]),
        (["v=DKIM1; t=s:y; p=QUJD"], ["testing"]),
        (["v=DKIM2; p=QUJD"], ["wrong"]),
        (["hello"], ["wrong"]),
        (["v=DKIM1; p=QUJD", "v=DKIM1; p=QUJD"], ["wrong"]),
    ],
)
def test_a_published_key_is_compared_with_the_private_one(records: list[str], rules: list[str]) -> None:
    found = judged_key("TXT s._domainkey.zz", tuple(records), "QUJD")
    assert [each.rule.removeprefix("auth.dkim-") for each in found] == rules


def dmarc(domain: str, records: dict[str, str]) -> Dmarc:
    async def ask(name: str, kind: str) -> tuple[str, ...] | Unresolved:
        return (records[name],) if name in records else ()

    return asyncio.run(read_dmarc(ask, domain))


def test_the_organization_is_the_highest_domain_with_a_record() -> None:
    records = {"_dmarc.club.co.zz": "v=DMARC1; p=none", "_dmarc.co.zz": "v=DMARC1; p=none; psd=y"}
    found = dmarc("news.club.co.zz", records)
    assert (found.organization, found.findings) == ("club.co.zz", ())
    assert found.aligned("mail.club.co.zz", "news.club.co.zz", strict=False)
    assert not found.aligned("mail.club.co.zz", "news.club.co.zz", strict=True)
    assert not found.aligned("other.co.zz", "news.club.co.zz", strict=False)


def test_strict_alignment_is_read() -> None:
    found = dmarc("club.zz", {"_dmarc.club.zz": "v=DMARC1; p=reject; adkim=s; aspf=r"})
    assert (found.strict_dkim, found.strict_spf) == (True, False)


@pytest.mark.parametrize(
    ("records", "rule"),
    [({}, "missing"), ({"_dmarc.club.zz": "v=DMARC1; p=maybe"}, "wrong"), ({"_dmarc.club.zz": "v=DMARC1 p"}, "wrong")],
)
def test_a_record_that_is_missing_or_wrong_is_found(records: dict[str, str], rule: str) -> None:
    assert [each.rule for each in dmarc("club.zz", records).findings] == [f"auth.dmarc-{rule}"]


def test_a_list_of_tags_that_names_one_twice_cannot_be_read() -> None:
    assert tags("a=1; b = 2 ;") == {"a": "1", "b": "2"}
    assert tags("a=1; a=2") is None
