"""Two thousand recipients by three real relays with STARTTLS and logins: the report says what their logs say."""

from collections import Counter

import pytest

from tests.judges.dovecot import Dovecot
from tests.judges.exim import Exim
from tests.judges.opensmtpd import OpenSmtpd
from tests.judges.postfix import Postfix
from tests.judges.rows import counted
from tests.judges.server import PASSWORD, REFUSED, USER, Arrived

ROWS = 2000

ACME = 600
"""Recipients of the provider that OpenSMTPD serves before the others; each of these has a share of the rest."""

SHARES = {"postfix": 3, "exim": 1}

KINDS = {3: "bounce", 5: "full", 7: "busy", 9: "blocked", 11: "early"}
"""Of each twenty recipients."""


def address(number: int) -> str:
    kind = KINDS.get(number % 20)
    domain = "acme.example" if number < ACME else f"d{number % 9}.example"
    return f"{kind}+p{number}@{domain}" if kind else f"p{number}@{domain}"


@pytest.fixture
def servers(start, certificates):
    """By name; each asks for a login by a way of its own."""
    auth = start(Dovecot).auth
    certificate = certificates.issue("localhost")
    return {
        "postfix": start(Postfix, certificate=certificate, auth=auth),
        "exim": start(Exim, certificate=certificate, login="LOGIN"),
        "opensmtpd": start(OpenSmtpd, certificate=certificate, login="PLAIN"),
    }


@pytest.fixture
def send(campaign, certificates, servers):
    """Sends by all three, OpenSMTPD with the password that it is given."""

    def send(password: str):
        campaign.write_list([["email", "name", "number"], *([address(each), "Ann", "1"] for each in range(ROWS))])
        passwords = dict.fromkeys(servers, PASSWORD) | {"opensmtpd": password}
        relays = []
        for name, server in servers.items():
            (campaign.folder / f"{name}.secret").write_text(passwords[name])
            relays.append(
                f"- {{url: 'smtp://{USER}@localhost:{server.port}?tls=required', name: {name}, "
                f"password_file: {name}.secret, "
                + (f"priority: 2, weight: {SHARES[name]}}}" if name in SHARES else "priority: 1, providers: [acme]}")
            )
        (campaign.folder / "campaign.yaml").write_text(
            "template: hello.txt\nretry: {base: 1h}\npatience: 0s\n"
            "providers:\n  default: {rate: none, connections: 1, messages_per_connection: 1000}\n"
            "  acme: {domains: [acme.example], rate: none, connections: 4, messages_per_connection: 1000}\n"
            "relays:\n" + "\n".join(relays) + "\n"
        )
        return campaign("send", "list.csv", SSL_CERT_FILE=str(certificates.file))

    return send


def judge(report, servers) -> Counter[tuple[bool, str]]:
    """That the servers' logs, and what they stored, agree with each row; how many of acme's and others went where."""
    arrived = {name: Counter() for name in servers}
    refused = {name: Counter() for name in servers}
    for row in report:
        name, kind = row["route"], row["email"].rpartition("+")[0]
        server = servers[name]
        assert (row["attempts"], row["tls"]) == ("1", "TLSv1.3, verified"), row
        if kind in server.refuses:
            code, enhanced = REFUSED[kind]
            status = "deferred" if code < 500 else "bounced"
            assert (row["status"], row["code"], row["enhanced_code"]) == (status, str(code), enhanced), row
            refused[name][row["email"], code, enhanced] += 1
        else:
            assert (row["status"], row["code"], row["enhanced_code"]) == ("delivered", *server.accepted), row
            queue_id = server.queue_id(row["reply"])
            arrived[name][Arrived(queue_id, row["email"], row["message_id"], "ESMTPSA", "TLSv1.3")] += 1
    for name, server in servers.items():
        log = server.settled_log()
        print(f"{server.version}: {log.delivered.total()} delivered, {log.refused.total()} refused")
        assert server.arrived() == arrived[name]
        assert log.delivered == Counter(each[:3] for each in arrived[name])
        assert log.refused == refused[name]
    return Counter((row["provider"] == "acme", row["route"]) for row in report)


def test_two_thousand_recipients_go_by_three_relays_as_is_configured_and_each_log_says(campaign, servers, send) -> None:
    ended = send(PASSWORD)

    assert ended.code == 75, ended.err
    report = campaign.report()
    print(counted([row["status"] for row in report]))
    assert [row["email"] for row in report] == [address(number) for number in range(ROWS)]
    went = judge(report, servers)
    assert (went[True, "opensmtpd"], went[False, "opensmtpd"]) == (ACME, 0)
    assert 0.6 < went[False, "postfix"] / (ROWS - ACME) < 0.95, went


def test_a_relay_that_refuses_the_login_is_given_up_and_its_work_goes_to_the_others_nobodys_twice(
    campaign, servers, send
) -> None:
    ended = send("wrong-one")

    assert ended.code == 75, ended.err
    report = campaign.report()
    assert ended.out.count("relay opensmtpd: refused the login: 535 ") == 1, ended.out
    assert [row["email"] for row in report] == [address(number) for number in range(ROWS)]
    went = judge(report, servers)
    assert went.keys() == {(acme, name) for acme in (True, False) for name in SHARES}, went
