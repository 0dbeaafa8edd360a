"""STARTTLS, its certificates, and logins, with servers that do it by other libraries than ours: GnuTLS and OpenSSL."""

import re
from functools import partial

import pytest

from tests.judges.exim import Exim
from tests.judges.opensmtpd import OpenSmtpd
from tests.judges.postfix import Postfix
from tests.judges.server import PASSWORD, USER

ROWS = [["email", "name", "number"], *([f"p{number}@example.org", "Ann", str(number)] for number in range(3))]

RECIPIENTS = [row[0] for row in ROWS[1:]]


@pytest.fixture
def send(campaign):
    """Sends to three recipients by the relay it is given."""
    campaign.write_list(ROWS)
    return lambda relay, **variables: campaign("send", "list.csv", "-t", "hello.txt", "--relay", relay, **variables)


@pytest.fixture(params=[Exim, Postfix, OpenSmtpd], ids=["Exim", "Postfix", "OpenSMTPD"])
def start_each(request, start):
    return partial(start, request.param)


def arrived(server) -> list[tuple[str, str, str]]:
    """Whom the messages on disk were for, and how they came."""
    return sorted((each.recipient, each.protocol, each.tls) for each in server.arrived())


def test_a_checked_certificate_carries_every_message_by_tls(start_each, certificates, send) -> None:
    server = start_each(certificate=certificates.issue("localhost"))

    ended = send(f"smtp://localhost:{server.port}?tls=required", SSL_CERT_FILE=str(certificates.file))

    assert ended.code == 0, ended.err
    assert server.settled_log().taken.total() == len(RECIPIENTS)
    assert arrived(server) == [(recipient, "ESMTPS", "TLSv1.3") for recipient in RECIPIENTS]


@pytest.mark.parametrize(
    ("name", "trusted", "reason"),
    [("localhost", False, "self-signed certificate|local issuer"), ("elsewhere.test", True, "localhost")],
    ids=["unknown authority", "another host's"],
)
def test_a_certificate_that_fails_the_check_gets_no_mail(start_each, certificates, send, name, trusted, reason) -> None:
    server = start_each(certificate=certificates.issue(name))
    variables = {"SSL_CERT_FILE": str(certificates.file)} if trusted else {}

    ended = send(f"smtp://localhost:{server.port}?tls=required", **variables)

    assert ended.code == 69, ended.err
    assert re.search(f"TLS failed: its certificate is not valid: .*({reason})", ended.err), ended.err
    assert server.read_log().taken.total() == 0


def test_where_tls_is_required_and_not_offered_no_mail_goes(start_each, send) -> None:
    server = start_each()

    ended = send(f"smtp://localhost:{server.port}?tls=required")

    assert ended.code == 69, ended.err
    assert "the server does not offer STARTTLS" in ended.err
    assert server.read_log().taken.total() == 0


def test_a_relay_on_loopback_is_used_by_tls_where_offered_unchecked(start_each, certificates, send) -> None:
    server = start_each(certificate=certificates.issue("elsewhere.test"))

    ended = send(f"smtp://localhost:{server.port}")

    assert ended.code == 0, ended.err
    assert server.settled_log().taken.total() == len(RECIPIENTS)
    assert arrived(server) == [(recipient, "ESMTPS", "TLSv1.3") for recipient in RECIPIENTS]


def test_the_right_password_logs_in(start, certificates, send) -> None:
    server = start(Exim, certificate=certificates.issue("localhost"), login="PLAIN")

    ended = send(
        f"smtp://{USER}@localhost:{server.port}?tls=required",
        SSL_CERT_FILE=str(certificates.file),
        CAMPAIGN_SMTP_PASSWORD=PASSWORD,
    )

    assert ended.code == 0, ended.err
    assert server.settled_log().taken.total() == len(RECIPIENTS)
    assert arrived(server) == [(recipient, "ESMTPSA", "TLSv1.3") for recipient in RECIPIENTS]


def test_a_wrong_password_ends_the_run_and_bounces_nobody(start, certificates, send, campaign) -> None:
    server = start(Exim, certificate=certificates.issue("localhost"), login="PLAIN")

    ended = send(
        f"smtp://{USER}@localhost:{server.port}?tls=required",
        SSL_CERT_FILE=str(certificates.file),
        CAMPAIGN_SMTP_PASSWORD="wrong one",
    )

    assert ended.code == 69, ended.err
    assert "refused the login: 535 " in ended.err
    assert [row["status"] for row in campaign.report()] == ["pending"] * len(RECIPIENTS)
    assert server.read_log().taken.total() == 0


def test_without_a_login_where_one_is_asked_for_nobody_bounces(start, certificates, send, campaign) -> None:
    server = start(Exim, certificate=certificates.issue("localhost"), login="PLAIN")

    ended = send(f"smtp://localhost:{server.port}?tls=required", SSL_CERT_FILE=str(certificates.file))

    assert ended.code == 69, ended.err
    assert "refused to relay: 550 relay not permitted" in ended.err
    assert [row["status"] for row in campaign.report()] == ["pending"] * len(RECIPIENTS)
    assert server.read_log().taken.total() == 0
