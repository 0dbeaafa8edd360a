import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from campaign_cli.ledger import shared as module
from campaign_cli.ledger.clock import BudgetClock, time_between_boots
from campaign_cli.ledger.folder import StateFolder
from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.address import Address
from campaign_cli.policy.budgets import Budget, Warmup
from campaign_cli.policy.limits import UNBOUNDED, UNLIMITED, parse_pace
from campaign_cli.policy.mta_sts import KnownPolicy, Mode, StsPolicy

PACE = parse_pace("50/min,max_burst=50")

GMAIL, YAHOO = Budget("gmail", PACE), Budget("yahoo", PACE)


def charge(path: Path, answers: "multiprocessing.SimpleQueue[int]") -> None:
    shared = SharedState.open(path)
    granted = 0
    for _ in range(40):
        granted += sum(shared.charge([((YAHOO,), 1)]))
    shared.close()
    answers.put(granted)


def test_processes_that_charge_at_once_are_never_granted_the_same_budget(tmp_path: Path) -> None:
    path = tmp_path / "shared.db"
    SharedState.open(path).close()
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    processes = [context.Process(target=charge, args=(path, answers)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert sum(answers.get() for _ in processes) == 50


def test_a_budget_outlives_its_process(tmp_path: Path) -> None:
    first = SharedState.open(tmp_path / "shared.db")
    assert first.charge([((YAHOO,), 30), ((GMAIL,), 1)]) == [30, 1]
    first.close()
    second = SharedState.open(tmp_path / "shared.db")
    assert second.charge([((YAHOO,), 30)]) == [20]
    assert second.allowance(YAHOO).free == 0
    assert second.allowance(YAHOO).wait > 50
    second.close()


def test_no_limit_grants_everything_and_is_still_counted(tmp_path: Path) -> None:
    shared = SharedState.open(tmp_path / "shared.db")
    assert shared.charge([((Budget("gmail", UNLIMITED),), 70)]) == [70]
    assert shared.charge([((GMAIL,), 1)]) == [0]
    shared.close()


def test_what_counts_against_two_budgets_is_granted_as_far_as_both_allow_and_charged_to_both(tmp_path: Path) -> None:
    shared = SharedState.open(tmp_path / "shared.db")
    small, other = Budget("relay:ses", parse_pace("8/d")), Budget("relay:other", parse_pace("90/d"))
    assert shared.charge([((YAHOO, small), 5), ((YAHOO, other), 40), ((GMAIL, small), 5)]) == [5, 40, 3]
    assert [shared.allowance(each).free for each in (YAHOO, GMAIL, small, other)] == [5, 47, 0, 50]
    shared.close()


def test_a_budget_that_warms_up_grows_with_the_days_on_which_it_was_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = Budget("gmail", UNLIMITED, Warmup(10, 2.0, 30))
    shared = SharedState.open(tmp_path / "shared.db")
    seen = []
    for day in ("2027-03-01", "2027-03-01", "2027-03-02", "2027-03-09"):
        monkeypatch.setattr(module, "_utc_day", lambda day=day: day)
        free = shared.allowance(budget).free
        seen.append((shared.warmup_day(budget), free))
        assert shared.charge([((budget,), 25)]) == [min(25, free)]
    # All of it within 24 hours of the budget's clock: a day more allows only what it has more.
    assert seen == [(0, 10), (0, 0), (1, 10), (2, UNBOUNDED)]
    shared.close()


def test_suppressions_ignore_case_and_count_what_changed(tmp_path: Path) -> None:
    shared = SharedState.open(tmp_path / "shared.db")
    ann, bob = Address("Ann", "gmail.com"), Address("bob", "gmail.com")
    assert shared.suppress([ann, bob, ann], reason="asked", now=7.0) == 2
    assert shared.suppress([Address("ann", "gmail.com")], reason="again", now=8.0) == 0
    assert [(each.email, each.reason, each.added_at) for each in shared.suppressions()] == [
        ("Ann@gmail.com", "asked", 7.0),
        ("bob@gmail.com", "asked", 7.0),
    ]
    assert shared.lift([ann, Address("cy", "gmail.com")]) == 1
    shared.close()


def test_the_budget_clock_is_one_for_all_and_never_goes_back(tmp_path: Path) -> None:
    first, second = (SharedState.open(tmp_path / "shared.db") for _ in range(2))
    readings = [clock.now() for _ in range(100) for clock in (first, second)]
    assert readings == sorted(readings)
    first.close()
    second.close()


def test_a_jump_of_the_wall_clock_within_a_boot_moves_no_budget(tmp_path: Path, monkeypatch) -> None:
    shared = SharedState.open(tmp_path / "shared.db")
    before = shared.now()
    shared.close()
    monkeypatch.setattr("time.time", lambda: 4e9)
    shared = SharedState.open(tmp_path / "shared.db")
    assert shared.now() - before < 5
    shared.close()


def test_between_boots_time_is_at_least_what_the_machine_has_been_up() -> None:
    assert time_between_boots(wall_passed=-3600.0, up=20.0) == 20.0
    assert time_between_boots(wall_passed=3600.0, up=20.0) == 3600.0
    assert BudgetClock(5.0).now() > 5.0


def test_state_is_for_its_owner_only(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        folder = StateFolder(tmp_path / "state")
        folder.create("hello")
        SharedState.open(folder.shared).close()
    finally:
        os.umask(old)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.root.rglob("*")}
    assert modes == {"campaigns": 0o700, "hello": 0o700, "shared.db": 0o600}
    assert stat.S_IMODE(folder.root.stat().st_mode) == 0o700


def test_an_mta_sts_policy_is_kept_as_long_as_it_holds(tmp_path: Path) -> None:
    shared = SharedState.open(tmp_path / "shared.db")
    old = KnownPolicy("1", StsPolicy(Mode.ENFORCE, ("mx.a.test", "*.b.test"), 100), 1000.0)
    new = KnownPolicy("2", StsPolicy(Mode.NONE, (), 100), 1050.5)
    shared.keep_sts_policy("a.test", old)
    assert [shared.sts_policy("a.test", now) for now in (1000.0, 1099.9, 1100.0)] == [old, old, None]
    assert shared.sts_policy("b.test", 1000.0) is None
    shared.keep_sts_policy("a.test", new)
    assert shared.sts_policy("a.test", 1149.0) == new
    shared.close()
