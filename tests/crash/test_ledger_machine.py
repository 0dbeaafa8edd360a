"""The ledger against a model of it, with crashes between any two calls: of its process, and of the machine."""

import json
import os
import random
import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import apsw
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from campaign_cli.config.providers import shipped_providers
from campaign_cli.ledger import changes
from campaign_cli.ledger.folder import StateFolder
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.shared import SharedState
from campaign_cli.ledger.view import Place
from campaign_cli.model.address import Address
from campaign_cli.model.contact import BadRow, Contact, Row
from campaign_cli.model.lifecycle import State
from campaign_cli.model.recipient import Recipient
from campaign_cli.model.reply import Reply
from campaign_cli.policy.providers import Providers
from tests.crash.disk import Disk
from tests.crash.recording import note_system_calls, register
from tests.listed import batches

PROVIDERS = Providers.of(shipped_providers().values())

ADDRESSES = [Address(f"p{n}", "gmail.com") for n in range(8)]

ROWS = st.lists(st.one_of(st.sampled_from(ADDRESSES), st.just(None)), max_size=10)
"""Lists: recipients in any order, some twice, and bad rows."""

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""What is on disk is the model's to know: the files are where nothing waits."""

CHECKPOINT_EVERY = 20
"""Pages: a few commits."""

Known = dict[str, tuple[str, int]]
"""State and attempts of each recipient."""


class Notes:
    """Plays what happens to files under `root` on the disk that is now; what a dead process still does is nothing."""

    def __init__(self) -> None:
        self.root = Path()
        self.disk = Disk()
        self._tokens = 0

    def token(self) -> int:
        self._tokens += 1
        return self._tokens

    def note(self, *record: Any) -> None:
        if record[0] == "synced" or str(record[1]).startswith(str(self.root.parent)):
            self.disk.play(record)


