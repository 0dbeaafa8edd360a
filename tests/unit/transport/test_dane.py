"""What OpenSSL makes of the same certificates and records is asked in tests/judges/test_dane.py."""

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path

import pytest

from campaign_cli.model.dns import Tlsa
from campaign_cli.transport.dane import chain_of, mismatch
from tests.authorities import NOW, Issued, issue

ROOT = issue("root", ca=True)
ISSUER = issue("issuer", ROOT, ca=True)
SERVER = issue("server", ISSUER, host="mx.test")
CHAIN = [SERVER.der, ISSUER.der, ROOT.der]


def record(usage: int, selector: int, matching: int, of: Issued) -> Tlsa:
    return Tlsa(usage, selector, matching, of.association(selector, matching))


@pytest.mark.parametrize("selector", [0, 1])
@pytest.mark.parametrize("matching", [0, 1, 2])
def test_a_record_stands_for_its_certificate_or_key_and_for_no_other(selector: int, matching: int) -> None:
    other = issue("server", ISSUER, host="mx.test")
    for usage, of in ((3, SERVER), (2, ISSUER), (2, ROOT)):
        one = record(usage, selector, matching, of)
        assert one.usable
        assert mismatch([record(usage, selector, matching, other), one], CHAIN, "mx.test", NOW) == ""
        assert mismatch([record(3, selector, matching, other)], CHAIN, "mx.test", NOW) != ""
    # An authority's record does not stand for the server itself, nor the server's for an authority.
    assert mismatch([record(2, 0, 0, SERVER)], CHAIN, "mx.test", NOW) == "no TLSA record stands for it"
    assert mismatch([record(2, selector, 1, SERVER)], CHAIN, "mx.test", NOW) == "no TLSA record stands for it"
    assert mismatch([record(3, selector, 1, ISSUER)], CHAIN, "mx.test", NOW) == "no TLSA record stands for it"


def test_a_servers_own_certificate_is_known_whatever_it_says() -> None:
    old = issue("server", host="other.test", days=-1)
    assert mismatch([record(3, 1, 1, old)], [old.der], "mx.test", NOW) == ""


def test_one_that_an_authority_has_issued_is_the_hosts_and_holds() -> None:
    by_issuer = [record(2, 0, 1, ISSUER)]
    assert "subjectAltName" in mismatch(by_issuer, CHAIN, "other.test", NOW)
    assert "not valid at" in mismatch(by_issuer, CHAIN, "mx.test", NOW + timedelta(days=2))
    nameless = issue("mx.test", ISSUER)
    assert mismatch(by_issuer, [nameless.der, ISSUER.der], "mx.test", NOW) != ""


def test_who_may_not_issue_does_not() -> None:
    customer = issue("customer", ISSUER, host="customer.test")
    forged = issue("server", customer, host="mx.test")
    chain = [forged.der, customer.der, ISSUER.der, ROOT.der]
    assert "cA must be asserted" in mismatch([record(2, 1, 1, ISSUER)], chain, "mx.test", NOW)
    unrelated = issue("server", issue("issuer", ca=True), host="mx.test")
    assert mismatch([record(2, 1, 1, ISSUER)], [unrelated.der, ISSUER.der], "mx.test", NOW) != ""


def test_an_authority_has_to_be_shown_unless_its_record_has_it_in_full() -> None:
    assert mismatch([record(2, 0, 1, ISSUER)], CHAIN[:1], "mx.test", NOW) == "no TLSA record stands for it"
    assert mismatch([record(2, 0, 0, ISSUER)], CHAIN[:1], "mx.test", NOW) == ""


def test_what_is_no_certificate_stands_for_nothing() -> None:
    assert mismatch([record(3, 1, 1, SERVER)], [b"\x30\x00"], "mx.test", NOW).startswith("it makes no sense: ")
    assert mismatch([Tlsa(2, 0, 0, b"x")], CHAIN, "mx.test", NOW).startswith("it makes no sense: ")


@pytest.mark.parametrize(
    "one",
    [
        *(Tlsa(usage, 1, 1, b"x" * 32) for usage in (0, 1, 4, 255)),
        *(Tlsa(3, selector, 1, b"x" * 32) for selector in (2, 255)),
        *(Tlsa(3, 1, matching, b"x" * size) for matching, size in ((1, 31), (2, 32), (3, 32))),
    ],
)
def test_what_mail_has_no_use_for_is_not_usable(one: Tlsa) -> None:
    assert not one.usable


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_whole_chain_that_a_server_shows_can_be_had(tmp_path: Path, loop: str) -> None:
    (tmp_path / "both.pem").write_text(SERVER.pem(ISSUER, ROOT))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tmp_path / "both.pem")
    asking = ssl.create_default_context()
    asking.check_hostname, asking.verify_mode = False, ssl.CERT_NONE

    async def main() -> list[bytes]:
        listening = await asyncio.start_server(lambda _, writer: None, "127.0.0.1", 0, ssl=serving)
        async with listening:
            port = listening.sockets[0].getsockname()[1]
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=asking)
            shown = chain_of(writer.get_extra_info("ssl_object"))
            writer.transport.abort()
            return shown

    factory = asyncio.new_event_loop if loop == "asyncio" else pytest.importorskip("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(main()) == CHAIN
