"""The machine is suspended in mid-run: budgets and due times count the time, whatever timers and sessions do."""

import time
from bisect import bisect_right
from datetime import UTC, datetime, timedelta

import pytest

from tests.crash.scene import HERE, Scene

LIMIT, PERIOD = 50, 6.0

MORE = 65
"""Rows: what goes at once, and some for when there is budget again."""

SOON = 4.0
"""Seconds, sooner than budget comes to one that has missed the time."""

CHANGES = (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC))
"""When the clocks of Berlin change."""


def limited(make_scene) -> Scene:
    rate = f'["example.org={LIMIT}/{PERIOD:.0f}s,max_burst={LIMIT}"]'
    scene = make_scene("pipelining", 5, oracle=("--mails",), rate=rate, workers="0")
    scene.write_list([f"p{n}@example.org" for n in range(MORE)])
    return scene


@pytest.mark.parametrize(
    ("answered", "after", "suspended"), [(20, 0, 3.0), (20, 0, 3600.0), (30, 1, 3600.0)], ids=["short", "long", "idle"]
)
def test_the_time_of_a_suspend_counts_for_budgets_and_no_more_than_it_and_nobody_has_it_twice(
    make_scene, figures, answered, after, suspended
) -> None:
    scene = limited(make_scene)
    moment = scene.folder / "moment"
    what = f"suspend {suspended} {after} {moment}"
    ended = scene.start(by=(str(HERE / "failing.py"), "reply judged", str(answered), what)).end()
    scene.oracle.settle()
    at = float(moment.read_text())
    assert not scene.broken_at_the_end(ended)
    assert len(scene.report()) == MORE
    # As the world saw it, in which the time of the suspend passed.
    seen = sorted(entry["at"] + (suspended if entry["at"] > at else 0.0) for entry in scene.oracle.entries("mail"))
    most = max(bisect_right(seen, one + PERIOD) - place for place, one in enumerate(seen))
    figures("suspended")[f"{suspended:.0f} s: most of {LIMIT} in any {PERIOD:.0f} s"] = most
    assert most <= LIMIT
    if suspended > PERIOD:
        assert seen[-1] - suspended - at < SOON, "budget came late"


@pytest.mark.parametrize("change", CHANGES, ids=["to summer", "to winter"])
def test_when_the_clocks_of_the_country_change_nothing_does(make_scene, change) -> None:
    scene = make_scene("pipelining", 5, workers="0", retry="{base: 3s, factor: 2, longest: 6s}")
    scene.write_list([f"{'defer+' if n % 5 == 0 else ''}p{n}@example.org" for n in range(100)])
    start = change - timedelta(seconds=2)
    launcher = (str(HERE / "failing.py"), "locked", "1", f"jump {start.timestamp() - time.time()}")
    ended = scene.start(by=launcher, TZ="Europe/Berlin").end()
    scene.oracle.settle()
    assert not scene.broken_at_the_end(ended)
    times = [
        datetime.fromisoformat(row[column])
        for row in scene.report()
        for column in ("first_attempt_at", "last_attempt_at")
    ]
    assert {each.utcoffset() for each in times} == {timedelta(0)}
    assert start - timedelta(seconds=5) < min(times) <= max(times) < change + timedelta(minutes=1)
    assert max(times) >= change, "it was over before the change"
