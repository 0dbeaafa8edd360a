"""Who gets what by direct delivery, where a real nameserver, a validating resolver and a web server tell policies, and
real mail servers have certificates that are good, another's, their own, or none."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.authorities import Issued, issue
from tests.integration.nameserver import start_nsd
from tests.judges.postfix import Postfix
from tests.judges.unbound import AT, signed, validating
from tests.judges.web import Web

WEB = "127.0.0.8"

HOSTS = {"good": "127.0.0.2", "wrong": "127.0.0.3", "self": "127.0.0.4", "plain": "127.0.0.6", "chain": "127.0.0.7"}
ADDRESSES = "".join(f"{name} A {address}\n" for name, address in HOSTS.items())

UNVERIFIED, VERIFIED = "TLSv1.3, unverified", "TLSv1.3, verified"


@pytest.fixture
def running() -> Iterator[ExitStack]:
    with ExitStack() as running:
        yield running


@pytest.fixture
def nsd(tmp_path, running):
    """Starts NSD with these zones; its port."""

    def start(zones: dict[str, str]) -> int:
        (tmp_path / "nsd").mkdir()
        process, port = start_nsd(tmp_path / "nsd", zones)
        running.callback(process.communicate)
        running.callback(process.terminate)
        return port

    return start


ROOT = issue("root", ca=True)
CHAINED = issue("server", ROOT, host="chain.zz")
OWN = issue("self", host="self.zz")


@pytest.fixture
def postfix(start, certificates, port):
    """One that is all the hosts."""
    of_hosts = {
        "good": certificates.issue("good.zz"),
        "wrong": certificates.issue("elsewhere.zz"),
        "self": OWN.pem(),
        "plain": "",
        "chain": CHAINED.pem(ROOT),
    }
    return start(Postfix, at=("127.0.0.1", port), others={HOSTS[name]: pem for name, pem in of_hosts.items()})


def arrived(postfix, told: set[tuple[str, str]]) -> dict[str, bool]:
    """Who got their message, and whether by TLS, as the server says, when it has stored what we are `told` of."""
    postfix.wait_for(lambda: told <= postfix.settled_log().delivered.keys(), "does not store what it took")
    return {
        str(message["Delivered-To"]): "using TLSv1.3 with cipher" in str(message["Received"])
        for message in postfix.stored()
    }


def configure(campaign, postfix, nameserver: str, more: str = "", providers: str = "") -> None:
    (campaign.folder / "campaign.yaml").write_text(
        f"template: hello.txt\ndelivery: mx\nmx: {{port: {postfix.port}, allow_private: true}}\npatience: 0s\n"
        f"dns: {{nameservers: ['{nameserver}']{more}}}\nretry: {{base: 1h}}\nproviders:\n  default: {{rate: none}}\n"
        f"{providers}"
    )


def check(campaign, postfix, expected: dict[str, tuple[str, ...]], name: str) -> None:
    """That each domain's one recipient got it as expected, (host, protection), or (reason,) why not, and not in the
    clear."""
    report = {row["email"].partition("@")[2]: row for row in campaign.report(name)}
    told = {(row["email"], row["message_id"]) for row in report.values() if row["status"] == "delivered"}
    there = arrived(postfix, told)
    for domain, one in expected.items():
        row = report[domain]
        if len(one) == 2:
            assert (row["status"], row["route"], row["tls"]) == ("delivered", *one), row
            assert there[row["email"]] is (one[1] != "none"), row
        else:
            assert (row["status"], row["enhanced_code"], row["attempts"]) == ("deferred", "4.7.5", "1"), row
            assert re.search(one[0], row["reason"]), row
            assert row["email"] not in there
    assert set(expected) == set(report)


def addresses(campaign, expected: dict[str, tuple[str, ...]], local: str = "p") -> None:
    campaign.write_list([["email", "name", "number"], *([f"{local}@{domain}", "P", "1"] for domain in expected)])


def policy(*mx: str, mode: str = "enforce") -> str:
    return "".join(
        f"{line}\n" for line in ("version: STSv1", f"mode: {mode}", *map("mx: {}".format, mx), "max_age: 86400")
    )


STS = {
    # domain: its MX, its policy, what becomes of its mail
    "enforced": ("good", policy("good.zz"), ("good.zz", f"{VERIFIED}, mta-sts")),
    "starred": ("good", policy("*.zz"), ("good.zz", f"{VERIFIED}, mta-sts")),
    "anothers": ("wrong", policy("wrong.zz"), (r"wrong.zz \[127.0.0.3\] \(mta-sts\) TLS failed: .*Hostname mismatch",)),
    "selfmade": ("self", policy("self.zz"), ("self.zz .* TLS failed: its certificate is not valid: self.signed",)),
    "clear": ("plain", policy("plain.zz"), (r"\(mta-sts\) TLS failed: the server does not offer STARTTLS",)),
    "elsewhere": ("good", policy("other.zz"), ("good.zz is not among the hosts of its MTA-STS policy",)),
    "second": ("wrong good", policy("wrong.zz", "good.zz"), ("good.zz", f"{VERIFIED}, mta-sts")),
    "testing": ("wrong", policy("other.zz", mode="testing"), ("wrong.zz", UNVERIFIED)),
    "none": ("plain", policy(mode="none"), ("plain.zz", "none")),
    "moved": ("wrong", "https://mta-sts.enforced.zz/.well-known/mta-sts.txt", ("wrong.zz", UNVERIFIED)),
    "unnamed": ("wrong", policy("other.zz"), ("wrong.zz", UNVERIFIED)),
    "nonsense": ("wrong", "<html>\n", ("wrong.zz", UNVERIFIED)),
    "unasked": ("plain", None, ("plain.zz", "none")),
}
"""Whose web server's certificate does not have the name `mta-sts.unnamed.zz`."""


