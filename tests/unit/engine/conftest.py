"""A lane's world: sessions and routes that do as they are told, all else as it is in a run."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from math import inf
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from campaign_cli.config.replies import shipped_rules
from campaign_cli.engine import pool
from campaign_cli.engine.budgets import Budgets
from campaign_cli.engine.composers import Composers
from campaign_cli.engine.lane import Lane
from campaign_cli.engine.progress import LaneProgress
from campaign_cli.engine.rooms import Allotment, Rooms
from campaign_cli.engine.suppressions import Suppressions
from campaign_cli.ledger.committer import Committer
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.address import Address
from campaign_cli.model.contact import Contact
from campaign_cli.model.envelope import Message
from campaign_cli.model.errors import CampaignError, NoRouteError
from campaign_cli.model.reply import Answer, Phase, Reply, Silence
from campaign_cli.policy import shaping
from campaign_cli.policy.budgets import Budget
from campaign_cli.policy.limits import parse_pace
from campaign_cli.policy.outcomes import Replies
from campaign_cli.policy.providers import Provider, Providers
from campaign_cli.policy.retry import RetrySchedule
from campaign_cli.policy.shaping import Shaping, ShapingRule
from campaign_cli.transport.connect import Refusal
from campaign_cli.transport.dialogue import Ending, Offers, Transaction
from tests.listed import batches

TAKEN = Ending(Phase.DOT, Reply(250, "2.0.0", "taken"))
DELIVERED = ("delivered", 1, "one:25")


def names(count: int) -> list[str]:
    return [f"p{number}" for number in range(count)]


class FakeSession:
    """Answers by the local part, as the world's script says, one turn of the event loop after the mark is durable."""

    def __init__(self, world: "World", route: str) -> None:
        self.route = route
        self.tls, self.carrier = "none", ""
        self.offers = Offers(pipelining=True)
        self.transactions = 0
        self.proven = self.retired = False
        self.client: Any = None
        self.usable = True
        self.closed = False
        self._world = world
        self._in_flight: list[Transaction] = []

    @property
    def unused(self) -> bool:
        return not self._in_flight

    @property
    def room(self) -> int:
        return self._world.at_once - len(self._in_flight) if self.usable else 0

    @property
    def handed_over(self) -> int:
        return sum(transaction.handed_over for transaction in self._in_flight)

    def pump(self) -> None:
        while self.room > 0 and self.client and (transaction := self.client.next_for(self)):
            self.transactions += 1
            self._in_flight.append(transaction)
            self._world.started.append((transaction.envelope.recipient.local, time.time()))

    def durable(self, transaction: Transaction) -> None:
        if transaction in self._in_flight and not self._world.silent:
            transaction.handed_over = True
            asyncio.get_running_loop().call_soon(self._answer, transaction)

    def _answer(self, transaction: Transaction) -> None:
        # Answers come in the order of what they answer.
        if self._in_flight[:1] == [transaction]:
            script = self._world.script.get(transaction.envelope.recipient.local, [])
            ending = script.pop(0) if script else TAKEN
            if isinstance(ending.answer, Silence):
                self.lose(ending)
            else:
                self._tell([transaction], ending)
                if self._in_flight and self._in_flight[0].handed_over:
                    self._answer(self._in_flight[0])

    def lose(self, ending: Ending) -> None:
        """End in the first one's turn, the others behind it."""
        self.usable = False
        for transaction in self._in_flight[1:]:
            transaction.behind = True
        self._tell(self._in_flight[:], ending)

    def stop(self, why: str) -> None:
        self.usable = False
        self._tell([each for each in self._in_flight if not each.handed_over], Ending(Phase.MAIL, Silence(why)))

    def abort(self) -> None:
        self.usable, self.client = False, None

    def _tell(self, ended: list[Transaction], ending: Ending) -> None:
        for transaction in ended:
            self._in_flight.remove(transaction)
            self.client.ended(self, transaction, ending)
        self.pump()
        if self.unused and self.client:
            self.client.idle(self)


