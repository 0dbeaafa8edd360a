"""The disk becomes full at a named step: what is known is kept, nothing new is handed over, and it is said."""

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.failing import STEPS
from tests.crash.scene import HERE, SPEECHES, Oracle, Scene

SIZE = 24
"""MiB of the disk: far more than the campaign needs."""

STEPS_AT_MOST = 20
"""Times that a step is come to before the disk is full."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted by root only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_at_a_step_all_is_true_and_with_room_again_the_next_run_brings_it_to_its_end(
    small_disk, tmp_path, figures, seed, speech, step
) -> None:
    chance = random.Random(f"{seed} full {speech} {step}")
    spoken, ballast = SPEECHES[speech], small_disk / "ballast"
    nth, left = chance.randrange(min(STEPS[step], STEPS_AT_MOST)) + 1, chance.choice((0, 4096, 65536))
    with Oracle(tmp_path, *spoken.offers) as oracle:
        scene = Scene(small_disk, oracle, speech=spoken, connections=5, rate="[example.org=1000000/min]", workers="0")
        scene.write_list([f"p{n}@example.org" for n in range(300)])
        launcher = (str(HERE / "failing.py"), step, str(nth), f"fill {ballast} {left}")
        ended = scene.start(by=launcher).end()
        assert ballast.exists(), ended
        assert ended.code in (0, 74), ended
        assert "Traceback" not in ended.err
        assert (ended.code == 74) == ("make room" in ended.err or "No space left" in ended.err), ended
        assert not scene.broken_at_rest()
        figures("disk full")[{0: "had room enough", 74: "said so"}[ended.code]] += 1
        ballast.unlink()
        assert not scene.broken_at_the_end(scene.finish())
