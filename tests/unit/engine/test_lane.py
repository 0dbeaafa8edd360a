import asyncio
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from campaign_cli.engine import composers
from campaign_cli.engine.lane import Lane
from campaign_cli.engine.rooms import Allotment
from campaign_cli.model.errors import NoRouteError, StateError
from campaign_cli.model.reply import Phase, Reply, Silence
from campaign_cli.policy.retry import RetrySchedule
from campaign_cli.policy.shaping import ShapingRule
from campaign_cli.transport.dialogue import Ending
from tests.unit.engine.conftest import DELIVERED, names

LOST = Ending(Phase.RCPT, Silence("the server closed the connection"))
NOT_YOU = Ending(Phase.MAIL, Reply(550, "5.7.1", "not you"))
LATER = Ending(Phase.RCPT, Reply(451, "4.7.1", "later"))
UNTOUCHED = ("pending", 0, None)


def charged(world: Any, lane: Any) -> int:
    charges: list[Any] = world.shared.charges(lane._shaper.budgets[0])
    return sum(charge.starts for charge in charges)


def test_everybody_is_delivered_in_list_order_on_one_session_that_is_then_given_back(world: Any) -> None:
    world.run(world.lane(*names(200)))

    assert [name for name, _ in world.started] == names(200)
    assert world.report == dict.fromkeys(names(200), DELIVERED)
    assert [(session.transactions, session.closed, session.client) for session in world.sessions] == [
        (200, False, None)
    ]
    assert (world.progress.delivered, world.progress.attempts, world.progress.finished) == (200, 200, True)


@pytest.mark.parametrize("at_once", [1, 2, 8])
def test_a_limited_lane_starts_what_is_granted_and_waits_with_the_rest(world: Any, at_once: int) -> None:
    world.at_once = at_once
    lane = world.lane(*names(30), rate="7/h, max_burst=7", connections=3)

    async def meanwhile() -> None:
        await world.until(lambda: world.progress.waiting_for == "its budget" and world.progress.delivered == 7)
        assert charged(world, lane) == 7
        lane.stop()

    world.run(lane, meanwhile)
    assert (len(world.started), Counter(status for status, *_ in world.report.values())) == (
        7,
        {"delivered": 7, "pending": 23},
    )


@pytest.mark.parametrize("rate", ["none", "1000/h"])
def test_the_allotment_is_never_exceeded_whoever_takes_of_it(world: Any, rate: str) -> None:
    world.at_once = 8
    world.allotment = Allotment(5)
    world.script = {"p1": [LATER], "p2": [LOST]}
    world.run(world.lane(*names(30), rate=rate, connections=3))

    assert (len(world.started), world.allotment.left) == (5, 0)
    assert sum(status == "pending" for status, *_ in world.report.values()) >= 25


@pytest.mark.parametrize("at_once", [1, 2, 8])
def test_a_route_that_is_given_up_is_left_at_once_and_its_recipients_go_the_next(world: Any, at_once: int) -> None:
    world.at_once = at_once
    world.script = {"p0": [NOT_YOU]}
    world.run(world.lane(*names(20)))

    behind = at_once - 1
    assert [session.route for session in world.sessions] == ["one:25", "two:25"]
    assert (world.sessions[0].transactions, world.sessions[0].closed) == (1 + behind, True)
    assert world.report == {
        name: ("delivered", 1, "one:25" if 1 <= place <= behind else "two:25") for place, name in enumerate(names(20))
    }
    assert (world.progress.attempts, world.starts["p0"]) == (20, 2)


def test_when_every_route_is_given_up_the_run_is_halted_and_nobody_is_charged_an_attempt(world: Any) -> None:
    world.script = {name: [NOT_YOU] * 2 for name in names(20)}
    world.run(world.lane(*names(20)))

    assert [type(error) for error in world.halted] == [NoRouteError]
    assert {(status, attempts) for status, attempts, _ in world.report.values()} == {("pending", 0)}
    assert (world.progress.attempts, len(world.started)) == (0, 2)


