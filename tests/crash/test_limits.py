"""A limit is a limit: two campaigns that share a provider, killed again and again under load."""

import random
import subprocess
import time
from bisect import bisect_right
from collections import Counter
from contextlib import suppress

import pytest

from tests.crash.scene import HERE, Ended, Oracle, Scene

PERIOD = 2.0

LIMIT = 60
"""Few enough that a slow machine, which is a second in starting, sends more in a period if nothing keeps it."""

SLOW = 30.0
"""Seconds more for a machine that has too much else to do: one that starts too little tries no limit."""

JUMPS = (1, -1, 3600, -3600, 3 * 86400, -3 * 86400)
"""Seconds by which the wall clock is set."""


def most_in_any_period(oracle: Oracle) -> int:
    """How many transactions started in the fullest period."""
    times = sorted(entry["at"] for entry in oracle.entries("mail"))
    return max(bisect_right(times, at + PERIOD) - place for place, at in enumerate(times))


def limited(make_scene, connections: int, limit: int, *, at_once: bool = False, **more: str) -> Scene:
    """`at_once`: not spread over the period, so that whoever forgets what was charged is seen to."""
    pace = f"{limit}/{PERIOD:.0f}s" + (f",max_burst={limit}" if at_once else "")
    rate = f'["example.org={pace}"]'
    return make_scene("pipelining", connections, oracle=("--mails",), rate=rate, workers="0", **more)


def test_two_campaigns_under_load_killed_again_and_again_keep_the_limit_they_share(make_scene, figures, seed) -> None:
    chance = random.Random(f"{seed} limits")
    one = limited(make_scene, 10, LIMIT, at_once=True)
    folder = one.folder / "two"
    folder.mkdir()
    two = Scene(
        folder,
        one.oracle,
        speech=one.speech,
        connections=10,
        name="two",
        rate=f'["example.org={LIMIT}/{PERIOD:.0f}s,max_burst={LIMIT}"]',
    )
    two.state = one.state
    one.write_list([f"one{n}@example.org" for n in range(4000)])
    two.write_list([f"two{n}@example.org" for n in range(4000)])
    one.others, two.others = set(two.rows), set(one.rows)
    until = time.monotonic() + 3.5 * PERIOD
    runs = {scene: scene.start() for scene in (one, two)}
    kills: Counter[Scene] = Counter()
    while (now := time.monotonic()) < until or (now < until + SLOW and len(one.oracle.entries("mail")) < LIMIT):
        scene = chance.choice((one, two))
        with suppress(subprocess.TimeoutExpired):
            runs[scene].wait(chance.uniform(0, 1.0))
        runs[scene].kill()
        runs[scene].end()
        kills[scene] += 1
        runs[scene] = scene.start()
    for scene, run in runs.items():
        run.kill()
        run.end()
        kills[scene] += 1
    for scene in runs:
        assert not scene.broken_at_rest(uncertain_before=scene.bound * (kills[scene] - 1))
    most, started = most_in_any_period(one.oracle), len(one.oracle.entries("mail"))
    figures("limits").update(
        {"kills": kills.total(), f"most of {LIMIT} in any {PERIOD:.0f} s": most, "started": started}
    )
    assert most <= LIMIT, f"--seed {seed}"
    # A limit that lets nothing through would keep the promise, too.
    assert started >= LIMIT


def most_when_it_went_on(scene: Scene, ended: Ended) -> int:
    """The most in any period, with the run that ended under a wrong clock and the one that brings it to its end."""
    assert ended.code in (0, 75), ended
    assert not scene.broken_at_rest()
    assert not scene.broken_at_the_end(scene.finish())
    most = most_in_any_period(scene.oracle)
    assert most <= 50
    return most


@pytest.mark.parametrize("seconds", JUMPS)
def test_no_jump_of_the_wall_clock_frees_budget_or_makes_anybody_have_it_twice(make_scene, figures, seconds) -> None:
    scene = limited(make_scene, 5, 50, at_once=True, patience="2s")
    scene.write_list([f"{'defer+' if n % 10 == 0 else ''}p{n}@example.org" for n in range(60)])
    launcher = (str(HERE / "failing.py"), "charged", "12", f"jump {seconds}")
    # It may have to leave to a run with the right time what is deferred to another.
    ended = scene.start("--max-runtime", "20s", by=launcher).end()
    figures("clocks")[f"{seconds:+} s"] = most_when_it_went_on(scene, ended)
