"""A campaign, its oracle, and what is true of both: the harness of the crash tests."""

from __future__ import annotations

import csv
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import apsw

HERE = Path(__file__).parent

PATIENCE = 100.0
"""Seconds that anything here may take: far more than it needs."""

TEMPLATE = """---
subject: "Hello {{ name }}"
from: Ada <ada@sender.example.org>
---
Dear {{ name }},

this is number {{ number }}, and it is for {{ email }} alone.
"""

BODY = "Dear {name},\r\n\r\nthis is number {number}, and it is for {email} alone.\r\n"


@dataclass(frozen=True)
class Speech:
    """A way of speaking SMTP: what the oracle offers, what the relay's URL asks for, and what docs/architecture.md
    promises to be in flight on one session at most."""

    offers: tuple[str, ...]
    chunking: str
    at_once: int


SPEECHES = {
    "one-by-one": Speech(("--no-pipelining",), "off", 1),
    "pipelining": Speech((), "off", 2),
    "chunking": Speech(("--chunking",), "on", 8),
    "chunking-alone": Speech(("--chunking", "--no-pipelining"), "on", 1),
}


class Oracle:
    """The oracle's process, and its journal."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.journal = folder / "journal"
        self.journal.touch()
        command = [sys.executable, str(HERE / "oracle.py"), "--journal", str(self.journal), *options]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self._hear())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        code = self._process.wait(PATIENCE)
        self._process.stdout.close()
        assert code == 0, f"the oracle ended with {code}"

    def tell(self, order: str) -> None:
        """hold, release or drop: done when this returns."""
        self._say(order)
        self._hear()

    def wait(self, what: str, run: subprocess.Popen[Any] | None = None) -> bool:
        """Until `what` is so; False when `run` ended before."""
        self._say(what)
        assert self._process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if run is not None:
                descriptor = os.pidfd_open(run.pid)
                selector.register(descriptor, selectors.EVENT_READ)
            ready = selector.select(PATIENCE)
            if run is not None:
                os.close(descriptor)
        assert ready, f"waited {PATIENCE:.0f} s for {what!r}"
        if any(key.fileobj is self._process.stdout for key, _ in ready):
            return self._hear() == "yes"
        self._say("forget")
        answer = self._hear()
        while answer in ("yes", "no"):
            answer = self._hear()
        return False

    def settle(self) -> None:
        """Until nothing more can arrive."""
        assert self.wait("settled")

    def entries(self, what: str) -> list[dict[str, Any]]:
        """The journal's, oldest first."""
        with self.journal.open() as lines:
            return [entry for line in lines if (entry := json.loads(line))["what"] == what]

    def taken(self) -> Counter[str]:
        """How many messages it took for each address."""
        return Counter(entry["recipient"] for entry in self.entries("taken"))

    def _say(self, line: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    out: str
    err: str


class Scene:
    """A campaign in a folder of its own, whose relay is the oracle."""

    def __init__(
        self, folder: Path, oracle: Oracle, *, speech: Speech, connections: int, lanes: int = 1, **settings: str
    ) -> None:
        self.folder = folder
        self.oracle = oracle
        self.speech = speech
        self.bound = lanes * connections * speech.at_once
        """Transactions in flight, at most."""
        self.state = folder / "state"
        self.name = settings.get("name", "crash")
        self.rows: dict[str, str] = {}
        """The body that each address must get."""
        self.others: set[str] = set()
        """The addresses of other campaigns with the same oracle."""
        (folder / "hello.txt").write_text(TEMPLATE)
        lines = {
            "template": "hello.txt",
            "relay": f"'smtp://127.0.0.1:{oracle.port}?tls=off&chunking={speech.chunking}'",
            "rate": "[example.org=none]",
            "connections": str(connections),
            "retry": "{base: 100ms, factor: 2, longest: 1s}",
            "name": self.name,
        }
        text = "".join(f"{key}: {value}\n" for key, value in (lines | settings).items())
        (folder / "campaign.yaml").write_text(text)

    def write_list(self, emails: Sequence[str], name: str = "list.csv") -> None:
        """The list, and what each of its addresses must get."""
        with (self.folder / name).open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(["email", "name", "number"])
            for number, email in enumerate(emails):
                rows.writerow([email, f"P{number}", number])
                body = BODY.format(name=f"P{number}", number=number, email=email)
                self.rows[email] = sha256(body.encode()).hexdigest()

    def start(self, *arguments: str, by: Sequence[str] = ("-m", "campaign_cli"), **variables: str) -> Run:
        """Start `campaign send list.csv`, or whatever `by` makes of it."""
        return Run(
            [sys.executable, *by, "send", "list.csv", *arguments],
            cwd=self.folder,
            env=os.environ | {"CAMPAIGN_STATE": str(self.state), "CAMPAIGN_DNS": "off"} | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, *arguments: str, **variables: str) -> Ended:
        """Run it to its end."""
        ended = self.start(*arguments, **variables).end()
        self.oracle.settle()
        return ended

    # ---- what is known ----

    def ledger_states(self) -> dict[str, str]:
        """The state of every recipient as the ledger has it on disk, whatever runs or ran; nothing there is touched."""
        ledger = self.state / "campaigns" / self.name / "ledger.db"
        return states_in(ledger) if ledger.exists() else {}

    def report(self) -> list[dict[str, str]]:
        """The rows of the report; none when there is none."""
        with suppress(FileNotFoundError), (self.folder / f"{self.name}-report.csv").open(newline="") as file:
            return list(csv.DictReader(file))
        return []

    def taken(self) -> Counter[str]:
        """How many of this campaign's messages the oracle took for each address."""
        return Counter({email: n for email, n in self.oracle.taken().items() if email not in self.others})

    # ---- what is promised ----

    def broken_at_rest(self, uncertain_before: int = 0) -> list[str]:
        """The promises that a dead run has broken, as the ledger and the oracle stand now."""
        self.oracle.settle()
        states, taken = self.ledger_states(), self.taken()
        found = [*_twice(taken), *_untrue(states, taken)]
        uncertain = in_flight(states)
        if uncertain - uncertain_before > self.bound:
            found.append(f"{uncertain - uncertain_before} became uncertain, and {self.bound} were in flight at most")
        return found

    def broken_at_the_end(self, ended: Ended) -> list[str]:
        """The promises that are broken when the last run came to its end."""
        states, taken, report = self.ledger_states(), self.taken(), self.report()
        message_ids = {row["email"]: row["message_id"] for row in report}
        found = [*_twice(taken), *_untrue(states, taken)]
        found += [
            f"misdirected: {entry['recipient']} got {entry}"
            for entry in self.oracle.entries("taken")
            if entry["recipient"] in taken and not self._theirs(entry, message_ids)
        ]
        reported = {row["email"]: row["status"] for row in report}
        if [row["email"] for row in report] != list(self.rows):
            found.append(f"the report has {len(report)} rows, the list {len(self.rows)}, or they are others")
        found += [
            f"{email} is {reported.get(email)} in the report and {states.get(email)} in the ledger"
            for email in self.rows
            if reported.get(email) != states.get(email)
        ]
        unfinished = [email for email, state in states.items() if state in ("pending", "deferred", "submitting")]
        found += [f"lost: {email} is {states[email]} at the end" for email in unfinished]
        uncertain = "uncertain" in states.values()
        if ended.code != (3 if uncertain else 0) or "Traceback" in ended.err:
            found.append(f"the last run ended with {ended.code}: {ended.err}")
        return found

    def _theirs(self, entry: dict[str, Any], message_ids: dict[str, str]) -> bool:
        """Whether what the oracle took is what its recipient must get."""
        email = entry["recipient"]
        return (
            entry["body"] == self.rows.get(email)
            and email in entry["to"]
            and entry["message_id"] == message_ids.get(email)
        )


def _twice(taken: Counter[str]) -> list[str]:
    return [f"sent twice: {email}, {count} times" for email, count in taken.items() if count > 1]


def _untrue(states: dict[str, str], taken: Counter[str]) -> list[str]:
    """Delivered and the oracle does not know it; or the oracle has it and it would be sent again."""
    unknown = [email for email, state in states.items() if state == "delivered" and not taken[email]]
    again = {
        email: states.get(email) for email in taken if states.get(email) not in ("delivered", "submitting", "uncertain")
    }
    return [f"lost: {email} is delivered in the ledger and not to the oracle" for email in unknown] + [
        f"to be sent twice: the oracle has {email}, which is {state}" for email, state in again.items()
    ]


class Run(subprocess.Popen[str]):
    """A run of the program."""

    def end(self) -> Ended:
        """Wait for its end."""
        out, err = self.communicate(timeout=PATIENCE)
        return Ended(self.returncode, out, err)


def in_flight(states: dict[str, str]) -> int:
    """How many are uncertain, or will be as soon as somebody looks."""
    return sum(state in ("submitting", "uncertain") for state in states.values())


def states_in(ledger: Path) -> dict[str, str]:
    """The state of every recipient in a copy of `ledger` and its log."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, ledger.name)
        for end in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{ledger}{end}", f"{copy}{end}")
        connection = apsw.Connection(str(copy))
        try:
            if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'recipients'").fetchone():
                return {}
            assert connection.pragma("integrity_check") == "ok"
            return dict(connection.execute("SELECT local || '@' || domain, state FROM recipients ORDER BY line"))
        finally:
            connection.close()