def test_mta_sts_is_enforced_and_its_policies_outlive_their_web_server(
    campaign, postfix, nsd, running, certificates, tmp_path
) -> None:
    zone = ADDRESSES
    for domain, (hosts, page, _) in STS.items():
        zone += "".join(f"{domain} MX {number} {host}\n" for number, host in enumerate(hosts.split()))
        if page:
            zone += f'_mta-sts.{domain} TXT "v=STSv1; id=1;"\nmta-sts.{domain} A {WEB}\n'
    nameserver = f"127.0.0.1:{nsd({'zz': zone})}"
    pem = tmp_path / "web.pem"
    pem.write_text(certificates.issue(*(f"mta-sts.{domain}.zz" for domain in STS if domain != "unnamed")))
    web = Web(WEB, pem, {f"mta-sts.{domain}.zz": page for domain, (_, page, _) in STS.items() if page})
    web.start()
    serving = running.enter_context(ExitStack())
    serving.callback(web.stop)
    expected = {f"{domain}.zz": becomes for domain, (_, _, becomes) in STS.items()}
    configure(campaign, postfix, nameserver)
    addresses(campaign, expected)

    ended = campaign("send", "list.csv", SSL_CERT_FILE=str(certificates.file))

    assert ended.code == 75, ended.err
    check(campaign, postfix, expected, "list-hello")
    served = [f"mta-sts.{domain}.zz" for domain, (_, page, _) in STS.items() if page and domain != "unnamed"]
    assert sorted(web.asked) == sorted(served)

    serving.close()
    addresses(campaign, expected, "again")
    ended = campaign("send", "list.csv", "--name", "again", SSL_CERT_FILE=str(certificates.file))
    assert ended.code == 75, ended.err
    check(campaign, postfix, expected, "again")

    configure(campaign, postfix, nameserver)
    text = (campaign.folder / "campaign.yaml").read_text().replace("allow_private", "mta_sts: off, allow_private")
    (campaign.folder / "campaign.yaml").write_text(text)
    addresses(campaign, expected, "without")
    assert campaign("send", "list.csv", "--name", "without").code == 0
    assert {row["tls"] for row in campaign.report("without")} == {UNVERIFIED, "none"}


def tlsa(usage: int, selector: int, of: Issued) -> str:
    return f"{usage} {selector} 1 {of.association(selector, 1).hex()}"


DANE = {
    # host: its TLSA record, what becomes of its domain's mail
    "self": (tlsa(3, 1, OWN), ("self.zz", f"{VERIFIED}, dane")),
    "chain": (tlsa(2, 0, ROOT), ("chain.zz", f"{VERIFIED}, dane")),
    "wrong": (tlsa(3, 1, OWN), (r"wrong.zz \[127.0.0.3\] \(dane\) TLS failed: .* no TLSA record stands for it",)),
    "plain": (tlsa(3, 1, OWN), (r"\(dane\) TLS failed: the server does not offer STARTTLS",)),
    "good": (tlsa(1, 1, OWN), ("good.zz", f"{UNVERIFIED}, dane")),
}


def dane_zone(port: int) -> str:
    zone = ADDRESSES + "bogus A 127.0.0.4\nnone A 127.0.0.4\n"
    zone += "".join(f"_{port}._tcp.{host} TLSA {record}\n" for host, (record, _) in DANE.items())
    zone += f"_{port}._tcp.bogus TLSA {tlsa(3, 1, OWN)}\n"
    return zone + "".join(f"of-{host} MX 0 {host}\n" for host in (*DANE, "bogus", "none"))


