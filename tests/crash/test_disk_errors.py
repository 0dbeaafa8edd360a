"""The disk fails (EIO) at a named call, and at each of its kind from then on: what is known is kept, and it is said."""

import random

from tests.crash.breaking import LOG
from tests.crash.scene import HERE, Scene

ROWS = 150

STATE_UNUSABLE = 74

LATER = {"xRead": 8, "xWrite": 30, "xSync": 10, LOG: 10}
"""How many calls of a kind a run makes, at the least or about: one of them is the first to fail."""

IN_A_CHECKPOINT = {f"{call} of {file}" for call in ("xWrite", "xSync") for file in ("ledger.db", "shared.db")}
"""What a checkpoint cannot write stays in the log, where it is durable already: no run need end for it."""


def test_a_disk_that_fails_ends_the_run_with_what_is_known_and_with_a_sound_one_the_next_comes_to_its_end(
    make_scene, figures, seed, place, turn
) -> None:
    chance = random.Random(f"{seed} {place} {turn}")
    scene = make_scene("pipelining", 5, oracle=("--mails",), rate="[example.org=1000000/min]", workers="0")
    scene.write_list([f"p{n}@example.org" for n in range(ROWS)])
    nth = chance.randrange(2, LATER.get(place, LATER.get(place.split()[0], 1)) + 2) if turn else 1
    moment = scene.folder / "moment"
    ended = scene.start(by=(str(HERE / "breaking.py"), place, str(nth), str(moment))).end()
    failed = [float(line) for line in moment.read_text().split()] if moment.exists() else []
    assert turn or failed, "a place that no run comes to"
    assert "Traceback" not in ended.err, ended
    said = "cannot be read or written" in ended.err or "cannot be written" in ended.err
    assert (ended.code == STATE_UNUSABLE) == said, ended
    if place not in IN_A_CHECKPOINT:
        assert ended.code == (STATE_UNUSABLE if failed else 0), ended
    if place == LOG:
        assert len(failed) <= 1, "a sync that has failed was tried again"
    assert not scene.broken_at_rest()
    if failed and ended.code:
        assert started_after(scene, failed[0]) <= scene.bound
    figures("disk errors")[{0: "nothing lost by it", STATE_UNUSABLE: "said so"}[ended.code]] += 1
    assert not scene.broken_at_the_end(scene.finish())


def started_after(scene: Scene, moment: float) -> int:
    """Transactions that the server saw begin after `moment`."""
    return sum(entry["at"] > moment for entry in scene.oracle.entries("mail"))
