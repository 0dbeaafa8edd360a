#!/usr/bin/env python3
"""Break the product in the ways that the crash tests are there for, and see that they turn red.

Each mutation is made in a copy of the checkout. Names on the command line choose among them. Exit code 1: one of
them was not seen, or its place in the code is not there any more.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

KILLS = ("tests/crash/test_kills.py", "-k", "any_moment and pipelining and (20 or 100)", "--kills", "60")
MANY_KILLS = (*KILLS[:-1], "400")
"""Of what goes wrong for less than a millisecond a kill sees little: the first that does ends them."""

OWED = ("tests/crash/test_kills.py", "-k", "owes")
STEPS = ("tests/crash/test_fail_points.py", "-k", "killed")
POWER = ("tests/crash/test_power_loss.py",)
MACHINE = ("tests/crash/test_ledger_machine.py", "-k", "whatever", "--examples", "300")
LIMITS = ("tests/crash/test_limits.py", "-k", "two_campaigns")
JUMPS = ("tests/crash/test_limits.py", "-k", "jump")
STARTS = ("tests/crash/test_starts.py", "-k", "owns")


@dataclass(frozen=True)
class Mutation:
    """What is replaced in which file, the tests that must turn red, each of them, and those that cannot see it."""

    name: str
    changes: tuple[tuple[str, str, str], ...]
    red: tuple[tuple[str, ...], ...]
    green: tuple[tuple[str, ...], ...] = ()


LEDGER = "campaign_cli/ledger/ledger.py"
SQL = "campaign_cli/ledger/sql/ledger.sql"
COMMITTER = "campaign_cli/ledger/committer.py"
SUBMIT = """        self._changes.append(change)
        if durable:
            self._waiting.append(durable)
"""

MUTATIONS = (
    Mutation(
        "no mark before the dot",
        (
            (
                COMMITTER,
                SUBMIT,
                """        marks = self.__dict__.setdefault("marks", {})
        if change[0] == "mark":
            marks[change[1][-1]] = change
            asyncio.get_running_loop().call_soon(durable)
            return
        if mark := marks.pop(change[1][-1], None):
            self._changes.append(mark)
        self._changes.append(change)
""",
            ),
        ),
        (KILLS, OWED, STEPS, POWER),
    ),
    Mutation(
        "barrier removed",
        (
            (
                COMMITTER,
                SUBMIT,
                """        self._changes.append(change)
        if durable:
            asyncio.get_running_loop().call_soon(durable)
