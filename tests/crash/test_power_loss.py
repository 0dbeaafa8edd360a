"""The power fails: whatever was called durable is there, and nobody who was handed a message is pending."""

import random
import shutil
import time
from pathlib import Path
from typing import Any

import apsw
import pytest

from campaign_cli.ledger.folder import StateFolder
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.shared import SharedState
from tests.crash.disk import Disk, Record, records
from tests.crash.scene import HERE, states_in

ROWS = 800

RATE = "[example.org=none, example.net=1000000/min]"
"""A limit that stops nobody, so that there are charges to lose."""

DIES_AFTER = 300
"""Messages handed over when the first run of each trace is killed."""

RUN_AGAIN = 3
"""Of each trace's trials, how many are run to their end."""


class Promises:
    """What a trace says was committed, and how much of it was durable."""

    def __init__(self) -> None:
        self.commits: list[tuple[str, Any]] = []
        self.durable = 0
        """The first so many commits were called durable, or somebody was handed a message because of them."""
        self.charged = 0
        self.handed_over: set[str] = set()
        self.unmarked: list[str] = []
        """Handed over, and no mark of it was ever committed."""
        self._committed = 0
        self._promising: dict[int, int] = {}
        self._emails: list[str] = []
        self._marked_in: dict[str, int] = {}

    def play(self, record: Record) -> None:
        match record:
            case ("run",):
                self._promising.clear()
                assert self._committed == len(self.commits), "the first run died in a commit"
            case ("committing", kind, what):
                self.commits.append((kind, what))
                if kind == "enrol":
                    self._emails += [email for email in what if email not in self._emails]
                elif kind == "changes":
                    for statement, values in what:
                        if statement == "mark":
                            self._marked_in[self._emails[values[-1] - 1]] = len(self.commits)
            case ("committed",):
                self._committed = len(self.commits)
            case ("promising", token):
                self._promising[token] = self._committed
            case ("promised", token):
                self.durable = max(self.durable, self._promising.pop(token))
            case ("charged", granted):
                self.charged += sum(granted)
            case ("handed over", emails):
                self.handed_over.update(emails)
                self.unmarked += [email for email in emails if email not in self._marked_in]
                self.durable = max(self.durable, *(self._marked_in.get(email, 0) for email in emails))

    def possible(self) -> list[dict[str, str]]:
        """The states of all recipients after the durable commits, and after each that came behind."""
        states: dict[str, str] = {}
        found = []
        for number, (kind, what) in enumerate([("enrol", []), *self.commits]):
            if kind == "enrol":
                states |= {email: "pending" for email in what if email not in states}
            elif kind == "recover":
                states |= {email: "uncertain" for email, state in states.items() if state == "submitting"}
            else:
                for statement, values in what:
                    email = self._emails[values[-1] - 1]
                    states[email] = {"mark": "submitting", "record": values[0], "unmark": "pending"}[statement]
            if number >= self.durable:
                found.append(dict(states))
        return found


def broken_by_power_loss(left: Path, promises: Promises) -> list[str]:
    """The promises that are broken by what is left of a state folder. It is opened as the next run would."""
    folder = StateFolder(left)
    states = states_in(folder.ledger("crash")) if folder.ledger("crash").exists() else {}
    found = [f"{email} was handed a message without a mark" for email in promises.unmarked]
    if states not in promises.possible():
        durable = promises.possible()[0]
        wrong = {email: (durable[email], states.get(email)) for email in durable if durable[email] != states.get(email)}
        found.append(f"not what was durable, nor anything that came after: (durable, now) of {wrong}")
    folder.create("crash")
    shared = SharedState.open(folder.shared)
    ledger = Ledger.open(folder.ledger("crash"), name="crash", shared=shared, now=time.time())
    ledger.recover()
    after = {result.email: result.status for result in ledger.results()}
    ledger.close()
    shared.close()
    found += [
        f"{email} was handed a message and is {after.get(email)}"
        for email in promises.handed_over
        if after.get(email) not in ("delivered", "uncertain")
    ]
    connection = apsw.Connection(str(folder.shared))
    (charged,) = connection.execute("SELECT coalesce(sum(count), 0) FROM charges").fetchone()
    connection.close()
    if charged < promises.charged:
        found.append(f"{promises.charged} transactions were charged to budgets, which have {charged} of them")
    return found


@pytest.mark.parametrize("speech", ["pipelining", "chunking", "one-by-one"])
def test_what_was_durable_is_there_when_the_power_fails_and_nobody_handed_over_is_pending(
    make_scene, figures, seed, request, tmp_path, speech
) -> None:
    chance = random.Random(f"{seed} {speech}")
    trials = request.config.getoption("power_losses") // 3
    scene = make_scene(speech, 20, lanes=2, rate=RATE)
    emails = [f"p{n}@example.{chance.choice(('org', 'net'))}" for n in range(ROWS)]
    scene.write_list(emails)
    trace = tmp_path / "trace"
    recording = (str(HERE / "recording.py"), str(trace))
    assert scene.start(by=(*recording, str(DIES_AFTER))).end().code == -9
    assert not scene.broken_at_rest()
    assert scene.start(by=(*recording, "0")).end().code in (0, 3)
    history = records(trace)
    # A moment before each record that changes what is on disk or what is promised.
    moments = sorted(chance.choices(range(len(history)), k=trials))
    again = set(chance.sample(moments, RUN_AGAIN))
    counted = figures("power losses")
    disk, promises, played = Disk(), Promises(), 0
    for number, moment in enumerate(moments):
        for record in history[played:moment]:
            disk.play(record)
            promises.play(record)
        played = moment
        left = tmp_path / f"left{number}"
        left.mkdir()
        disk.after_power_loss(scene.folder, chance, left)
        if moment in again:
            shutil.copytree(left, tmp_path / f"again{number}")
        broken = broken_by_power_loss(left / "state", promises)
        assert not broken, f"--seed {seed}, before record {moment}: {history[moment][0]}"
        shutil.rmtree(left)
        if moment in again:
            again.discard(moment)
            resumed = make_scene(speech, 20, lanes=2, rate=RATE)
            resumed.write_list(emails)
            shutil.move(tmp_path / f"again{number}" / "state", resumed.state)
            # Its file is a copy: on the disk that lost power it would be the same one.
            ended = resumed.finish("--adopt")
            twice = promises.handed_over & resumed.oracle.taken().keys()
            assert (ended.code in (0, 3), twice) == (True, set()), f"--seed {seed}, before record {moment}: {ended}"
            assert set(resumed.ledger_states().values()) <= {"delivered", "uncertain"}
            counted["run again"] += 1
        counted["trials"] += 1
    counted["records"] += len(history)
