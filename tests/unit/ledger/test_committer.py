import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from campaign_cli.ledger.changes import Change
from campaign_cli.ledger.committer import Committer
from campaign_cli.model.errors import StateError

FULL = StateError("the disk is full")


class FakeLedger:
    """What was committed, one list a commit; fails from the commit on that `full_at` numbers."""

    def __init__(self, events: list[object], full_at: int = 99) -> None:
        self.tried = 0
        self._events = events
        self._full_at = full_at

    def commit(self, changes: Iterable[Change]) -> None:
        self.tried += 1
        if self.tried >= self._full_at:
            raise FULL
        self._events.append([statement for statement, _ in changes])


def made(full_at: int = 99) -> tuple[Committer, FakeLedger, list[object]]:
    """A committer, its ledger, and what happened: commits as lists, failures as they were told."""
    events: list[object] = []
    ledger: Any = FakeLedger(events, full_at)
    return Committer(ledger, events.append), ledger, events


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(main, 10))


def test_what_comes_at_about_the_same_time_is_one_commit_in_its_order_and_told_after_it() -> None:
    async def main() -> None:
        committer, _, events = made()
        done = asyncio.Event()
        committer.submit(("a", (1,)), lambda: events.append("a durable"))
        committer.submit(("b", (2,)))
        await asyncio.sleep(0)
        committer.submit(("c", (1,)), lambda: (events.append("c durable"), done.set()))
        assert events == []
        await done.wait()
        assert events == [["a", "b", "c"], "a durable", "c durable"]

    run(main())


def test_nothing_is_told_to_be_durable_before_it_is_committed_even_when_it_follows_from_another() -> None:
    async def main() -> None:
        committer, _, events = made()
        done = asyncio.Event()

        def follow() -> None:
            events.append("a durable")
            committer.submit(("b", (1,)), lambda: (events.append("b durable"), done.set()))

        committer.submit(("a", (1,)), follow)
        await done.wait()
        assert events == [["a"], "a durable", ["b"], "b durable"]

    run(main())


def test_what_has_been_gathered_is_committed_at_once_when_asked_and_not_again() -> None:
    async def main() -> None:
        committer, ledger, events = made()
        committer.submit(("a", (1,)), lambda: events.append("a durable"))
        committer.flush()
        assert events == [["a"], "a durable"]
        committer.flush()
        last = asyncio.Event()
        committer.submit(("b", (1,)), last.set)
        await last.wait()
        assert (events[2:], ledger.tried) == ([["b"]], 2)

    run(main())


def test_a_commit_that_fails_is_told_once_nothing_in_it_is_durable_and_none_is_tried_again() -> None:
    async def main() -> None:
        committer, ledger, events = made(full_at=2)
        committer.submit(("a", (1,)), lambda: events.append("a durable"))
        committer.flush()
        committer.submit(("b", (1,)), lambda: events.append("b durable"))
        committer.submit(("c", (2,)), lambda: events.append("c durable"))
        committer.flush()
        committer.submit(("d", (1,)), lambda: events.append("d durable"))
        committer.flush()
        committer.submit(("e", (1,)))
        # Longer than the committer gathers: nothing comes of it.
        await asyncio.sleep(0.01)
        assert (events, ledger.tried) == ([["a"], "a durable", FULL], 2)

    run(main())


def test_what_a_failure_leads_to_is_not_committed_either() -> None:
    async def main() -> None:
        events: list[object] = []
        ledger: Any = FakeLedger(events, full_at=1)

        def failed(error: StateError) -> None:
            events.append(error)
            committer.submit(("given back", (1,)), lambda: events.append("durable"))
            committer.flush()

        committer = Committer(ledger, failed)
        committer.submit(("a", (1,)))
        committer.flush()
        assert (events, ledger.tried) == ([FULL], 1)

    run(main())
