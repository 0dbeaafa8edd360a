"""Twenty starts at the same moment: one of them has the campaign, and the others say so."""

import json
import subprocess
from typing import Any

import pytest

from tests.crash.scene import HERE, Scene

STARTS = 20

ROWS = 50


def crowd(scene: Scene, *arguments: str) -> subprocess.Popen[str]:
    """So many starts of it at once."""
    return scene.start(*arguments, by=(str(HERE / "crowd.py"), str(STARTS)))


def ended(run: subprocess.Popen[str], count: int) -> list[dict[str, Any]]:
    """The next that end."""
    assert run.stdout
    return [json.loads(run.stdout.readline()) for _ in range(count)]


@pytest.fixture
def rounds(request) -> int:
    return request.config.getoption("rounds")


def test_of_twenty_simultaneous_starts_of_a_campaign_one_owns_it_and_the_others_say_who(
    make_scene, figures, rounds
) -> None:
    for _ in range(rounds):
        scene = make_scene("pipelining", 5, workers="0")
        scene.write_list([f"p{n}@example.org" for n in range(ROWS)])
        # So that it is owned as long as anybody asks for it.
        scene.oracle.tell("hold")
        run = crowd(scene)
        others = ended(run, STARTS - 1)
        assert {(other["code"], "is being sent by" in other["err"]) for other in others} == {(75, True)}, others
        scene.oracle.tell("release")
        (owner,) = ended(run, 1)
        assert (run.end().code, owner["code"], owner["err"]) == (0, 0, "")
        scene.oracle.settle()
        assert scene.taken() == dict.fromkeys(scene.rows, 1)
        figures("simultaneous starts")["rounds of one campaign"] += 1
        figures("simultaneous starts")["owners"] += 1


def test_twenty_campaigns_that_make_the_state_folder_together_all_come_to_their_end(
    make_scene, figures, rounds
) -> None:
    for _ in range(max(rounds // 10, 1)):
        scene = make_scene("pipelining", 5, workers="0")
        scene.write_list([f"p{n}@example.org" for n in range(ROWS)])
        run = crowd(scene, "--name", "crowd{}")
        all_of_them = ended(run, STARTS)
        assert {(each["code"], each["err"]) for each in all_of_them} == {(0, "")}, all_of_them
        run.end()
        scene.oracle.settle()
        assert scene.taken() == dict.fromkeys(scene.rows, STARTS)
        figures("simultaneous starts")["rounds of twenty campaigns"] += 1
