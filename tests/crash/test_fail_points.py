"""Something happens at a named step of a run: it is killed, told to stop, told twice, or stands still for a while."""

import os
import random
import signal

import pytest

from tests.crash.failing import STEPS
from tests.crash.scene import HERE, Run, Scene, in_flight

ROWS = 300

CONNECTIONS = 5

UNANSWERED = list(STEPS)[: list(STEPS).index("reply come")]
"""Steps that are come to though the server answers no content."""

TOO_LATE = list(STEPS)[list(STEPS).index("report begun") :]
"""Steps of a run that has sent everything: it may as well come to its end."""

INTERRUPTED = 130


@pytest.fixture
def fail(make_scene, figures, seed, request):
    """Starts a campaign to which something happens at a step."""

    def fail(speech: str, step: str, what: str, *, answered: bool = True) -> tuple[Scene, Run]:
        scene = make_scene(speech, CONNECTIONS, rate="[example.org=1000000/min]", workers="0")
        scene.write_list([f"p{n}@example.org" for n in range(ROWS)])
        if not answered:
            scene.oracle.tell("hold")
        nth = random.Random(f"{seed} {speech} {step}").randrange(STEPS[step]) + 1 if answered else 1
        figures("fail points")[what] += 1
        return scene, scene.start(by=(str(HERE / "failing.py"), step, str(nth), what))

    return fail


def test_killed_at_a_step_all_is_true_and_the_next_run_brings_it_to_its_end(fail, speech, step) -> None:
    scene, run = fail(speech, step, "SIGKILL")
    assert run.end().code == -signal.SIGKILL
    assert not scene.broken_at_rest()
    assert not scene.broken_at_the_end(scene.finish())


def test_told_to_stop_at_a_step_nobody_is_uncertain_and_the_next_run_brings_it_to_its_end(fail, speech, step) -> None:
    scene, run = fail(speech, step, "SIGTERM")
    ended = run.end()
    assert ended.code == INTERRUPTED or (ended.code == 0 and step in TOO_LATE), ended
    assert ended.err.strip() in ("", "campaign: interrupted")
    assert not scene.broken_at_rest()
    assert in_flight(scene.ledger_states()) == 0
    assert not scene.broken_at_the_end(scene.finish())


def test_told_twice_at_a_step_it_ends_at_once_and_no_more_are_uncertain_than_were_in_flight(
    fail, speech, step, seed
) -> None:
    scene, run = fail(speech, step, "SIGINT", answered=step not in UNANSWERED)
    assert run.stdout
    while (line := run.stdout.readline()) and "stopping" not in line:
        pass
    run.send_signal(signal.SIGINT)
    ended = run.end()
    # The server takes what it has not answered, or it does not.
    scene.oracle.tell(random.Random(f"{seed} {step}").choice(("release", "drop")))
    assert ended.code == INTERRUPTED or (ended.code == 0 and step in TOO_LATE), ended
    assert ended.err.strip() in ("", "campaign: interrupted")
    assert not scene.broken_at_rest()
    assert not scene.broken_at_the_end(scene.finish())


def test_standing_still_at_a_step_it_is_nobody_elses_and_goes_on_as_if_nothing_had_been(fail, speech, step) -> None:
    scene, run = fail(speech, step, "SIGSTOP")
    stopped = os.waitid(os.P_PID, run.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    assert stopped is not None
    assert stopped.si_status == signal.SIGSTOP
    other = scene.start().end() if step != "released" else None
    run.send_signal(signal.SIGCONT)
    ended = run.end()
    assert other is None or (other.code, str(run.pid) in other.err) == (75, True)
    scene.oracle.settle()
    assert not scene.broken_at_the_end(ended)
    assert in_flight(scene.ledger_states()) == 0
