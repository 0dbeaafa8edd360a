import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from campaign_cli.engine import mta_sts as module
from campaign_cli.engine.mta_sts import FRESH, MtaSts
from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.direct import Direct
from campaign_cli.model.dns import Addresses, Unresolved
from campaign_cli.transport.https import Unfetched


def policy(mx: str, mode: str = "enforce", max_age: int = 200_000) -> str:
    return f"version: STSv1\nmode: {mode}\nmx: {mx}\nmax_age: {max_age}\n"


class World:
    """A domain's record and its web server, as they are at the moment; `fetches` are the addresses asked."""

    def __init__(self, shared: SharedState, monkeypatch: pytest.MonkeyPatch) -> None:
        self.record: str | Unresolved = "v=STSv1; id=1;"
        self.page: str | Unfetched = policy("mx.a.test")
        self.web = ["192.0.2.1", "8.8.8.8"]
        self.fetches: list[str] = []
        self.now = 1e9
        self._shared = shared
        monkeypatch.setattr(module, "fetch_text", self._fetch)
        monkeypatch.setattr(module.time, "time", lambda: self.now)

    async def records(self, owner: str, kind: str) -> tuple[str, ...] | Unresolved:
        assert (owner, kind) == ("_mta-sts.a.test", "TXT")
        return self.record if isinstance(self.record, Unresolved) else (self.record,)

    async def addresses(self, host: str) -> Addresses:
        assert host == "mta-sts.a.test"
        return Addresses(tuple(self.web))

    async def _fetch(self, host: str, path: str, *, address: str) -> str | Unfetched:
        assert (host, path) == ("mta-sts.a.test", "/.well-known/mta-sts.txt")
        self.fetches.append(address)
        return self.page

    def demanded(self) -> tuple[str, ...]:
        """As by a run of its own."""
        resolver: Any = self
        return asyncio.run(MtaSts(Direct(), resolver, self._shared).demanded("a.test"))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    shared = SharedState.open(tmp_path / "shared.db")
    yield World(shared, monkeypatch)
    shared.close()


def test_a_policy_is_fetched_once_from_a_public_address_and_kept_for_other_runs(world: World) -> None:
    assert [world.demanded() for _ in range(3)] == [("mx.a.test",)] * 3
    assert world.fetches == ["8.8.8.8"]


@pytest.mark.parametrize("mode", ["testing", "none"])
def test_what_is_not_enforced_demands_nothing(world: World, mode: str) -> None:
    world.page = policy("mx.a.test", mode)
    assert world.demanded() == ()


def test_another_id_leads_to_another_policy(world: World) -> None:
    world.demanded()
    world.record, world.page = "v=STSv1; id=2;", policy("*.b.test")
    assert world.demanded() == ("*.b.test",)
    world.record, world.page = "v=STSv1; id=3;", policy("*.b.test", "none")
    assert world.demanded() == ()


@pytest.mark.parametrize(
    ("record", "page"),
    [
        (Unresolved("DNS does not answer in time"), policy("*.evil.test")),
        ("v=spf1 -all", policy("*.evil.test")),
        ("v=STSv1; id=2;", Unfetched("no answer")),
        ("v=STSv1; id=2;", "<html>"),
    ],
    ids=["DNS fails", "no record", "no server", "no policy"],
)
def test_a_policy_holds_for_its_age_whatever_cannot_be_asked_meanwhile(
    world: World, record: str | Unresolved, page: str | Unfetched
) -> None:
    world.demanded()
    world.record, world.page = record, page
    world.now += 199_999
    assert world.demanded() == ("mx.a.test",)
    world.now += 2
    assert world.demanded() == ()


def test_a_policy_that_is_a_day_old_is_fetched_again_under_the_same_id(world: World) -> None:
    world.demanded()
    world.now += FRESH + 1
    world.page = policy("mx.b.test")
    assert world.demanded() == ("mx.b.test",)
    world.now += 150_000
    assert world.demanded() == ("mx.b.test",)
    assert len(world.fetches) == 3


def test_without_a_policy_that_can_be_fetched_mail_goes_as_it_would_without(world: World) -> None:
    world.page = Unfetched("no answer")
    assert world.demanded() == ()
    world.web = ["10.0.0.1"]
    assert world.demanded() == ()
    assert world.fetches == ["8.8.8.8"]