class LedgerMachine(RuleBasedStateMachine):
    """What a run does, in any order that the lifecycle allows."""

    @initialize()
    def begin(self) -> None:
        self.stack = ExitStack()
        self.folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY)))
        self.notes = Notes()
        saved = {name: getattr(os, name) for name in ("mkdir", "open", "fsync", "fdatasync")}
        self.stack.enter_context(mock.patch.multiple(os, **saved))
        note_system_calls(self.notes)
        vfs = register(self.notes)
        self.stack.callback(vfs.unregister)
        self.stack.callback(apsw.set_default_vfs, "unix")
        self.stack.enter_context(
            mock.patch("campaign_cli.ledger.ledger.CHECKPOINTED_AT_ONCE", CHECKPOINT_EVERY, create=True)
        )
        self.lives = 0
        self.listing = 0
        self.listed: dict[str, int] = {}
        self.lines: dict[str, int] = {}
        self.others = 0
        self.suppressed: set[str] = set()
        self.history: list[Known] = [{}]
        """What is durable, and every state since; the last is now."""
        self.changes: list[changes.Change] = []
        self.hand: dict[str, Recipient] = {}
        root = self.folder / "life0" / "state"
        root.parent.mkdir()
        self.notes.root = root
        self.notes.disk = Disk()
        self.open(root)

    def open(self, root: Path) -> None:
        folder = StateFolder(root)
        folder.create("c")
        self.shared = SharedState.open(folder.shared)
        self.ledger = Ledger.open(folder.ledger("c"), name="c", shared=self.shared, now=0.0)
        self.stack.callback(self.close, self.ledger, self.shared)
        self.hand, self.changes = {}, []

    @staticmethod
    def close(ledger: Ledger, shared: SharedState) -> None:
        ledger.close()
        shared.close()

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.stack.close()

    # ---- the model ----

    @property
    def now(self) -> Known:
        return self.history[-1]

    def became(self, known: Known, *, durable: bool = False) -> None:
        """A commit."""
        self.history.append(known)
        if durable:
            self.history = self.history[-1:]

    def in_state(self, *states: str) -> list[str]:
        """Recipients of the list as it is now."""
        return [key for key, (state, _) in self.now.items() if state in states and self.listed[key] == self.listing]

    # ---- rules ----

    @rule(rows=ROWS)
    def enrol(self, rows: list[Address | None]) -> None:
        if self.changes or self.in_state("submitting"):
            return
        self.listing += 1
        known, seen = dict(self.now), set()
        listed: list[Row] = []
        for line, address in enumerate(rows, 2):
            if address is None:
                listed.append(BadRow(line, "nobody", "no address"))
                continue
            listed.append(Contact(line, address, json.dumps({"email": address.email})))
            if address.key not in seen:
                known.setdefault(address.key, ("pending", 0))
                self.listed[address.key], self.lines[address.key] = self.listing, line
            seen.add(address.key)
        self.others = len(rows) - len(seen)
        for key, (state, attempts) in known.items():
            if self.listing > 1 and state == "failed" and self.listed[key] == self.listing:
                known[key] = "pending", attempts
            if self.listing > 1 and state == "suppressed" and key not in self.suppressed:
                known[key] = "pending", attempts
            if known[key][0] in ("pending", "deferred", "failed") and key in self.suppressed:
                known[key] = "suppressed", attempts
        self.ledger.enrol(batches(listed, PROVIDERS), source="list.csv", template="hello.txt")
        self.became(known, durable=True)
        self.hand = {}

    @precondition(lambda self: not self.changes)
    @rule(count=st.integers(1, 10))
    def claim(self, count: int) -> None:
        waiting = sorted(self.in_state("pending", "deferred"), key=lambda key: self.lines[key])[:count]
        claimed, _ = self.ledger.claim("gmail", count, time.time(), Place())
        free = [key for key in waiting if key not in self.suppressed]
        assert [recipient.address.key for recipient in claimed] == free
        assert [recipient.attempts for recipient in claimed] == [self.now[key][1] for key in free]
        gone = {key: ("suppressed", self.now[key][1]) for key in waiting if key in self.suppressed}
        if gone:
            self.became(self.now | gone)
        self.hand = {recipient.address.key: recipient for recipient in claimed}

    def change(self, change: changes.Change, key: str, state: str, attempts: int) -> None:
        """To be committed with others."""
        self.changes.append(change)
        self.pending = (self.pending if len(self.changes) > 1 else dict(self.now)) | {key: (state, attempts)}

    def known(self, key: str) -> tuple[str, int]:
        return self.pending[key] if self.changes else self.now[key]

    @precondition(lambda self: self.hand)
    @rule(data=st.data(), what=st.sampled_from(["mark", "fail", *(state.value for state in State)]))
    def go_on_with_one(self, data: st.DataObject, what: str) -> None:
        key = data.draw(st.sampled_from(sorted(self.hand)))
        recipient = self.hand[key]
        state, attempts = self.known(key)
        if state in ("pending", "deferred") and what == "fail":
            self.change(changes.fail(recipient, "no name"), key, "failed", attempts)
        elif state in ("pending", "deferred"):
            mark = changes.mark(recipient, message_id="<m@x>", route="relay", dated_at=1.0, now=1.0)
            self.change(mark, key, "submitting", attempts + 1)
        elif state == "submitting" and what in ("delivered", "bounced", "deferred", "expired", "uncertain"):
            reply = None if what == "uncertain" else Reply(250, "2.0.0", "taken")
            self.change(changes.record(recipient, State(what), reply=reply, reason=None), key, what, attempts)
        elif state == "submitting" and what == "pending":
            back = "deferred" if attempts > 1 else "pending"
            self.change(changes.unmark(recipient), key, back, attempts - 1)

    @precondition(lambda self: self.changes)
    @rule()
    def commit(self) -> None:
        self.ledger.commit(self.changes)
        self.changes = []
        self.became(self.pending)

    @rule()
    def sync(self) -> None:
        self.ledger.sync()
        self.became(self.now, durable=True)

    @rule(address=st.sampled_from(ADDRESSES))
    def suppress(self, address: Address) -> None:
        self.shared.suppress([address], reason="asked", now=1.0)
        self.suppressed.add(address.key)

    @rule(address=st.sampled_from(ADDRESSES))
    def lift(self, address: Address) -> None:
        self.shared.lift([address])
        self.suppressed.discard(address.key)

    @precondition(lambda self: not self.changes)
    @rule()
    def resend_uncertain(self) -> None:
        uncertain = self.in_state("uncertain")
        assert self.ledger.resend_uncertain() == len(uncertain)
        self.became(self.now | {key: ("pending", self.now[key][1]) for key in uncertain}, durable=True)
        self.hand = {}

    @rule()
    def crash(self) -> None:
        """The process is killed: what it has committed is there, whether it was synced or not."""
        root = self.next_life()
        self.notes.disk = self.notes.disk.moved(self.notes.root.parent, root.parent)
        shutil.copytree(self.notes.root, root, ignore=shutil.ignore_patterns("*-shm"))
        self.live_on(root, [self.now])

    @rule(seed=st.integers(0, 2**32))
    def power_loss(self, seed: int) -> None:
        """The machine stops: what was durable is there, and maybe some of the commits since, in their order."""
        root = self.next_life()
        self.notes.disk.after_power_loss(self.notes.root.parent, random.Random(seed), root.parent)
        self.notes.disk = Disk.holding(root)
        self.live_on(root, self.history)

    def next_life(self) -> Path:
        self.lives += 1
        root = self.folder / f"life{self.lives}" / "state"
        root.parent.mkdir()
        return root

    def live_on(self, root: Path, possible: list[Known]) -> None:
        self.notes.root = root
        self.open(root)
        found = self.found()
        assert found in possible, f"{found} is neither what was durable nor what came after: {possible}"
        uncertain = {key: ("uncertain", n) for key, (state, n) in found.items() if state == "submitting"}
        assert self.ledger.recover() == len(uncertain)
        self.became(found | uncertain, durable=True)

    def found(self) -> Known:
        """What the ledger says of everyone, in flight or not."""
        path = StateFolder(self.notes.root).ledger("c")
        connection = apsw.Connection(f"{path}", flags=apsw.SQLITE_OPEN_READONLY)
        rows = connection.execute("SELECT key, state, attempts FROM recipients").fetchall()
        connection.close()
        return {key: (state, attempts) for key, state, attempts in rows}

    # ---- what is always true ----

    @invariant()
    def every_row_is_in_one_state(self) -> None:
        if not hasattr(self, "ledger"):
            return
        states = self.ledger.states()
        assert sum(states.values()) == self.others + sum(listing == self.listing for listing in self.listed.values())
        shown = {result.email: result.status for result in self.ledger.results(withdrawn=True) if result.provider}
        assert {key: state.replace("submitting", "uncertain") for key, (state, _) in self.now.items()} == {
            email: status.replace("submitting", "uncertain") for email, status in shown.items()
        }


def test_whatever_happens_the_ledger_says_what_is_true(request: pytest.FixtureRequest) -> None:
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=request.config.getoption("examples"),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
