"""Two thousand recipients of twenty domains, straight to real mail servers that a real nameserver names."""

from collections import Counter

import pytest

from tests.integration.nameserver import start_nsd
from tests.judges.exim import Exim
from tests.judges.opensmtpd import OpenSmtpd
from tests.judges.postfix import Postfix
from tests.judges.rows import counted
from tests.judges.server import REFUSED
from tests.judges.web import Web

EACH = 100
"""Recipients of each domain."""

HOSTS = """
postfix A 127.0.0.2
exim A 127.0.0.3
opensmtpd A 127.0.0.4
dead A 127.0.0.9
_mta-sts.d1 TXT "v=STSv1; id=1;"
mta-sts.d1 A 127.0.0.8
_mta-sts.d2 TXT "v=STSv1; id=1;"
mta-sts.d2 A 127.0.0.8
"""
DOMAINS = [
    *(["MX 10 postfix"] for _ in range(3)),
    *(["MX 10 opensmtpd"] for _ in range(2)),
    *(["MX 10 exim", "MX 20 postfix"] for _ in range(3)),
    ["MX 10 opensmtpd", "MX 10 exim"],
    *(["MX 10 dead", "MX 20 exim"] for _ in range(2)),
    *(["MX 10 dead", "MX 10 postfix"] for _ in range(2)),
    ["MX 10 postfix", "MX 10 exim", "MX 20 opensmtpd"],
    ["MX 10 nowhere", "MX 20 exim"],
    ["A 127.0.0.2"],
    ["A 127.0.0.3"],
    ["MX 0 ."],
    ["MX 10 dead"],
    [],
]
"""What DNS says of each: shared and mixed MX sets, hosts that are dead or have no address, an implicit MX of each
server, a null MX, nothing but a dead host; the last does not exist."""

KEPT, BROKEN = 1, 2
"""Domains whose MTA-STS policies name their MX host, and another."""

POLICIES = {
    f"mta-sts.d{domain}.zz": f"version: STSv1\nmode: enforce\nmx: {host}\nmax_age: 86400\n"
    for domain, host in ((KEPT, "postfix.zz"), (BROKEN, "other.zz"))
}

NULL, DEAD, GONE = 17, 18, 19
ONE_PROVIDERS = (0, 3, 5, 9, 11, 13, 15)
"""Domains that the user calls one provider, though their MX sets are seven."""


def zone() -> str:
    records = enumerate(DOMAINS)
    return HOSTS + "".join(f"d{number} {record}\n" for number, each in records for record in each)


def local_part(number: int) -> str:
    kind = {3: "bounce+", 5: "full+", 7: "busy+", 9: "blocked+"}.get(number % 20, "")
    return f"{kind}p{number}"


@pytest.fixture
def nameserver(tmp_path):
    (tmp_path / "nsd").mkdir()
    process, port = start_nsd(tmp_path / "nsd", {"zz": zone()})
    yield port
    process.terminate()
    process.communicate()


@pytest.fixture
def web(tmp_path, certificates):
    (tmp_path / "web.pem").write_text(certificates.issue(*POLICIES))
    web = Web("127.0.0.8", tmp_path / "web.pem", POLICIES)
    web.start()
    yield web
    web.stop()


def test_two_thousand_recipients_get_it_straight_from_us_as_each_servers_log_says(
    campaign, start, certificates, nameserver, web, port
) -> None:
    postfix = start(Postfix, at=("127.0.0.2", port), certificate=certificates.issue("postfix.zz"))
    exim = start(Exim, at=("127.0.0.3", port), certificate=certificates.issue("elsewhere.test"))
    opensmtpd = start(OpenSmtpd, at=("127.0.0.4", port), certificate=certificates.issue("elsewhere.test"))
    every = (postfix, exim, opensmtpd)
    servers = {"postfix.zz": postfix, "d15.zz": postfix, "exim.zz": exim, "d16.zz": exim, "opensmtpd.zz": opensmtpd}
    addresses = [f"{local_part(number)}@d{domain}.zz" for number in range(EACH) for domain in range(len(DOMAINS))]
    campaign.write_list([["email", "name", "number"], *([each, "Ann", "1"] for each in addresses)])
    one = ", ".join(f"d{number}.zz" for number in ONE_PROVIDERS)
    (campaign.folder / "campaign.yaml").write_text(
        f"template: hello.txt\ndelivery: mx\nmx: {{port: {port}, allow_private: true}}\npatience: 0s\n"
        f"dns: {{nameservers: ['127.0.0.1:{nameserver}']}}\nretry: {{base: 1h}}\n"
        f"providers:\n  default: {{rate: none}}\n  acme: {{domains: [{one}], rate: none, connections: 4}}\n"
    )

    ended = campaign("send", "list.csv", SSL_CERT_FILE=str(certificates.file))
    report = campaign.report("list-hello")
    print(counted([row["status"] for row in report]))

    assert ended.code == 75, ended.err
    assert [row["email"] for row in report] == addresses
    delivered = {server: Counter() for server in every}
    refused = {server: Counter() for server in every}
    for row in report:
        local, domain = row["email"].removesuffix(".zz").split("@d")
        kind = local.partition("+")[0] if "+" in local else ""
        said = (row["status"], row["enhanced_code"], row["attempts"], row["route"])
        if int(domain) == NULL:
            assert said == ("bounced", "5.1.10", "0", "")
        elif int(domain) == GONE:
            assert said == ("bounced", "5.1.2", "0", "")
        elif int(domain) == DEAD:
            assert said == ("deferred", "4.4.1", "1", "")
        elif int(domain) == BROKEN:
            assert said == ("deferred", "4.7.5", "1", ""), row
        else:
            server = servers[row["route"]]
            protection = "verified, mta-sts" if int(domain) == KEPT else "unverified"
            assert (row["attempts"], row["tls"]) == ("1", f"TLSv1.3, {protection}"), row
            if kind not in server.refuses:
                assert row["status"] == "delivered", row
                delivered[server][server.queue_id(row["reply"]), row["email"], row["message_id"]] += 1
            else:
                code, enhanced = REFUSED[kind]
                assert (row["status"], row["code"]) == ("deferred" if code < 500 else "bounced", str(code)), row
                refused[server][row["email"], code, enhanced] += 1
    for server in every:
        log = server.settled_log()
        print(f"{server.version}: {log.delivered.total()} delivered, {log.refused.total()} refused")
        assert log.delivered == delivered[server]
        assert log.refused == refused[server]
        assert len(server.stored()) == delivered[server].total()
