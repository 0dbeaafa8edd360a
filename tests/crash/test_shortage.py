"""The system gives no more open files, processes, threads or memory: a run goes on with what it has, or says so."""

import os
import re
import resource
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.crash.breaking import MEMORY, PROCESS, THREAD
from tests.crash.scene import HERE, Ended, Run, Scene

NO_MORE = 71

PATIENT = 10.0
"""Seconds of processor time that such a run does not come near."""

LIMITED = """
import resource, sys
number = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_NOFILE, (number, number))
from campaign_cli.cli.main import main
main()
"""


def scene_with(make_scene, *, connections: int = 5, workers: str = "1", rows: int = 100) -> Scene:
    scene = make_scene("pipelining", connections, workers=workers)
    scene.write_list([f"p{n}@example.org" for n in range(rows)])
    return scene


def no_attempt_lost(scene: Scene) -> list[str]:
    """Recipients of whom the ledger counts an attempt that the server never saw."""
    taken = scene.taken()
    return [row["email"] for row in scene.report() if int(row["attempts"]) > taken[row["email"]]]


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("number", [8, 65, 66])
def test_with_few_open_files_a_run_goes_on_with_the_sessions_it_can_have_or_says_so_at_once(
    make_scene, figures, number
) -> None:
    scene = scene_with(make_scene, connections=10)
    before = processor_seconds()
    ended = scene.start(by=("-c", LIMITED, str(number))).end()
    assert processor_seconds() - before < PATIENT, "it turns in circles"
    assert "Traceback" not in ended.err, ended
    assert (ended.code, scene.taken().total()) == ((0, 100) if number >= 66 else (NO_MORE, 0)), ended
    assert ("ulimit -n" in ended.err) == (number < 66)
    figures("few open files")[f"{number} files: exit"] = ended.code
    assert not scene.broken_at_the_end(scene.finish())


def refused(scene: Scene, place: str, nth: int, *arguments: str) -> Ended:
    """A run to which the system refuses what it asks for at `place` from the nth time on."""
    moment = scene.folder / "moment"
    ended = scene.start(*arguments, by=(str(HERE / "breaking.py"), place, str(nth), str(moment))).end()
    assert moment.exists(), ended
    assert "Traceback" not in ended.err, ended
    return ended


@pytest.mark.parametrize("place", [PROCESS, THREAD])
def test_without_a_first_process_or_thread_nobody_is_sent_to_and_the_next_run_goes_on(make_scene, place) -> None:
    scene = scene_with(make_scene)
    ended = refused(scene, place, 1)
    assert ended.code == NO_MORE, ended
    assert "no process can be started" in ended.err or "can't start new thread" in ended.err, ended
    assert ended.err.count("campaign: ") == 1, ended
    assert "report: " in ended.out, ended
    assert len((scene.folder / "moment").read_text().splitlines()) < 4, "it is tried again and again"
    assert not scene.taken()
    assert not no_attempt_lost(scene)
    assert not scene.broken_at_rest()
    assert not scene.broken_at_the_end(scene.finish())


def test_without_a_second_process_the_first_makes_all_messages(make_scene) -> None:
    scene = scene_with(make_scene, workers="4", rows=1000)
    assert not scene.broken_at_the_end(refused(scene, PROCESS, 2))


@pytest.mark.parametrize("times", [1, 4])
def test_a_worker_that_the_kernel_kills_is_replaced(make_scene, figures, times) -> None:
    """As the OOM killer does, in the middle of what it has in work."""
    scene = scene_with(make_scene, rows=1000)
    scene.oracle.tell("hold")
    run = scene.start()
    killed: set[int] = set()
    while len(killed) < times:
        for worker in children(run.pid) - killed:
            os.kill(worker, signal.SIGKILL)
            killed.add(worker)
    scene.oracle.tell("release")
    ended = run.end()
    figures("workers killed")[f"{times}: exit"] = ended.code
    if ended.code == NO_MORE:
        # Killed before they had begun, one after the other.
        assert "ends as soon as it starts" in ended.err
        assert not scene.broken_at_rest()
        ended = scene.finish()
    assert not scene.broken_at_the_end(ended)


@pytest.mark.parametrize("nth", [1, 3])
@pytest.mark.parametrize("place", MEMORY)
def test_without_memory_in_the_midst_of_a_step_the_run_ends_and_nothing_false_is_written_down(
    make_scene, place, nth
) -> None:
    scene = scene_with(make_scene, rows=300)
    ended = refused(scene, place, nth)
    assert (ended.code, ended.err.count("memory")) == (NO_MORE, 1), ended
    assert not scene.broken_at_rest()
    assert not scene.broken_at_the_end(scene.finish())


@pytest.mark.parametrize("more", [0, 256, 1024])
def test_when_the_sender_gets_no_more_memory_it_says_so_or_goes_on(make_scene, figures, more) -> None:
    """In the midst of its work, with `more` KiB left."""
    scene = scene_with(make_scene, rows=4000)
    run = scene.start()
    assert scene.oracle.wait("taken 100", run)
    (size,) = re.findall(r"VmSize:\s+(\d+) kB", Path(f"/proc/{run.pid}/status").read_text())
    most = (int(size) + more) * 1024
    resource.prlimit(run.pid, resource.RLIMIT_AS, (most, most))
    ended = run.end()
    figures("no memory")[f"{more} KiB left: exit"] = ended.code
    assert ended.code in (0, NO_MORE), ended
    # What it lacks may be told by what wanted it: a thread needs a stack.
    assert (ended.code == NO_MORE) == bool(re.search("memory|can't start new thread", ended.err)), ended
    assert not scene.broken_at_rest()
    assert not scene.broken_at_the_end(scene.finish())


def leave_files(run: Run, number: int) -> None:
    """Let the process open a file only where one of the first `number` is closed. Those that are open stay."""
    resource.prlimit(run.pid, resource.RLIMIT_NOFILE, (number, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


@pytest.mark.parametrize("what", ["stopped", "its worker killed"])
def test_a_run_that_can_open_no_file_any_more_says_so_and_the_next_goes_on(make_scene, what) -> None:
    scene = scene_with(make_scene, rows=3000)
    run = scene.start()
    assert scene.oracle.wait("taken 100", run)
    leave_files(run, 5)
    if what == "stopped":
        run.terminate()
    else:
        for worker in children(run.pid):
            os.kill(worker, signal.SIGKILL)
    ended = run.end()
    assert (ended.code, len(ended.err.splitlines())) == (NO_MORE, 1), ended
    assert "Too many open files" in ended.err
    assert not scene.broken_at_rest()
    assert not scene.broken_at_the_end(scene.finish())


def test_a_run_that_could_open_no_session_for_a_while_comes_to_its_end(make_scene) -> None:
    scene = scene_with(make_scene, rows=3000)
    log = scene.folder / "log"
    run = scene.start("--log-file", str(log))
    assert scene.oracle.wait("taken 100", run)
    scene.oracle.tell("hold")
    assert scene.oracle.wait("held 1", run)
    leave_files(run, 5)
    scene.oracle.tell("drop")
    while "Too many open files" not in log.read_text():
        # Until it has asked for one.
        assert run.poll() is None
        time.sleep(0.05)
    leave_files(run, 500)
    assert not scene.broken_at_the_end(run.end())


def children(process: int) -> set[int]:
    """The processes that it has started."""
    with suppress(OSError):
        return set(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))
    return set()
