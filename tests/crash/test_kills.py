"""Killed at random, and started again: nobody twice, nobody lost, and no more uncertain than were in flight."""

import random
import signal
import subprocess
from contextlib import suppress
from itertools import product

import pytest

from tests.crash.scene import SPEECHES, Scene, in_flight

ROWS = 4000

KILLS_OF_ONE = 5
"""Kills of one campaign, before it may come to its end."""

CONNECTIONS = (1, 20, 100)

STARTING, ENDING = 0.4, 0.1
"""Seconds from a run's start in which it reads the list, and after the last message in which it writes the report."""


def kill_at_random(scene: Scene, chance: random.Random) -> bool:
    """Start it and kill it; False when it had ended before."""
    taken = scene.oracle.taken().total()
    run = scene.start()
    moment = chance.random()
    if moment < 0.2:
        linger = chance.uniform(0, STARTING)
    elif moment < 0.3:
        scene.oracle.wait(f"taken {ROWS - in_flight(scene.ledger_states())}", run)
        linger = chance.uniform(0, ENDING)
    else:
        scene.oracle.wait(f"taken {taken + chance.randrange(1, max(int(0.6 * (ROWS - taken)), 2))}", run)
        linger = chance.uniform(0, 0.003)
    with suppress(subprocess.TimeoutExpired):
        run.wait(linger)
    run.kill()
    return run.end().code == -signal.SIGKILL


def share(kills: int, speech: str, connections: int) -> int:
    """How many of all kills each way of speaking and number of connections gets."""
    place = list(product(SPEECHES, CONNECTIONS)).index((speech, connections))
    return (kills + place) // (len(SPEECHES) * len(CONNECTIONS))


@pytest.mark.parametrize("connections", CONNECTIONS)
@pytest.mark.parametrize("speech", SPEECHES)
def test_killed_at_any_moment_nobody_has_it_twice_and_nobody_is_lost(
    make_scene, figures, seed, request, speech, connections
) -> None:
    chance = random.Random(f"{seed} {speech} {connections}")
    left = share(request.config.getoption("kills"), speech, connections)
    counted = figures("kills at random")
    while left:
        scene = make_scene(speech, connections)
        scene.write_list([f"p{n}@example.org" for n in range(ROWS)])
        for _ in range(KILLS_OF_ONE):
            before = in_flight(scene.ledger_states())
            if left and kill_at_random(scene, chance):
                left -= 1
                counted["kills"] += 1
                assert not scene.broken_at_rest(before), f"--seed {seed}"
                uncertain = in_flight(scene.ledger_states()) - before
                counted["uncertain"] += uncertain
                counted[f"at most of {scene.bound} in flight"] = max(
                    counted[f"at most of {scene.bound} in flight"], uncertain
                )
        ended = scene.finish()
        assert not scene.broken_at_the_end(ended), f"--seed {seed}"
        taken = scene.oracle.taken()
        counted["campaigns"] += 1
        counted["messages"] += taken.total()
        counted["twice"] += sum(count > 1 for count in taken.values())
        counted["lost"] += ROWS - sum(row["status"] in ("delivered", "uncertain") for row in scene.report())


@pytest.mark.parametrize("then", ["release", "drop"])
@pytest.mark.parametrize("speech", SPEECHES)
def test_killed_while_the_server_owes_its_answers_these_are_uncertain_whether_it_took_them_or_not(
    make_scene, speech, then
) -> None:
    scene = make_scene(speech, 10)
    scene.write_list([f"p{n}@example.org" for n in range(500)])
    scene.oracle.tell("hold")
    run = scene.start()
    assert scene.oracle.wait("held 10", run)
    # Nothing can happen now; what should not is given a moment for it.
    with suppress(subprocess.TimeoutExpired):
        run.wait(0.1)
    run.kill()
    run.end()
    scene.oracle.tell(then)
    assert not scene.broken_at_rest()
    assert 10 <= in_flight(scene.ledger_states()) <= scene.bound
    assert "delivered" not in scene.ledger_states().values()
    assert not scene.broken_at_the_end(scene.finish())
