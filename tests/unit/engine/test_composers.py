import asyncio
import os
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from campaign_cli.content.composer import Composer
from campaign_cli.content.template import load_template
from campaign_cli.content.worker import ENOUGH
from campaign_cli.engine import composers as module
from campaign_cli.engine import worker
from campaign_cli.engine.composers import DEATHS_FORGIVEN, Composers, compose, workers_for
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.envelope import Message
from campaign_cli.model.errors import CampaignError
from campaign_cli.model.recipient import Recipient

TEMPLATE = "---\nsubject: Hi\n---\n{% if name == 'odd' %}{{ 1 // 0 }}{% endif %}Dear {{ name }}\n"
LEDGER: Any = SimpleNamespace(message_id=lambda recipient, domain: f"<{recipient.id}@{domain}>")
ENDS = f"the process that composes messages ends as soon as it starts: is memory short? {module.RELIEF}"
DIED = "the process that composed its message died of it"

KILLED = (
    "import sys; sys.path[:] = {path!r}\n"
    "import os, signal\n"
    "from campaign_cli.content import worker\n"
    "made = worker._compose\n"
    "def compose(composer, order, watch):\n"
    "    if order[0].startswith('killer'): os.kill(os.getpid(), signal.SIGKILL)\n"
    "    return made(composer, order, watch)\n"
    "worker._compose = compose\n"
    "worker.main({descriptor})\n"
)
"""A worker that is killed by whoever is called so."""


class Room:
    """Composers and what they told: (name, what) in its order. Anything but a message is told in words."""

    def __init__(self, folder: Path, workers: int) -> None:
        path = folder / "mail.txt"
        path.write_text(TEMPLATE)
        self.composer = Composer(load_template(path), Mailbox("News", Address("news", "y.example")))
        self.told: list[tuple[str, Message | str]] = []
        self.failures: list[str] = []
        self.composers = Composers(
            self.composer, LEDGER, workers=workers, clock=lambda: 1_700_000_000.0, failed=self._failed
        )
        self._changed = asyncio.Event()

    def _failed(self, error: CampaignError) -> None:
        self.failures.append(str(error))
        self._changed.set()

    def _composed(self, recipients: Sequence[Recipient], made: Sequence[Message | str]) -> None:
        self.told += [(recipient.address.local, what) for recipient, what in zip(recipients, made, strict=True)]
        self._changed.set()

    def order(self, *names: str) -> None:
        self.composers.compose([recipient(name) for name in names], self._composed)

    async def until(self, what: Callable[[], object]) -> None:
        while not what():
            self._changed.clear()
            await self._changed.wait()

    def made_here(self, name: str) -> tuple[str, Message]:
        whom = recipient(name)
        message_id = LEDGER.message_id(whom, self.composer.domain)
        return name, compose(whom, self.composer, message_id=message_id, now=1_700_000_000.0)


def recipient(name: str) -> Recipient:
    fields = f'{{"name": "{name}"}}'
    return Recipient(sum(name.encode()), 2, Address(name, "x.example"), "x.example", fields, 0, None, None)


LARGE = "---\nsubject: Hi\n---\n" + f"{'x' * 70}\n" * 30_000 + "{{ name }}\n"
"""A message of two megabytes."""


def children() -> set[int]:
    """The processes that this one has started: zombies, too."""
    own = Path(f"/proc/{os.getpid()}/task")
    return {int(pid) for thread in own.iterdir() for pid in (thread / "children").read_text().split()}


def during(folder: Path, act: Callable[[Room], Coroutine[Any, Any, None]], workers: int = 1) -> Room:
    """The room after `act`. No process is left of it."""

    async def main() -> Room:
        room = Room(folder, workers)
        try:
            await act(room)
        finally:
            room.composers.close()
        return room

    before = children()
    room = asyncio.run(asyncio.wait_for(main(), 20))
    assert children() <= before
    return room


@pytest.mark.parametrize("workers", [0, 1])
def test_everybody_is_told_later_in_the_order_asked_for_and_what_cannot_be_made_in_words(
    tmp_path: Path, workers: int
) -> None:
    async def act(room: Room) -> None:
        room.order("ann", "odd", "bob")
        room.order("cy")
        assert room.told == []
        await room.until(lambda: len(room.told) == 4)

    room = during(tmp_path, act, workers)
    odd = "odd", f"{tmp_path / 'mail.txt'}:4: integer division or modulo by zero"
    assert room.told == [room.made_here("ann"), odd, room.made_here("bob"), room.made_here("cy")]
    assert room.failures == []


def test_with_several_workers_each_batch_keeps_its_order_and_no_more_are_started(tmp_path: Path) -> None:
    async def act(room: Room) -> None:
        before = children()
        for batch in range(6):
            room.order(*(f"{batch}-{place}" for place in range(5)))
        assert len(children() - before) == 2
        await room.until(lambda: len(room.told) == 30)
        assert len(children() - before) == 2

    room = during(tmp_path, act, workers=2)
    assert sorted(room.told, key=lambda told: told[0][0]) == [
        room.made_here(f"{batch}-{place}") for batch in range(6) for place in range(5)
    ]


@pytest.mark.parametrize("connected", [True, False])
def test_closed_their_processes_have_ended_and_nothing_more_is_told(tmp_path: Path, connected: bool) -> None:
    async def act(room: Room) -> None:
        before = children()
        if connected:
            room.order("ann")
            await room.until(lambda: room.told)
        for _ in range(5):
            room.order(*map(str, range(50)))
        assert len(children() - before) == 1
        room.composers.close()
        assert children() <= before
        # By the time that another's worker has answered, theirs would have.
        other = Room(tmp_path, 1)
        other.order("bob")
        await other.until(lambda: other.told)
        other.composers.close()

    room = during(tmp_path, act)
    assert (room.told, room.failures) == ([room.made_here("ann")] if connected else [], [])