""",
            ),
        ),
        (MANY_KILLS, POWER),
    ),
    Mutation(
        "no sync of the log",
        ((LEDGER, "            os.fdatasync(self._log)\n", "            pass\n"),),
        (POWER, MACHINE),
        (KILLS, STEPS),
    ),
    Mutation(
        "synchronous=NORMAL",
        (("campaign_cli/ledger/database.py", '"synchronous", "FULL"', '"synchronous", "NORMAL"'),),
        (POWER,),
        (KILLS, STEPS),
    ),
    Mutation(
        "names of folders not synced",
        (("campaign_cli/ledger/folder.py", "                _sync(each)\n", "                pass\n"),),
        (POWER,),
        (KILLS,),
    ),
    Mutation(
        "checkpoint at fetch",
        (
            (
                LEDGER,
                "        claimed = [recipient_of(",
                """        with transaction(self._connection):
            marked = "UPDATE recipients SET state = 'submitting' WHERE id = ?"
            self._connection.executemany(marked, [row[:1] for row in rows])
        claimed = [recipient_of(""",
            ),
            (
                SQL,
                "FROM campaign)\nWHERE id = ? AND state IN ('pending', 'deferred')",
                "FROM campaign)\nWHERE id = ? AND state IN ('pending', 'deferred', 'submitting')",
            ),
        ),
        (KILLS, STEPS),
    ),
    Mutation(
        "result before reply",
        (
            (
                "campaign_cli/engine/lane.py",
                "        self._rooms.committer.submit(mark, durable)\n",
                """        def done() -> None:
            durable()
            delivered = changes.record(ready.recipient, State.DELIVERED, reply=None, reason=None)
            self._rooms.committer.submit(delivered)

        self._rooms.committer.submit(mark, done)
""",
            ),
            (
                "campaign_cli/engine/lane.py",
                "from campaign_cli.model.outcome import",
                "from campaign_cli.model.lifecycle import State\nfrom campaign_cli.model.outcome import",
            ),
            (
                SQL,
                "due_at = ?\nWHERE id = ? AND state = 'submitting'",
                "due_at = ?\nWHERE id = ? AND state IN ('submitting', 'delivered')",
            ),
        ),
        (OWED,),
    ),
    Mutation(
        "limit not persisted",
        (
            (
                "campaign_cli/ledger/shared.py",
                "        connection = open_database(path, SCHEMA)\n",
                """        connection = open_database(path, SCHEMA)
        connection.execute(
            "CREATE TEMP TABLE charges (provider TEXT, until REAL, count INTEGER, PRIMARY KEY (provider, until))"
        )
""",
            ),
        ),
        (LIMITS, POWER),
    ),
    Mutation(
        "what was in flight is pending again",
        ((SQL, "SET state = 'uncertain', reason = 'handed over", "SET state = 'pending', reason = 'handed over"),),
        (KILLS, STEPS, MACHINE),
    ),
    Mutation(
        "budgets on the wall clock",
        (("campaign_cli/ledger/clock.py", "return boot_seconds() + self._offset", "return time.time()"),),
        (JUMPS,),
    ),
    Mutation(
        "no lock",
        (("campaign_cli/ledger/lock.py", "fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass"),),
        (STARTS,),
    ),
)


def mutated(mutation: Mutation, folder: Path) -> None:
    """A copy of the checkout in `folder`, with the mutation. Raises ValueError when there is no place for it."""
    for name in ("campaign_cli", "tests", "pyproject.toml"):
        copy = shutil.copytree if (CHECKOUT / name).is_dir() else shutil.copyfile
        copy(CHECKOUT / name, folder / name)
    for name, old, new in mutation.changes:
        file = folder / name
        text = file.read_text()
        if text.count(old) != 1:
            raise ValueError(f"{name} has {text.count(old)} times what it replaces: {old.strip().splitlines()[0]}")
        file.write_text(text.replace(old, new))


def failures(tests: tuple[str, ...], folder: Path) -> int | None:
    """How many of the tests failed; None: they could not be run."""
    command = [sys.executable, "-m", "pytest", "-n0", "-q", "-p", "no:cacheprovider", "--tb=no", "--maxfail=3", *tests]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode not in (0, 1):
        print(ran.stdout, ran.stderr)
        return None
    found = re.search(r"(\d+) failed", ran.stdout)
    return int(found[1]) if found else 0


def main() -> int:
    chosen = [mutation for mutation in MUTATIONS if not sys.argv[1:] or mutation.name in sys.argv[1:]]
    missed = 0
    for mutation in chosen:
        with tempfile.TemporaryDirectory(prefix="mutation-") as name:
            folder = Path(name)
            try:
                mutated(mutation, folder)
            except ValueError as error:
                print(f"{mutation.name}: no place for it: {error}", flush=True)
                missed += 1
                continue
            for expected, groups in (("red", mutation.red), ("green", mutation.green)):
                for tests in groups:
                    failed = failures(tests, folder)
                    seen = failed is not None and bool(failed) == (expected == "red")
                    missed += not seen
                    what = "could not be run" if failed is None else "red" if failed else "green"
                    short = f"{Path(tests[0]).stem} {' '.join(tests[2:3])}".strip()
                    print(f"{'' if seen else 'WRONG: '}{mutation.name}: {short}: {what}", flush=True)
    print(f"{len(chosen)} mutations, {missed} not as expected")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
