import asyncio
import hashlib
import ssl
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP

from campaign_cli.config.providers import shipped_providers
from campaign_cli.engine import exchanges as module
from campaign_cli.engine.exchanges import Exchanges
from campaign_cli.model.direct import Direct, is_public
from campaign_cli.model.dns import Addresses, Exchange, MailHosts, Tlsa, Unresolved
from campaign_cli.model.errors import NoRouteError
from campaign_cli.model.relay import Relay, Tls
from campaign_cli.model.reply import Phase, Silence
from campaign_cli.policy.providers import Providers
from campaign_cli.transport.connect import Refusal
from campaign_cli.transport.session import Session

KNOWN = Providers.of(shipped_providers().values())


class Known:
    """A resolver that knows addresses and TLSA records; the MX hosts of all domains are the same."""

    def __init__(
        self, known: dict[str, Sequence[str]], tlsa: tuple[Tlsa, ...] | Unresolved = (), *, secure: bool = True
    ) -> None:
        self._known = known
        self._tlsa = tlsa
        self._secure = secure

    async def mail_hosts(self, domain: str) -> MailHosts:
        return MailHosts(("mx1.x", "mx2.x"), 60.0, None, (10, 20))

    async def addresses(self, host: str) -> Addresses | Unresolved:
        found = self._known.get(host)
        return Unresolved("DNS does not answer in time") if found is None else Addresses(tuple(found), self._secure)

    async def tlsa(self, host: str, port: int) -> tuple[Tlsa, ...] | Unresolved:
        return self._tlsa


def asked(
    monkeypatch: pytest.MonkeyPatch,
    known: dict[str, Sequence[str]],
    exchange: Exchange,
    *,
    direct: Direct | None = None,
    chances: Sequence[float] = (0.5,) * 9,
    times: int = 1,
) -> tuple[list[str], Refusal]:
    """The addresses at which a session was tried, all in vain, and what the last of them said."""
    tried: list[str] = []

    async def refuse(relay: Relay, password: str | None, *, address: str) -> Refusal:
        assert (password, relay.name) == (None, relay.host)
        tried.append(address)
        return Refusal(Phase.CONNECT, Silence("Connection refused"), False)

    async def main() -> Session | Refusal:
        monkeypatch.setattr(module, "open_session", refuse)
        chance = iter(chances)
        resolver: Any = Known(known)
        exchanges = Exchanges(direct or Direct(), resolver, KNOWN, None, max_sessions=1, chance=lambda: next(chance))
        for _ in range(times):
            opened = await exchanges.open("p", exchange)
        return opened

    opened = asyncio.run(asyncio.wait_for(main(), 5))
    assert isinstance(opened, Refusal)
    return tried, opened


def test_hosts_are_tried_by_preference_and_those_of_the_same_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"a": ["8.8.8.1"], "b": ["8.8.8.2"], "c": ["8.8.8.3"]}
    exchange = Exchange(((10, "b"), (10, "c"), (20, "a")))
    tried, said = asked(monkeypatch, known, exchange, chances=(0.1, 0.2, 0.0))
    assert tried == ["8.8.8.2", "8.8.8.3", "8.8.8.1"]
    assert str(said) == "a [8.8.8.1] cannot connect: Connection refused"
    assert asked(monkeypatch, known, exchange, chances=(0.2, 0.1, 0.0))[0] == ["8.8.8.3", "8.8.8.2", "8.8.8.1"]


def test_so_many_addresses_are_tried_and_no_more_and_those_that_failed_not_at_once_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = {"a": [f"8.8.8.{number}" for number in range(1, 9)]}
    tried, _ = asked(monkeypatch, known, Exchange(((0, "a"),)), direct=Direct(addresses=3), times=2)
    assert tried == ["8.8.8.1", "8.8.8.2", "8.8.8.3"]


