from pathlib import Path

import pytest

from campaign_cli.ledger import clock
from campaign_cli.ledger.shared import SharedState
from campaign_cli.policy.budgets import Budget
from campaign_cli.policy.limits import UNLIMITED
from campaign_cli.policy.shaping import FORGOTTEN, Backoff, ShapingRule


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    passed = [1000.0]
    monkeypatch.setattr(clock, "boot_seconds", lambda: passed[0])
    return passed


def held(now: float) -> Backoff:
    return Backoff("421 slow", now, 10.0, now + 10.0, 0.5, 0.6, 2, now + 20.0)


def test_what_is_held_against_a_provider_outlives_its_process_and_is_read_by_others(tmp_path: Path) -> None:
    first = SharedState.open(tmp_path / "shared.db")
    kept = first.backoffs.change("gmail", lambda before, now: held(now) if before is None else None)
    other = SharedState.open(tmp_path / "shared.db")
    assert other.backoffs.get("gmail") == kept == held(kept.since if kept else 0.0)
    first.close()
    assert other.backoffs.all() == {"gmail": kept}
    assert other.backoffs.change("gmail", lambda before, _now: None if before else kept) is None
    assert (other.backoffs.get("gmail"), other.backoffs.all()) == (None, {})
    other.close()


def test_what_is_long_ago_is_forgotten(tmp_path: Path, seconds: list[float]) -> None:
    shared = SharedState.open(tmp_path / "shared.db")
    shared.backoffs.change("gmail", lambda _before, now: held(now))
    seconds[0] += FORGOTTEN + 20
    assert shared.backoffs.get("gmail")
    seconds[0] += 1
    assert shared.backoffs.get("gmail") is None
    shared.close()


def test_refusals_are_counted_by_provider_and_rule_within_the_period_from_one_run_to_the_next(
    tmp_path: Path, seconds: list[float]
) -> None:
    rule, other = (ShapingRule(name, "", count=3, period=3600.0) for name in ("a", "b"))
    counts = []
    for provider, each in [("gmail", rule), ("gmail", rule), ("yahoo", rule), ("gmail", other), ("gmail", rule)]:
        shared = SharedState.open(tmp_path / "shared.db")
        counts.append(shared.backoffs.count(provider, each))
        shared.close()
        seconds[0] += 1000
    assert counts == [1, 2, 1, 1, 2]


def test_what_a_provider_has_taken_is_measured_over_an_hour_or_since_it_began(
    tmp_path: Path, seconds: list[float]
) -> None:
    shared = SharedState.open(tmp_path / "shared.db")
    assert shared.backoffs.taken("gmail") == 0.0
    shared.charge([((Budget("gmail", UNLIMITED),), 60)])
    seconds[0] += 61
    shared.charge([((Budget("gmail", UNLIMITED),), 60)])
    assert shared.backoffs.taken("gmail") == pytest.approx(120 / 60, rel=0.02)
    seconds[0] += 3570
    assert shared.backoffs.taken("gmail") == pytest.approx(60 / 3570, rel=0.02)
    shared.close()
