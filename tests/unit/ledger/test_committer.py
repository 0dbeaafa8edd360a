import asyncio
import threading
from collections.abc import Coroutine, Iterable
from typing import Any

from campaign_cli.ledger.changes import Change
from campaign_cli.ledger.committer import Committer
from campaign_cli.model.errors import StateError

FULL = StateError("the disk is full")


class FakeLedger:
    """What was committed, one list a commit, and when it was synced; fails from the commit number `full_at` on."""

    def __init__(self, events: list[object], full_at: int = 99) -> None:
        self.tried = 0
        self.disk = threading.Event()
        """A sync waits for it."""
        self.disk.set()
        self.lost = False
        self.short: MemoryError | None = None
        """What a commit raises."""
        self.short_of_memory_to_sync: MemoryError | None = None
        self._events = events
        self._full_at = full_at

    def commit(self, changes: Iterable[Change]) -> None:
        if self.short:
            raise self.short
        self.tried += 1
        if self.tried >= self._full_at:
            raise FULL
        self._events.append([statement for statement, _ in changes])

    def sync(self) -> None:
        assert self.disk.wait(10)
        if self.short_of_memory_to_sync:
            raise self.short_of_memory_to_sync
        if self.lost:
            raise FULL
        self._events.append("synced")


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
        assert events == [["a", "b", "c"], "synced", "a durable", "c durable"]

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
        assert events == [["a"], "synced", "a durable", ["b"], "synced", "b durable"]

    run(main())


def test_what_has_been_gathered_is_committed_at_once_when_asked_and_durable_when_it_is_synced() -> None:
    async def main() -> None:
        committer, ledger, events = made()
        durable = asyncio.Event()
        committer.submit(("a", (1,)), durable.set)
        committer.commit()
        committer.commit()
        assert (events, durable.is_set()) == ([["a"]], False)
        await durable.wait()
        assert (events, ledger.tried) == ([["a"], "synced"], 1)

    run(main())


def test_what_comes_while_the_disk_is_busy_waits_for_the_next_commit_whoever_asked_for_it() -> None:
    async def main() -> None:
        committer, ledger, events = made()
        first, second, third = asyncio.Event(), asyncio.Event(), asyncio.Event()
        ledger.disk.clear()
        committer.submit(("a", (1,)), first.set)
        while not events:  # noqa: ASYNC110
            await asyncio.sleep(0)
        committer.submit(("b", (1,)), second.set)
        committer.commit()
        committer.submit(("c", (1,)), third.set)
        assert events == [["a"], ["b"]]
        ledger.disk.set()
        await third.wait()
        assert events == [["a"], ["b"], "synced", ["c"], "synced"]
        assert first.is_set()
        assert second.is_set()

    run(main())


def test_a_commit_that_fails_is_told_once_nothing_in_it_is_durable_and_none_is_tried_again() -> None:
    async def main() -> None:
        committer, ledger, events = made(full_at=2)
        durable = asyncio.Event()
        committer.submit(("a", (1,)), durable.set)
        await durable.wait()
        committer.submit(("b", (1,)), lambda: events.append("b durable"))
        committer.commit()
        committer.submit(("c", (1,)), lambda: events.append("c durable"))
        committer.commit()
        # Longer than the committer gathers: nothing comes of it.
        await asyncio.sleep(0.01)
        committer.close()
        assert (events, ledger.tried) == ([["a"], "synced", FULL], 2)

    run(main())


def test_a_sync_that_fails_is_told_once_and_nothing_is_durable() -> None:
    async def main() -> None:
        committer, ledger, events = made()
        ledger.lost = True
        committer.submit(("a", (1,)), lambda: events.append("a durable"))
        while FULL not in events:  # noqa: ASYNC110
            await asyncio.sleep(0)
        committer.submit(("b", (1,)), lambda: events.append("b durable"))
        await asyncio.sleep(0.01)
        committer.close()
        assert (events, ledger.tried) == ([["a"], FULL], 1)

    run(main())


def test_what_a_failure_leads_to_is_not_committed_either() -> None:
    async def main() -> None:
        events: list[object] = []
        ledger: Any = FakeLedger(events, full_at=1)

        def failed(error: StateError) -> None:
            events.append(error)
            committer.submit(("given back", (1,)), lambda: events.append("durable"))
            committer.commit()

        committer = Committer(ledger, failed)
        committer.submit(("a", (1,)))
        committer.commit()
        committer.close()
        assert (events, ledger.tried) == ([FULL], 1)

    run(main())


def test_what_a_commit_did_not_take_for_want_of_memory_is_never_durable() -> None:
    async def main() -> None:
        committer, ledger, events = made()
        raised: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context["exception"]))
        short = ledger.short = MemoryError()
        committer.submit(("a", (1,)), lambda: events.append("a durable"))
        while not raised:  # noqa: ASYNC110
            await asyncio.sleep(0)
        ledger.short = None
        committer.submit(("b", (1,)), lambda: events.append("b durable"))
        await asyncio.sleep(0.01)
        committer.close()
        assert (raised, events) == ([short], [])

    run(main())


def test_what_the_thread_that_syncs_raises_is_raised_in_the_event_loop() -> None:
    async def main() -> None:
        committer, ledger, events = made()
        raised: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context["exception"]))
        ledger.short_of_memory_to_sync = MemoryError()
        committer.submit(("a", (1,)), lambda: events.append("a durable"))
        while not raised:  # noqa: ASYNC110
            await asyncio.sleep(0)
        committer.close()
        assert (raised, events) == ([ledger.short_of_memory_to_sync], [["a"]])

    run(main())


def test_an_abandoned_committer_commits_nothing_and_calls_nothing_durable() -> None:
    async def main() -> None:
        committer, ledger, events = made()
        ledger.disk.clear()
        committer.submit(("a", (1,)), lambda: events.append("a durable"))
        while events != [["a"]]:  # noqa: ASYNC110
            await asyncio.sleep(0)
        committer.submit(("b", (1,)), lambda: events.append("b durable"))
        committer.abandon()
        ledger.disk.set()
        await asyncio.sleep(0.01)
        committer.close()
        assert events == [["a"], "synced"]

    run(main())


def test_closing_leaves_nothing_uncommitted_or_unsynced() -> None:
    async def main() -> None:
        committer, _, events = made()
        committer.submit(("a", (1,)), lambda: events.append("a durable"))
        committer.close()
        assert events == [["a"], "synced"]

    run(main())