def test_the_first_loss_of_a_recipient_is_forgiven_and_the_second_counts_as_a_deferral(world: Any) -> None:
    world.script = {"p0": [LOST], "p3": [LOST, LOST]}
    world.at_once = 1
    world.run(world.lane(*names(6)))

    assert world.report == dict.fromkeys(names(6), DELIVERED) | {"p3": ("deferred", 1, "one:25")}
    assert world.starts == Counter(names(6)) + Counter(["p0", "p3"])
    assert [result.reason for result in world.ledger.results() if result.status == "deferred"] == [LOST.answer.reason]


def test_who_was_only_behind_a_lost_one_is_charged_nothing_however_often(world: Any) -> None:
    world.at_once = 4
    # p1 is behind each of these three losses; what is given back goes again in the other order.
    world.script = {"p0": [LOST, LOST], "p2": [LOST]}
    world.run(world.lane(*names(8)))

    assert world.report == dict.fromkeys(names(8), DELIVERED) | {"p0": ("deferred", 1, "one:25")}
    assert (world.starts["p1"], world.progress.attempts) == (4, 8)


def test_stopped_it_gives_back_what_is_not_handed_over_and_starts_nothing_more(world: Any) -> None:
    world.at_once, world.silent = 8, True
    lane = world.lane(*names(100), connections=2)

    async def meanwhile() -> None:
        await world.until(lambda: len(world.started) == 16)
        lane.stop()

    world.run(lane, meanwhile)
    assert {(status, attempts) for status, attempts, _ in world.report.values()} == {("pending", 0)}
    assert (len(world.started), world.progress.attempts, lane.awaiting) == (16, 0, 0)
    assert all(session.closed for session in world.sessions)


def test_stopped_it_counts_no_loss_against_a_recipient_that_was_lost_before(world: Any) -> None:
    world.script = {"p0": [LOST]}
    lane = world.lane("p0")

    def quiet(_: object) -> None:
        world.silent = len(world.sessions) > 1

    world.soon_after_opening = quiet

    async def meanwhile() -> None:
        await world.until(lambda: world.starts["p0"] == 2)
        lane.stop()

    world.run(lane, meanwhile)
    assert world.report == {"p0": ("pending", 0, "one:25")}


def test_a_deferred_recipient_is_tried_again_when_it_is_due_and_not_before(world: Any) -> None:
    world.retry = RetrySchedule(base=0.2, factor=1.0, jitter=0.0)
    world.script = {"p1": [LATER, LATER]}
    world.run(world.lane(*names(4)))

    tries = [at for name, at in world.started if name == "p1"]
    assert world.report == dict.fromkeys(names(4), DELIVERED) | {"p1": ("delivered", 3, "one:25")}
    assert min(later - earlier for earlier, later in pairwise(tries)) >= 0.2


def test_one_that_comes_due_after_the_runs_patience_is_left_to_the_next(world: Any) -> None:
    world.retry = RetrySchedule(base=6.0, jitter=0.0)
    world.script = {"p1": [LATER]}
    world.run(world.lane(*names(3)))

    assert world.report == dict.fromkeys(names(3), DELIVERED) | {"p1": ("deferred", 1, "one:25")}
    assert world.starts["p1"] == 1


def test_one_whose_time_is_over_is_expired(world: Any) -> None:
    world.retry = RetrySchedule(base=0.05, factor=1.0, jitter=0.0, lifetime=0.12)
    world.script = {"p0": [LATER] * 9}
    world.run(world.lane("p0"))

    ((status, attempts, _),) = world.report.values()
    assert (status, attempts in (2, 3)) == ("expired", True)


def test_messages_are_composed_only_as_far_ahead_as_sessions_can_use_them(world: Any) -> None:
    world.silent = True
    lane = world.lane(*names(1000))

    async def meanwhile() -> None:
        await world.until(lambda: world.started)
        assert len(world.composed) <= 128
        lane.stop()

    world.run(lane, meanwhile)


def test_a_lane_that_has_always_something_to_see_to_does_not_keep_the_others_from_theirs(world: Any) -> None:
    class Busy(Lane):
        turns = 0

        def _turn(self) -> float:
            self.turns += 1
            self._wake.set()
            return 1.0 if self.turns < 1000 else 0.0

    lane, ticks = world.lane("p0", kind=Busy), 0

    async def meanwhile() -> None:
        nonlocal ticks
        while lane.turns < 1000:
            ticks += 1
            await asyncio.sleep(0)

    world.run(lane, meanwhile)
    assert ticks > 500