def test_dane_is_heeded_where_a_resolver_that_validates_says_that_dns_is_secure(
    campaign, postfix, nsd, running, unbound, tmp_path
) -> None:
    records, anchor = signed("zz", dane_zone(postfix.port))
    # What was not signed as it stands does not hold.
    records = re.sub(rf"(?m)^(_{postfix.port}._tcp.bogus.zz. .* TLSA 3 1 1 )..", r"\g<1>00", records)
    asked = nsd({"zz": records, "uu": "of-chain MX 0 chain.zz.\n"})
    port = running.enter_context(validating(unbound, ["zz", "uu"], asked, anchor))
    expected = {f"of-{host}.zz": becomes for host, (_, becomes) in DANE.items()}
    expected["of-bogus.zz"] = ("the TLSA records of bogus.zz: DNS fails: SERVFAIL",)
    expected["of-none.zz"] = ("none.zz", UNVERIFIED)
    expected["of-chain.uu"] = ("chain.zz", UNVERIFIED)
    addresses(campaign, expected)
    configure(campaign, postfix, f"{AT}:{port}", ", dnssec: trusted")

    ended = campaign("send", "list.csv")

    assert ended.code == 75, ended.err
    check(campaign, postfix, expected, "list-hello")

    # Postfix's own client, asked the same of each host, says the same.
    (postfix.root / "etc/resolv.conf").write_text(f"nameserver {AT}\noptions trust-ad\n")
    for host, (_, becomes) in DANE.items():
        command = ["/usr/sbin/posttls-finger", "-c", "-l", "dane", "-o", "smtp_dns_support_level=dnssec"]
        said = subprocess.run(
            ["chroot", postfix.root, *command, f"[{host}.zz]:{postfix.port}"],
            capture_output=True,
            text=True,
            timeout=60,
        )
        print(host, said.stdout, said.stderr)
        verified = "Verified TLS connection established" in said.stdout + said.stderr
        assert verified is becomes[-1].endswith(f"{VERIFIED}, dane"), said.stderr

    # Without the word that the resolver is to be believed nothing is asked of it.
    addresses(campaign, expected, "without")
    configure(campaign, postfix, f"{AT}:{port}")
    assert campaign("send", "list.csv", "--name", "without").code == 0
    assert {row["tls"] for row in campaign.report("without")} == {UNVERIFIED, "none"}


def test_each_provider_has_the_tls_that_the_settings_want(campaign, postfix, nsd, certificates) -> None:
    zone = ADDRESSES + "".join(f"{tls}-{host} MX 0 {host}\n" for tls in LEAST for host in HOSTS)
    expected = {
        f"{tls}-{host}.zz": becomes[host] for tls, becomes in LEAST.items() for host in HOSTS if host in becomes
    }
    providers = "".join(
        f"  of-{tls}: {{tls: {tls}, rate: none, domains: [{', '.join(f'{tls}-{host}.zz' for host in HOSTS)}]}}\n"
        for tls in LEAST
    )
    addresses(campaign, expected)
    configure(campaign, postfix, f"127.0.0.1:{nsd({'zz': zone})}", providers=providers)

    ended = campaign("send", "list.csv", SSL_CERT_FILE=str(certificates.file))

    assert ended.code == 75, ended.err
    check(campaign, postfix, expected, "list-hello")


NOT_OFFERED, NOT_VALID = ("does not offer STARTTLS",), ("its certificate is not valid",)
LEAST = {
    "off": {"good": ("good.zz", "none"), "plain": ("plain.zz", "none")},
    "opportunistic": {
        "good": ("good.zz", UNVERIFIED),
        "wrong": ("wrong.zz", UNVERIFIED),
        "plain": ("plain.zz", "none"),
    },
    "required": {"self": ("self.zz", UNVERIFIED), "wrong": ("wrong.zz", UNVERIFIED), "plain": NOT_OFFERED},
    "verified": {"good": ("good.zz", VERIFIED), "wrong": NOT_VALID, "self": NOT_VALID, "plain": NOT_OFFERED},
}


def test_it_connects_by_ipv6_and_from_the_addresses_that_it_is_told(start, campaign, nsd, port) -> None:
    postfix = start(Postfix, at=("127.0.0.1", port), others={"127.0.0.2": "", "::1": ""})
    zone = "four A 127.0.0.2\nsix AAAA ::1\nboth A 127.0.0.9\nboth AAAA ::1\n"
    zone += "".join(f"of-{host} MX 0 {host}\n" for host in ("four", "six", "both"))
    expected = {f"of-{host}.zz": (f"{host}.zz", "none") for host in ("four", "six", "both")}
    addresses(campaign, expected)
    configure(campaign, postfix, f"127.0.0.1:{nsd({'zz': zone})}")
    text = (campaign.folder / "campaign.yaml").read_text()
    ours = 'source_address: [127.0.0.77, "::1"], ehlo_name: out.example.org, allow_private'
    (campaign.folder / "campaign.yaml").write_text(text.replace("allow_private", ours))

    ended = campaign("send", "list.csv")

    assert ended.code == 0, ended.err
    check(campaign, postfix, expected, "list-hello")
    log = (postfix.root / "var/log/postfix.log").read_text()
    # The first of ours is the one that waited for it to listen.
    sources = re.findall(r": client=[^\[]*\[([^\]]+)\]", log)
    assert sorted(sources) == ["127.0.0.77", "::1", "::1"]
    assert all("from out.example.org (" in str(message["Received"]) for message in postfix.stored())
