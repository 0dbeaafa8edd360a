from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from campaign_cli.config.settings import Settings
from campaign_cli.engine.forecast import Forecast
from campaign_cli.ledger.shared import SharedState
from campaign_cli.policy.budgets import DAY, Warmup, of_a_relay
from campaign_cli.policy.limits import SLACK, UNLIMITED, parse_pace
from campaign_cli.policy.providers import Provider, Providers
from campaign_cli.policy.shaping import Backoff

HELD = Backoff("not so fast", since=0.0, rest=10.0, until=0.0, rate=2.0, ceiling=4.0, connections=1, more_at=0.0)

WARMUP = Warmup(start=10, growth=2, until=1000)

DEFAULT = Provider("default", (), UNLIMITED, 1, 100)

SETTINGS = Settings(
    Providers.of(
        [
            DEFAULT,
            replace(DEFAULT, name="slow", pace=parse_pace("10/h, max_burst=10")),
            replace(DEFAULT, name="new", warmup=WARMUP),
        ]
    ),
    relay_budgets={"ses": of_a_relay("ses", parse_pace("100/d"))},
)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[SharedState]:
    shared = SharedState.open(tmp_path / "shared.db")
    yield shared
    shared.close()


def forecast(shared: SharedState, *relays: str, sandbox: object = None, limit: int | None = None) -> Forecast:
    prepared: Any = SimpleNamespace(relays=[SimpleNamespace(name=name) for name in relays], sandbox=sandbox)
    return Forecast(replace(SETTINGS, limit=limit), prepared, shared)


def test_a_group_takes_as_long_as_its_limit_its_warm_up_or_its_backoff(shared: SharedState) -> None:
    now = forecast(shared)
    assert now.of_group("x.example", 10**6) == now.of_group("slow", 10) == (0.0, 0.0)
    assert now.of_group("slow", 21).whole == 2 * (3600 + SLACK)
    assert now.of_group("new", 71).whole == 3 * DAY
    shared.charge([((SETTINGS.providers.get("new").budget,), 10)])
    assert now.of_group("new", 61).whole == 3 * DAY
    shared.backoffs.change("x.example", lambda held, now: replace(HELD, until=now, more_at=now))
    assert now.of_group("x.example", 100) == (50.0, 50.0)


def test_a_run_leaves_with_todays_share_of_a_warm_up_but_where_it_waits_for_tomorrows(shared: SharedState) -> None:
    slowly = replace(SETTINGS, providers=Providers.of([replace(DEFAULT, warmup=WARMUP, pace=parse_pace("4/h"))]))
    prepared: Any = SimpleNamespace(relays=[], sandbox=None)
    two_hours = pytest.approx(2 * 3600, abs=1000)
    assert Forecast(slowly, prepared, shared).of_group("x.example", 71) == (3 * DAY, two_hours)
    assert Forecast(slowly, prepared, shared).of_group("x.example", 10) == (two_hours, two_hours)
    assert Forecast(replace(slowly, patience=DAY), prepared, shared).of_group("x.example", 71) == (3 * DAY, 3 * DAY)
    shared.charge([((SETTINGS.providers.get("new").budget,), 10)])
    assert forecast(shared).of_group("new", 61) == (3 * DAY, 0.0)


def test_nobody_waits_for_those_that_the_run_is_not_to_start(shared: SharedState) -> None:
    assert forecast(shared, limit=10).of_group("slow", 1000).whole == 0.0
    assert forecast(shared, "ses", limit=100).of_relay(1000).whole == 0.0


def test_the_only_relays_own_limit_makes_it_longer_and_not_that_of_one_of_several_or_in_the_sandbox(
    shared: SharedState,
) -> None:
    assert forecast(shared, "ses").of_relay(101).whole == DAY + SLACK
    assert forecast(shared, "ses", "other").of_relay(101).whole == 0.0
    assert forecast(shared, "other").of_relay(101).whole == 0.0
    assert forecast(shared, "ses", sandbox="mail").of_relay(101).whole == 0.0