class World:
    """Everything a lane works with. `report` is what the ledger says of each: status, attempts, route."""

    def __init__(self, folder: Path) -> None:
        self.shared = SharedState.open(folder / "shared.db")
        self.ledger = Ledger.open(folder / "ledger.db", name="test", shared=self.shared, now=0.0)
        self.at_once = 1
        self.most_in_hand = inf
        self.silent = False
        self.script: dict[str, list[Ending]] = {}
        self.started: list[tuple[str, float]] = []
        self.sessions: list[FakeSession] = []
        self.relays = ["one:25", "two:25"]
        self.soon_after_opening: Callable[[FakeSession], None] | None = None
        self.proven: set[str] = set()
        self.told: list[str] = []
        self.suppressions = Suppressions(self.shared, tell=self.told.append, failed=self.halt)
        self.halted: list[CampaignError] = []
        self.lanes: list[Lane] = []
        self.composed: list[str] = []
        self.retry = RetrySchedule(base=3600.0, jitter=0.0)
        self.allotment = Allotment()
        self.patience = 5.0
        self.connection_rate = "none"
        self.refusals: list[Refusal] = []
        self.shaping: tuple[ShapingRule, ...] = ()

    # ---- routes ----

    async def open(self, provider: str, exchange: Any = None) -> FakeSession | Refusal:
        await asyncio.sleep(0)
        if not self.relays:
            raise NoRouteError("no relay works")
        if self.refusals:
            return self.refusals.pop(0)
        self.sessions.append(FakeSession(self, exchange if exchange in self.relays else self.relays[0]))
        if self.soon_after_opening:
            asyncio.get_running_loop().call_soon(self.soon_after_opening, self.sessions[-1])
        return self.sessions[-1]

    async def close(self, session: FakeSession) -> None:
        session.abort()
        session.closed = True

    async def give_back(self, session: FakeSession) -> None:
        """Kept open, for another lane."""

    limited = warming = False
    several = True
    has_room = True

    def keeps(self, route: str, provider: str) -> bool:
        return route in self.relays

    def rest(self, route: str) -> float:
        return 0.0

    def all_rest(self, provider: str) -> float:
        return 0.0

    def budget(self, route: str) -> tuple[Budget, ...]:
        return ()

    def look_at(self, route: str, budgets: Budgets) -> None:
        pass

    def delivered(self, route: str) -> None:
        self.proven.add(route)

    def refused(self, route: str, phase: Phase, answer: Answer) -> bool:
        if route in self.proven:
            return False
        if route in self.relays:
            self.relays.remove(route)
        return True

    def exhausted(self, route: str, answer: Answer) -> bool:
        if route in self.relays:
            self.relays.remove(route)
        return True

    # ---- the others ----

    def halt(self, error: CampaignError) -> None:
        self.halted.append(error)
        for lane in self.lanes:
            lane.stop()

    def _compose(self, address: Address, fields: object, *, message_id: str, date: float) -> Message:
        self.composed.append(address.local)
        return Message(message_id, b"Subject: Hi\r\n\r\nbye\r\n", date)

    def lane(
        self,
        *names: str,
        rate: str = "none",
        connections: int = 1,
        most: int = 9999,
        kind: Any = Lane,
        name: str = "x.example",
    ) -> Any:
        """A lane that has `names` to send to, at the provider `name`."""
        opening = parse_pace(self.connection_rate)
        default = Provider("default", (), parse_pace(rate), connections, most, connection_rate=opening)
        providers = Providers.of([default, replace(default, name=name, domains=("x.example",))])
        rows = [Contact(line, Address(each, "x.example"), "{}") for line, each in enumerate(names, 2)]
        found = batches(rows, providers)
        self.ledger.enrol(found, source="list.csv", template="hello.txt")
        composer: Any = SimpleNamespace(domain="y.example", compose=self._compose)
        routes: Any = self
        self.budgets = Budgets(self.shared, self.halt)
        self.committer = Committer(self.ledger, self.halt)
        rooms = Rooms(
            ledger=self.ledger,
            committer=self.committer,
            budgets=self.budgets,
            routes=routes,
            composers=Composers(
                composer,
                self.ledger,
                workers=0,
                clock=time.time,
                failed=self.halt,
                most_in_hand=self.most_in_hand,
            ),
            envelope_sender=Address("ada", "y.example"),
            retry=self.retry,
            patience=self.patience,
            allotment=self.allotment,
            replies=Replies(shipped_rules()),
            shaping=Shaping(self.shaping),
            shared=self.shared,
            suppressions=self.suppressions,
            opens_for=None,
            halt=self.halt,
        )
        self.progress = LaneProgress(name, len(names), rate)
        self.lanes.append(kind(providers.get(name), rooms, self.progress))
        return self.lanes[-1]

    def run(self, lane: Lane, meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        """Drain the lane, doing something meanwhile."""

        async def main() -> None:
            draining = asyncio.create_task(lane.drain())
            if meanwhile:
                await meanwhile()
            await draining
            self.committer.close()
            self.budgets.flush()
            self.suppressions.flush()

        asyncio.run(asyncio.wait_for(main(), 10))

    async def until(self, what: Callable[[], object]) -> None:
        while not what():  # noqa: ASYNC110 (what may be anywhere)
            await asyncio.sleep(0.001)

    @property
    def report(self) -> dict[str, tuple[str, int, str | None]]:
        results = self.ledger.results()
        return {each.email.partition("@")[0]: (each.status, each.attempts, each.route) for each in results}

    @property
    def starts(self) -> Counter[str]:
        return Counter(name for name, _ in self.started)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(pool, "FIRST_BACKOFF", 0.01)
    monkeypatch.setattr(shaping, "FIRST_REST", 0.02)
    world = World(tmp_path)
    yield world
    world.ledger.close()
    world.shared.close()
