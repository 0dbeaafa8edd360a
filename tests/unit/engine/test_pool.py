import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from campaign_cli.engine import pool
from campaign_cli.model.reply import Phase, Reply
from campaign_cli.transport.connect import Refusal
from campaign_cli.transport.dialogue import Ending
from tests.unit.engine.conftest import DELIVERED, names


def test_a_full_session_is_closed_and_another_opened(world: Any) -> None:
    world.run(world.lane(*names(5), most=2))

    assert [(session.transactions, session.closed) for session in world.sessions] == [(2, True), (2, True), (1, False)]
    assert world.report == dict.fromkeys(names(5), DELIVERED)


def test_a_session_that_the_server_calls_full_is_closed_and_costs_nobody_an_attempt_or_a_wait(world: Any) -> None:
    full = Ending(Phase.MAIL, Reply(452, "4.5.3", "Too many messages sent"))
    world.script = {"p3": [full], "p5": [full]}
    world.run(world.lane(*names(7)))

    assert [session.closed for session in world.sessions] == [True, True, False]
    assert world.report == dict.fromkeys(names(7), DELIVERED)


def test_no_more_sessions_are_open_than_the_provider_is_given(world: Any) -> None:
    world.run(world.lane(*names(40), connections=3))

    assert len(world.sessions) == 3
    assert world.report == dict.fromkeys(names(40), DELIVERED)


def test_connections_are_opened_no_faster_than_the_provider_wants_them(world: Any) -> None:
    world.connection_rate = "2/10s, max_burst=2"
    lane = world.lane(*names(30), connections=5, most=3)

    async def meanwhile() -> None:
        await world.until(lambda: world.progress.delivered == 6)
        await asyncio.sleep(0.1)
        lane.stop()

    world.run(lane, meanwhile)
    assert (len(world.sessions), len(world.started)) == (2, 6)


def test_a_provider_that_refuses_the_session_for_its_pace_is_waited_for_and_nobody_is_charged_an_attempt(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "LEFT_ALONE", 0.05)
    greeting = Refusal(Phase.GREETING, Reply(421, "4.7.0", "too many connections from you"), lasting=False)
    world.refusals = [greeting, greeting]
    world.run(world.lane(*names(4), rate="1000/s"))

    assert world.report == dict.fromkeys(names(4), DELIVERED)
    world.refusals = [Refusal(Phase.GREETING, Reply(554, "5.3.2", "no service here"), lasting=True)]
    world.run(world.lane(*names(5), rate="1000/s"))
    assert world.report["p4"][:2] == ("deferred", 1)


def test_each_session_lost_in_a_row_makes_the_next_wait_longer_until_something_is_taken(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "time", SimpleNamespace(monotonic=lambda: 0.0))
    monkeypatch.setattr(pool, "FIRST_BACKOFF", 1.0)
    its = world.lane("p0")._pool

    def waits() -> float:
        its.back_off()
        rest: float = its.rest
        return rest

    assert [waits() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    world.progress.delivered += 1
    assert [waits(), waits()] == [1, 2]


def test_a_session_that_is_retired_carries_nothing_more_for_any_lane(world: Any) -> None:
    world.run(world.lane(*names(2)))
    session = world.sessions[0]
    assert world.lane("p9")._pool.fit(session)
    session.retired = True
    assert not world.lane("p8")._pool.fit(session)