class Domains:
    """A resolver that knows one host for every domain, but for those that it does not answer for."""

    def __init__(self, *, mute: bool = False, trouble: str = "") -> None:
        self.asked: list[str] = []
        self.mute = mute
        self._trouble = trouble

    async def mail_hosts(self, domain: str) -> MailHosts | Unresolved:
        self.asked.append(domain)
        if self.mute:
            return Unresolved("DNS does not answer in time")
        return MailHosts((f"mx.{domain}",), 600.0, None, (10,))

    async def trouble(self) -> str:
        return self._trouble


def exchanges(resolver: Any) -> Exchanges:
    return Exchanges(Direct(), resolver, KNOWN, None, max_sessions=1, chance=lambda: 0.5)


def test_a_domain_is_asked_for_once_as_long_as_there_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)
    resolver = Domains()
    direct = exchanges(resolver)
    for domains in (["a", "b"], ["b"], ["a", "b", "c"], ["b", "c"], ["a"]):
        found = asyncio.run(direct.exchanges_of(domains))
        assert found == {domain: Exchange(((10, f"mx.{domain}"),)) for domain in domains}
    assert resolver.asked == ["a", "b", "c", "a"]


def test_when_nobody_answers_any_more_that_is_said_once_so_many_in_a_row_were_not_answered() -> None:
    unresolved = Unresolved("DNS does not answer in time")
    once = [f"d{number}" for number in range(module.ASKED_AT_ONCE - 1)]
    resolver = Domains(mute=True, trouble="DNS does not answer in time")
    direct = exchanges(resolver)
    assert asyncio.run(direct.exchanges_of(once)) == dict.fromkeys(once, unresolved)
    resolver.mute = False
    asyncio.run(direct.exchanges_of(["answered"]))
    resolver.mute = True
    assert asyncio.run(direct.exchanges_of(once)) == dict.fromkeys(once, unresolved)
    with pytest.raises(NoRouteError, match="DNS cannot be asked"):
        asyncio.run(direct.exchanges_of(["one more"]))


def test_domains_that_are_not_answered_for_by_a_nameserver_that_answers_end_nothing() -> None:
    domains = [f"d{number}" for number in range(module.ASKED_AT_ONCE * 3)]
    found = asyncio.run(exchanges(Domains(mute=True)).exchanges_of(domains))
    assert set(found.values()) == {Unresolved("DNS does not answer in time")}


def test_a_host_whose_address_dns_does_not_say_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    tried, _ = asked(monkeypatch, {"b": ["8.8.8.8"]}, Exchange(((10, "a"), (20, "b"))))
    assert tried == ["8.8.8.8"]
    assert str(asked(monkeypatch, {}, Exchange(((10, "a"),)))[1]) == "cannot connect: a: DNS does not answer in time"


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.1.1", "100.64.0.1", "224.0.0.1", "0.0.0.0", "::1", "fe80::1", "::ffff:10.0.0.1"],
)
def test_addresses_that_are_not_public_are_not_connected_to(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    assert not is_public(address)
    tried, said = asked(monkeypatch, {"a": [address]}, Exchange(((10, "a"),)))
    assert (tried, str(said)) == ([], f"cannot connect: a has the address {address}, which is not public")
    assert asked(monkeypatch, {"a": [address]}, Exchange(((10, "a"),)), direct=Direct(allow_private=True))[0] == [
        address
    ]


def test_public_addresses_are() -> None:
    assert is_public("8.8.8.8")
    assert is_public("2606:4700::1")


BROKEN = "its TLS is broken"


def spoken_to(
    tls: Tls,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *,
    sts: tuple[str, ...] | None = None,
    tlsa: Any = None,
) -> str:
    """What protects a session with a server whose certificate has that name ("": it has no TLS), or why there is none.

    The provider wants `tls`, the domain's MTA-STS policy the hosts `sts`; the host is mx.test, whose TLSA
    records `tlsa` makes of the server's certificate.
    """
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if name == BROKEN:
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("PSK")
    elif name:
        issued = authority.issue_cert(name)
        issued.configure_cert(context)
        if tlsa:
            tlsa = tlsa(ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode()))

    async def main() -> str:
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(
            lambda: SMTP(object(), hostname="judge", loop=loop, tls_context=context if name else None), "127.0.0.1", 0
        )
        direct = Direct(port=listening.sockets[0].getsockname()[1], allow_private=True)
        resolver: Any = Known({"mx.test": ["127.0.0.1"]}, tlsa or ())
        known = Providers.of([replace(KNOWN.get("default"), tls=tls)])
        exchanges = Exchanges(direct, resolver, known, None, max_sessions=1, chance=lambda: 0.5)
        session = await exchanges.open("p", Exchange(((10, "mx.test"),), sts, secure=tlsa is not None))
        listening.close()
        if isinstance(session, Refusal):
            assert session.phase is Phase.TLS
            return str(session)
        await session.close()
        assert session.route == "mx.test"
        return session.tls

    return asyncio.run(asyncio.wait_for(main(), 10))