UNKNOWN = Ending(Phase.RCPT, Reply(550, "5.1.1", "no such user"))
UNSIGNED = Ending(Phase.DOT, Reply(550, "5.7.26", "This mail is unauthenticated"))
OVER_QUOTA = Ending(Phase.RCPT, Reply(550, "5.4.5", "Daily user sending limit exceeded"))
TOO_FAST = Ending(Phase.RCPT, Reply(450, "4.7.0", "too many messages, slow down"))


def suppressed(world: Any) -> dict[str, str]:
    return {each.email.partition("@")[0]: each.reason for each in world.shared.suppressions()}


def test_one_that_is_unknown_is_suppressed_and_the_report_says_so(world: Any) -> None:
    world.script = {"p1": [UNKNOWN], "p2": [Ending(Phase.RCPT, Reply(552, "5.2.2", "mailbox full"))]}
    world.run(world.lane(*names(4)))

    reasons = {each.email[:2]: each.reason for each in world.ledger.results() if each.status == "bounced"}
    assert reasons == {"p1": "there is no such mailbox: suppressed", "p2": "the mailbox is full"}
    assert suppressed(world) == {"p1": "there is no such mailbox"}


def test_a_provider_that_calls_half_unknown_suppresses_nobody_and_the_user_is_told_once(world: Any) -> None:
    world.script = {name: [UNKNOWN] for name in names(60)[::2]}
    world.run(world.lane(*names(60)))

    assert Counter(status for status, *_ in world.report.values()) == {"bounced": 30, "delivered": 30}
    assert suppressed(world) == {}
    (told,) = world.told
    assert told.startswith("x.example calls 25 of its last 50 recipients unknown: it may be ill")


def test_three_refusals_of_what_is_sent_end_the_run_and_bounce_nobody(world: Any) -> None:
    world.script = {name: [UNSIGNED] for name in names(20)[2:]}
    world.run(world.lane(*names(20)))

    assert Counter(status for status, *_ in world.report.values()) == {"delivered": 2, "deferred": 3, "pending": 15}
    error = str(world.halted[0])
    assert error.startswith("x.example refuses what is sent (authentication): 550 5.7.26 This mail is unauthenticated")


def test_a_refusal_that_deliveries_contradict_ends_nothing(world: Any) -> None:
    world.script = {name: [UNSIGNED] for name in names(20)[::2]}
    world.run(world.lane(*names(20)))

    assert world.halted == []
    assert Counter(status for status, *_ in world.report.values()) == {"delivered": 10, "deferred": 10}


def test_a_relay_over_its_quota_is_left_for_the_next_and_costs_nobody_an_attempt(world: Any) -> None:
    world.script = {"p2": [OVER_QUOTA]}
    world.run(world.lane(*names(6)))

    routes = ["one:25", "one:25", "two:25", "two:25", "two:25", "two:25"]
    assert world.report == {name: ("delivered", 1, route) for name, route in zip(names(6), routes, strict=True)}


@pytest.mark.parametrize("reply", [TOO_FAST, LATER])
def test_a_provider_that_wants_it_slower_gets_its_sessions_back_and_a_rest(world: Any, reply: Ending) -> None:
    world.script = {"p1": [reply]}
    world.run(world.lane(*names(4)))

    slowed = reply is TOO_FAST
    assert [session.transactions for session in world.sessions] == ([2, 2] if slowed else [4])
    assert [session.retired for session in world.sessions] == ([True, False] if slowed else [False])
    assert world.report == dict.fromkeys(names(4), DELIVERED) | {"p1": ("deferred", 1, "one:25")}


@pytest.mark.parametrize(("at_once", "connections"), [(1, 1), (2, 3), (8, 2)])
@pytest.mark.parametrize("rate", ["none", "1000/h, max_burst=1000"])
def test_everybody_is_delivered_however_few_messages_may_be_in_hand(
    world: Any, monkeypatch: pytest.MonkeyPatch, at_once: int, connections: int, rate: str
) -> None:
    monkeypatch.setattr(composers, "ENOUGH", 0)
    world.at_once, world.most_in_hand = at_once, 0
    # One that is given back is not made again.
    world.script = {"p3": [LOST]}
    lane = world.lane(*names(40), connections=connections, rate=rate)
    world.run(lane)

    assert {name: status for name, (status, *_) in world.report.items()} == dict.fromkeys(names(40), "delivered")
    assert sorted(world.composed) == sorted(names(40))
    assert lane._rooms.composers._in_hand == 0


