"""At full speed for a long time, with faults and a kill a minute. In the long form only (--soak SECONDS)."""

import random
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.scene import Run, Scene, in_flight

ROWS = 200_000

FAULTS = 0.05

KINDS = {"drop": 1, "lost": 1, "closing": 1, "reset": 1, "defer": 10, "moody": 10, "bounce": 10, "blocked": 10}
"""What the oracle does to those that it does not simply take, and how often. The first four end a session: a relay
that often does so is tried more slowly, and this is about full speed."""

SILENT = ("drop", "lost", "reset")
"""With these the session ends, and answers on their way with it: what was in flight on it is uncertain."""

KILL_EVERY = 60.0

SAMPLE_EVERY = 1.0

CONNECTIONS = 20


@dataclass(frozen=True)
class Sample:
    """What a run has, a moment after it started to send or later."""

    memory: int
    """KiB resident."""
    files: int
    log: int
    """Bytes of the ledger's WAL."""


def sample(run: Run, scene: Scene) -> Sample:
    status = Path(f"/proc/{run.pid}/status").read_text()
    memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    log = scene.state / "campaigns" / scene.name / "ledger.db-wal"
    return Sample(memory, len(list(Path(f"/proc/{run.pid}/fd").iterdir())), log.stat().st_size)


@pytest.mark.timeout(0)
def test_a_soak_with_faults_and_a_kill_a_minute_keeps_every_promise_and_takes_no_more_with_time(
    make_scene, figures, seed, request
) -> None:
    chance = random.Random(f"{seed} soak")
    counted = figures("soak")
    began = time.monotonic()
    kill_at = began + KILL_EVERY
    samples: list[list[Sample]] = []
    while time.monotonic() < began + request.config.getoption("soak"):
        speech = chance.choice(("pipelining", "chunking"))
        scene = make_scene(speech, CONNECTIONS)
        kinds = [
            chance.choices(list(KINDS), list(KINDS.values()))[0] + "+" if chance.random() < FAULTS else ""
            for _ in range(ROWS)
        ]
        scene.write_list([f"{kind}p{n}@example.org" for n, kind in enumerate(kinds)])
        kills = 0
        while True:
            run = scene.start()
            samples.append([])
            assert scene.oracle.wait(f"taken {scene.taken().total() + 1000}", run) or run.poll() is not None
            while run.poll() is None and time.monotonic() < kill_at:
                with suppress(FileNotFoundError, StopIteration):
                    samples[-1].append(sample(run, scene))
                with suppress(subprocess.TimeoutExpired):
                    run.wait(SAMPLE_EVERY)
            if run.poll() is not None:
                break
            run.kill()
            run.end()
            kill_at = time.monotonic() + KILL_EVERY
            kills += 1
            # Those whose session ended without an answer are uncertain as well.
            assert not scene.broken_at_rest(uncertain_before=in_flight(scene.ledger_states()) - scene.bound)
        ended = run.end()
        scene.oracle.settle()
        assert not scene.broken_at_the_end(ended), f"--seed {seed}"
        uncertain = in_flight(scene.ledger_states())
        silent = sum(kind.rstrip("+") in SILENT for kind in kinds)
        assert uncertain <= kills * scene.bound + silent * scene.speech.at_once
        taken = scene.taken()
        for what, more in {
            "campaigns": 1,
            "kills": kills,
            "messages": taken.total(),
            "twice": sum(count > 1 for count in taken.values()),
            "uncertain": uncertain,
        }.items():
            counted[what] += more
        counted["seconds"] = int(time.monotonic() - began)
    runs = [taken for taken in samples if len(taken) > 1]
    for name in ("memory", "files", "log"):
        # Not the first run and the last: to enrol a list once more, after a kill, writes more than to enrol it.
        halves = runs[: len(runs) // 2], runs[len(runs) // 2 :]
        before, after = (max(getattr(each, name) for run in half for each in run) for half in halves)
        counted[f"{name} at most in the first half"], counted[f"{name} in the second"] = before, after
        assert after <= before * 1.25, f"{name} grew from {before} to {after}"
    for each in runs:
        half = len(each) // 2
        before, after = (max(one.memory for one in part) for part in (each[:half], each[half:]))
        assert after <= before * 1.25, f"memory grew from {before} to {after} KiB within a run"
