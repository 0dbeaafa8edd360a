import asyncio
import ssl
from collections.abc import Sequence
from typing import Any

import pytest
import trustme
from aiosmtpd.smtp import SMTP

from campaign_cli.engine import exchanges as module
from campaign_cli.engine.exchanges import Exchanges, is_public
from campaign_cli.model.direct import Direct
from campaign_cli.model.dns import Exchange, MailHosts, Unresolved
from campaign_cli.model.errors import NoRouteError
from campaign_cli.model.relay import Relay
from campaign_cli.model.reply import Phase, Silence
from campaign_cli.transport.connect import Refusal
from campaign_cli.transport.session import Session


class Addresses:
    """A resolver that knows addresses alone."""

    def __init__(self, known: dict[str, Sequence[str]]) -> None:
        self._known = known

    async def addresses(self, host: str) -> Sequence[str] | Unresolved:
        return self._known.get(host, Unresolved("DNS does not answer in time"))


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
        resolver: Any = Addresses(known)
        exchanges = Exchanges(direct or Direct(), resolver, max_sessions=1, chance=lambda: next(chance))
        for _ in range(times):
            opened = await exchanges.open("p", exchange)
        return opened

    opened = asyncio.run(asyncio.wait_for(main(), 5))
    assert isinstance(opened, Refusal)
    return tried, opened


def test_hosts_are_tried_by_preference_and_those_of_the_same_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"a": ["8.8.8.1"], "b": ["8.8.8.2"], "c": ["8.8.8.3"]}
    exchange = ((10, "b"), (10, "c"), (20, "a"))
    tried, said = asked(monkeypatch, known, exchange, chances=(0.1, 0.2, 0.0))
    assert tried == ["8.8.8.2", "8.8.8.3", "8.8.8.1"]
    assert str(said) == "a [8.8.8.1] cannot connect: Connection refused"
    assert asked(monkeypatch, known, exchange, chances=(0.2, 0.1, 0.0))[0] == ["8.8.8.3", "8.8.8.2", "8.8.8.1"]


def test_so_many_addresses_are_tried_and_no_more_and_those_that_failed_not_at_once_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = {"a": [f"8.8.8.{number}" for number in range(1, 9)]}
    tried, _ = asked(monkeypatch, known, ((0, "a"),), direct=Direct(addresses=3), times=2)
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
    return Exchanges(Direct(), resolver, max_sessions=1, chance=lambda: 0.5)


def test_a_domain_is_asked_for_once_as_long_as_there_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)
    resolver = Domains()
    direct = exchanges(resolver)
    for domains in (["a", "b"], ["b"], ["a", "b", "c"], ["b", "c"], ["a"]):
        found = asyncio.run(direct.exchanges_of(domains))
        assert found == {domain: ((10, f"mx.{domain}"),) for domain in domains}
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
    tried, _ = asked(monkeypatch, {"b": ["8.8.8.8"]}, ((10, "a"), (20, "b")))
    assert tried == ["8.8.8.8"]
    assert str(asked(monkeypatch, {}, ((10, "a"),))[1]) == "cannot connect: a: DNS does not answer in time"


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "169.254.1.1", "100.64.0.1", "224.0.0.1", "0.0.0.0", "::1", "fe80::1", "::ffff:10.0.0.1"],
)
def test_addresses_that_are_not_public_are_not_connected_to(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    assert not is_public(address)
    tried, said = asked(monkeypatch, {"a": [address]}, ((10, "a"),))
    assert (tried, str(said)) == ([], f"cannot connect: a has the address {address}, which is not public")
    assert asked(monkeypatch, {"a": [address]}, ((10, "a"),), direct=Direct(allow_private=True))[0] == [address]


def test_public_addresses_are() -> None:
    assert is_public("8.8.8.8")
    assert is_public("2606:4700::1")


@pytest.mark.parametrize(("broken", "protection"), [(False, "unverified"), (True, "none")], ids=["TLS", "broken TLS"])
def test_tls_is_used_where_it_works_and_does_without_where_it_does_not(broken: bool, protection: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("elsewhere.test").configure_cert(context)
    if broken:
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("PSK")

    async def main() -> str:
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(
            lambda: SMTP(object(), hostname="judge", loop=loop, tls_context=context), "127.0.0.1", 0
        )
        direct = Direct(port=listening.sockets[0].getsockname()[1], allow_private=True)
        resolver: Any = Addresses({"mx.test": ["127.0.0.1"]})
        session = await Exchanges(direct, resolver, max_sessions=1, chance=lambda: 0.5).open("p", ((10, "mx.test"),))
        listening.close()
        assert isinstance(session, Session), session
        await session.close()
        assert session.route == "mx.test"
        return session.tls

    assert asyncio.run(asyncio.wait_for(main(), 10)).endswith(protection)