OTHERS_NAME = "its certificate is not valid: Hostname mismatch"
NO_OFFER = "the server does not offer STARTTLS"


@pytest.mark.parametrize(
    ("tls", "name", "protection"),
    [
        (Tls.OFF, "mx.test", "none"),
        (Tls.OPPORTUNISTIC, "elsewhere.test", "TLSv1.3, unverified"),
        (Tls.OPPORTUNISTIC, BROKEN, "none"),
        (Tls.OPPORTUNISTIC, "", "none"),
        (Tls.REQUIRED, "elsewhere.test", "TLSv1.3, unverified"),
        (Tls.REQUIRED, BROKEN, "mx.test [127.0.0.1] TLS failed: "),
        (Tls.REQUIRED, "", f"mx.test [127.0.0.1] TLS failed: {NO_OFFER}"),
        (Tls.VERIFIED, "mx.test", "TLSv1.3, verified"),
        (Tls.VERIFIED, "elsewhere.test", f"mx.test [127.0.0.1] TLS failed: {OTHERS_NAME}"),
        (Tls.VERIFIED, "", f"mx.test [127.0.0.1] TLS failed: {NO_OFFER}"),
    ],
)
def test_tls_is_what_the_provider_wants_or_there_is_no_session(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tls: Tls, name: str, protection: str
) -> None:
    assert spoken_to(tls, name, monkeypatch, tmp_path).startswith(protection)


@pytest.mark.parametrize(
    ("tls", "sts", "name", "protection"),
    [
        (Tls.OPPORTUNISTIC, "mx.test", "mx.test", "TLSv1.3, verified, mta-sts"),
        (Tls.VERIFIED, "mx.test", "mx.test", "TLSv1.3, verified, mta-sts"),
        (Tls.OPPORTUNISTIC, "mx.test", "elsewhere.test", f"mx.test [127.0.0.1] (mta-sts) TLS failed: {OTHERS_NAME}"),
        (Tls.OPPORTUNISTIC, "mx.test", BROKEN, "mx.test [127.0.0.1] (mta-sts) TLS failed: "),
        (Tls.OPPORTUNISTIC, "mx.test", "", f"mx.test [127.0.0.1] (mta-sts) TLS failed: {NO_OFFER}"),
        (
            Tls.OPPORTUNISTIC,
            "other.test",
            "mx.test",
            "TLS failed: mx.test is not among the hosts of its MTA-STS policy",
        ),
        (Tls.OFF, "other.test", "mx.test", "none"),
    ],
)
def test_mta_sts_is_heeded_unless_the_settings_want_no_tls_at_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tls: Tls, sts: str, name: str, protection: str
) -> None:
    assert spoken_to(tls, name, monkeypatch, tmp_path, sts=(sts,)).startswith(protection)


def test_what_a_host_lacks_for_one_domain_does_not_keep_it_from_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[Tls] = []

    async def no_tls(relay: Relay, password: str | None, *, address: str) -> Refusal:
        told.append(relay.tls)
        return Refusal(Phase.TLS, Silence("no"), True)

    async def main() -> None:
        monkeypatch.setattr(module, "open_session", no_tls)
        resolver: Any = Known({"a": ["8.8.8.8"]})
        exchanges = Exchanges(Direct(), resolver, KNOWN, None, max_sessions=1, chance=lambda: 0.5)
        for sts in (("a",), None):
            await exchanges.open("p", Exchange(((0, "a"),), sts))

    asyncio.run(asyncio.wait_for(main(), 5))
    assert told == [Tls.VERIFIED, Tls.OPPORTUNISTIC, Tls.OFF]