@pytest.mark.parametrize(
    "names", [["killer", "ann", "bob"], ["ann", "killer", "bob"], ["killer1", "killer2", "ann"], ["killer"]]
)
def test_who_kills_workers_is_told_to_have_failed_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str]
) -> None:
    monkeypatch.setattr(worker, "WORKER", KILLED)

    async def act(room: Room) -> None:
        room.order(*names)
        room.order("cy", "dan")
        await room.until(lambda: len(room.told) == len(names) + 2)

    room = during(tmp_path, act)
    told = [(name, DIED) if name.startswith("killer") else room.made_here(name) for name in (*names, "cy", "dan")]
    assert (sorted(room.told, key=str), room.failures) == (sorted(told, key=str), [])


def test_a_batch_whose_worker_was_killed_once_is_made_as_if_nothing_had_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = tmp_path / "once"
    kill_once = KILLED.replace(
        "if order[0].startswith('killer'):",
        f"if order[0] == 'bob' and not os.path.exists({str(once)!r}): os.mkdir({str(once)!r});",
    )
    monkeypatch.setattr(worker, "WORKER", kill_once)

    async def act(room: Room) -> None:
        room.order("ann", "bob")
        room.order("cy")
        await room.until(lambda: len(room.told) == 3)

    room = during(tmp_path, act)
    assert (room.told, room.failures) == ([room.made_here(name) for name in ("ann", "bob", "cy")], [])
    assert once.exists()


def test_workers_that_end_as_soon_as_they_start_are_a_failure_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = tmp_path / "started"
    monkeypatch.setattr(worker, "WORKER", f"open({str(started)!r}, 'a').write('x')")

    async def act(room: Room) -> None:
        for _ in range(3):
            room.order("ann", "bob")
        await room.until(lambda: room.failures)

    room = during(tmp_path, act)
    assert (room.told, room.failures, started.read_text()) == ([], [ENDS], "x" * (DEATHS_FORGIVEN + 1))


def test_many_who_kill_workers_at_the_same_time_do_not_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "WORKER", KILLED)

    async def act(room: Room) -> None:
        for batch in range(4):
            room.order(f"killer{batch}", f"ann{batch}")
        await room.until(lambda: len(room.told) == 8 or room.failures)

    room = during(tmp_path, act, workers=4)
    assert (len(room.told), room.failures) == (8, [])
    assert sorted(name for name, what in room.told if what == DIED) == [f"killer{batch}" for batch in range(4)]


@pytest.mark.parametrize(
    ("cores", "count", "signed", "workers"),
    [
        (1, 100_000, False, 1),
        (2, 100_000, False, 1),
        (2, 100_000, True, 2),
        (8, 100_000, False, 4),
        (8, 100_000, True, 8),
        (64, 100_000, True, 16),
        (8, 900, False, 1),
        (8, 900, True, 4),
        (8, 1, True, 1),
    ],
)
def test_those_that_sign_have_every_core(
    monkeypatch: pytest.MonkeyPatch, cores: int, count: int, signed: bool, workers: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert workers_for(count, signed=signed) == workers


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_what_is_in_hand_is_bounded_by_its_octets_and_whoever_has_nothing_gets_something(
    tmp_path: Path, workers: int
) -> None:
    names, others = [f"p{number}" for number in range(60)], [f"q{number}" for number in range(10)]
    others_told: list[str] = []
    most = 5_000_000
    sizes: dict[str, int] = {}
    highest = 0

    def told(recipients: Sequence[Recipient], made: Sequence[Message | str]) -> None:
        for recipient, message in zip(recipients, made, strict=True):
            assert isinstance(message, Message)
            sizes[recipient.address.local] = len(message.content)

    async def act(room: Room) -> None:
        nonlocal highest
        path = tmp_path / "large.txt"
        path.write_text(LARGE)
        composer = Composer(load_template(path), Mailbox("News", Address("news", "y.example")))
        composers = room.composers = Composers(
            composer, LEDGER, workers=workers, clock=lambda: 0.0, failed=room._failed, most_in_hand=most
        )

        def composed(recipients: Sequence[Recipient], made: Sequence[Message | str]) -> None:
            told(recipients, made)
            room._composed(recipients, made)

        def others_composed(recipients: Sequence[Recipient], made: Sequence[Message | str]) -> None:
            told(recipients, made)
            others_told.extend(recipient.address.local for recipient in recipients)
            room._changed.set()

        for start in range(0, len(names), 10):
            composers.compose([recipient(name) for name in names[start : start + 10]], composed)
        composers.compose([recipient(name) for name in others], others_composed)
        await room.until(lambda: composers._in_hand > most)
        await asyncio.sleep(0.5)
        # Beyond it there is what was in work: of each worker an answer or two, which end where they have enough.
        highest = composers._in_hand
        assert (len(room.told) < len(names), others_told) == (True, [])
        composers.need(others_composed)
        await room.until(lambda: others_told)
        assert len(others_told) < len(others)
        let_go: set[str] = set()
        while len(let_go) < len(names) + len(others):
            for name in [*sizes]:
                if name not in let_go:
                    let_go.add(name)
                    composers.let_go(sizes[name])
            await asyncio.sleep(0)
        assert composers._in_hand == 0

    room = during(tmp_path, act, workers)
    assert sorted(name for name, _ in room.told) == sorted(names)
    assert workers or [name for name, _ in room.told] == names
    assert others_told == others
    assert highest < most + max(workers, 1) * 2 * (ENOUGH + max(sizes.values()))