GREYLISTED = Ending(Phase.RCPT, Reply(450, "4.2.0", "Greylisted, please try again in 1 seconds"))


def test_one_who_was_greylisted_goes_by_the_same_relay_again_if_it_can_be_had_and_not_before_the_server_wants(
    world: Any,
) -> None:
    world.retry = RetrySchedule(base=0.1, factor=1.0, jitter=0.0)
    world.script = {"p1": [GREYLISTED], "p2": [LATER], "p3": [GREYLISTED]}

    def next_relay(_: object) -> None:
        # From now on another is preferred.
        world.relays.reverse()

    world.soon_after_opening = next_relay
    world.run(world.lane(*names(4), most=4))

    assert {name: route for name, (_, _, route) in world.report.items()} == {
        "p0": "one:25",
        "p1": "one:25",
        "p2": "two:25",
        "p3": "one:25",
    }
    first, second = (at for name, at in world.started if name == "p1")
    assert second - first >= 1.0


def test_a_relay_that_cannot_be_had_any_more_holds_up_nobody_who_was_greylisted(world: Any) -> None:
    world.retry = RetrySchedule(base=0.1, factor=1.0, jitter=0.0)
    world.script = {"p1": [Ending(Phase.RCPT, Reply(450, "4.2.0", "Greylisted"))]}
    lane = world.lane(*names(2), most=2)

    async def meanwhile() -> None:
        await world.until(lambda: world.progress.deferred)
        world.relays.remove("one:25")

    world.run(lane, meanwhile)
    assert world.report["p1"] == ("delivered", 2, "two:25")


def test_who_is_refused_for_the_pace_before_being_named_is_charged_nothing_however_often(world: Any) -> None:
    too_fast = Ending(Phase.MAIL, Reply(421, "4.7.0", "too many messages, slow down"))
    world.script = {"p1": [too_fast] * 4}
    world.run(world.lane(*names(3)))

    assert world.report == dict.fromkeys(names(3), DELIVERED)
    assert (world.starts["p1"], world.progress.attempts) == (5, 3)


def test_while_a_provider_is_left_alone_nothing_starts_and_what_it_said_is_kept_for_the_next_run(world: Any) -> None:
    world.shaping = (ShapingRule("mine", "", text="slow down", suspend=3600.0),)
    world.at_once = 4
    world.script = {"p0": [TOO_FAST]}
    lane = world.lane(*names(40), connections=2)

    async def meanwhile() -> None:
        await world.until(lambda: world.progress.waiting_for)
        await asyncio.sleep(0.1)
        lane.stop()

    world.run(lane, meanwhile)
    # What was in flight, on two sessions of four.
    assert len(world.started) <= 8
    assert Counter(attempts for status, attempts, _ in world.report.values() if status == "pending") == {
        0: 40 - len(world.started)
    }
    again = world.lane(*names(40))
    assert (again._shaper.backoff.why, again._shaper.rest > 3500) == (str(TOO_FAST.answer), True)


def test_a_state_folder_that_cannot_be_written_halts_the_run_when_a_refusal_is_to_be_kept(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StateError("the disk is full")

    world.script = {"p1": [TOO_FAST]}
    lane = world.lane(*names(4))
    monkeypatch.setattr(world.shared.backoffs, "change", fail)
    world.run(lane)
    assert [str(error) for error in world.halted] == ["the disk is full"]


def test_a_lane_that_has_to_wait_for_a_session_has_nothing_made_beyond_what_may_be_in_hand(world: Any) -> None:
    world.most_in_hand, world.has_room = 0, False
    lane = world.lane(*names(3))
    # Others have something in hand.
    lane._rooms.composers._in_hand = 1

    async def meanwhile() -> None:
        await world.until(lambda: lane._supply.composing)
        for _ in range(20):
            await asyncio.sleep(0)
        assert world.composed == []
        world.has_room = True
        lane._wake.set()

    world.run(lane, meanwhile)
    assert world.report == dict.fromkeys(names(3), DELIVERED)