def its_own(certificate: bytes) -> tuple[Tlsa, ...]:
    return (Tlsa(3, 0, 1, hashlib.sha256(certificate).digest()),)


def anothers(certificate: bytes) -> tuple[Tlsa, ...]:
    return (Tlsa(3, 0, 1, b"x" * 32),)


def useless(certificate: bytes) -> tuple[Tlsa, ...]:
    return (Tlsa(1, 0, 1, b"x" * 32),)


def unknown(certificate: bytes) -> Unresolved:
    return Unresolved("DNS fails: SERVFAIL")


@pytest.mark.parametrize(
    ("tls", "tlsa", "name", "protection"),
    [
        (Tls.OPPORTUNISTIC, its_own, "elsewhere.test", "TLSv1.3, verified, dane"),
        (Tls.VERIFIED, its_own, "elsewhere.test", "TLSv1.3, verified, dane"),
        (
            Tls.OPPORTUNISTIC,
            anothers,
            "mx.test",
            "mx.test [127.0.0.1] (dane) TLS failed: its certificate is not valid: no TLSA record stands for it",
        ),
        (Tls.OPPORTUNISTIC, useless, "elsewhere.test", "TLSv1.3, unverified, dane"),
        (Tls.OPPORTUNISTIC, unknown, "mx.test", "TLS failed: the TLSA records of mx.test: DNS fails: SERVFAIL"),
        (Tls.OFF, unknown, "mx.test", "none"),
    ],
)
def test_dane_is_heeded_where_dns_is_secure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tls: Tls, tlsa: Any, name: str, protection: str
) -> None:
    assert spoken_to(tls, name, monkeypatch, tmp_path, tlsa=tlsa).startswith(protection)


@pytest.mark.parametrize(("mx", "addresses"), [(False, True), (True, False)])
def test_where_not_all_of_dns_is_secure_dane_is_not_asked_for(
    monkeypatch: pytest.MonkeyPatch, mx: bool, addresses: bool
) -> None:
    told: list[Tls] = []

    async def refuse(relay: Relay, password: str | None, *, address: str) -> Refusal:
        told.append(relay.tls)
        return Refusal(Phase.CONNECT, Silence("no"), False)

    async def main() -> None:
        monkeypatch.setattr(module, "open_session", refuse)
        resolver: Any = Known({"a": ["8.8.8.8"]}, unknown(b""), secure=addresses)
        exchanges = Exchanges(Direct(), resolver, KNOWN, None, max_sessions=1, chance=lambda: 0.5)
        await exchanges.open("p", Exchange(((0, "a"),), secure=mx))

    asyncio.run(asyncio.wait_for(main(), 5))
    assert told == [Tls.OPPORTUNISTIC]


class Demands:
    """MTA-STS policies that are enforced, by domain."""

    def __init__(self, known: dict[str, tuple[str, ...]]) -> None:
        self._known = known

    async def demanded(self, domain: str) -> tuple[str, ...]:
        return self._known.get(domain, ())


def test_domains_share_an_exchange_whose_hosts_are_the_same_and_permitted_alike() -> None:
    resolver: Any = Known({})
    demands: Any = Demands({"a": ("*.x", "y.z"), "b": ("mx1.x", "mx2.x"), "c": ("mx2.x",), "d": ("other.x",)})
    exchanges = Exchanges(Direct(), resolver, KNOWN, demands, max_sessions=1, chance=lambda: 0.5)
    found = asyncio.run(exchanges.exchanges_of("abcde"))
    hosts = ((10, "mx1.x"), (20, "mx2.x"))
    assert found == {
        "a": Exchange(hosts, ("mx1.x", "mx2.x")),
        "b": Exchange(hosts, ("mx1.x", "mx2.x")),
        "c": Exchange(hosts, ("mx2.x",)),
        "d": Exchange(hosts, ()),
        "e": Exchange(hosts, None),
    }
