import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from campaign_cli.engine import route
from campaign_cli.engine import routes as module
from campaign_cli.engine.route import CROWDED_WAIT, FIRST_REST, LONGEST_COOLING
from campaign_cli.engine.routes import HAD_WORKED, NEVER_WORKED, Routes, check_served
from campaign_cli.model.errors import ConfigError, NoRouteError, ResourceError
from campaign_cli.model.relay import Relay, Tls
from campaign_cli.model.reply import Phase, Reply, Silence
from campaign_cli.policy.budgets import Budget, of_a_relay
from campaign_cli.policy.limits import Allowance, parse_pace
from campaign_cli.transport.connect import Refusal
from campaign_cli.transport.session import Session
from campaign_cli.transport.transaction import Offers

MAIN, BACKUP = Relay("main", 25, Tls.OFF), Relay("backup", 25, Tls.OFF, priority=2)
DOWN = Refusal(Phase.CONNECT, Silence("Connection refused"), lasting=False)
CROWDED = Refusal(Phase.GREETING, Reply(421, "4.3.2", "too many connections"), lasting=False)
NO_LOGIN = Refusal(Phase.AUTH, Reply(535, "5.7.8", "no"), lasting=True)
SAID_DOWN, SAID_NO_LOGIN = "cannot connect: Connection refused", "refused the login: 535 5.7.8 no"
END = "no relay works: mend that and run the same command again"


class FakeTransport:
    """A connection whose other end goes away when it is told anything."""

    def set_protocol(self, protocol: asyncio.Protocol) -> None:
        self._protocol = protocol

    def write(self, data: bytes) -> None:
        self._protocol.connection_lost(None)

    def abort(self) -> None:
        # As asyncio does it: told in the next turn of the event loop.
        asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)


class World:
    """Relays that are as `state` says, and a clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.state: dict[str, Refusal | None] = {}
        self.tried: list[tuple[float, str]] = []
        self.passwords: set[str | None] = set()
        self.open: Counter[str] = Counter()
        self.relays: list[Relay] = []
        self.at: dict[float, Callable[[], object]] = {}
        self.trying_again = False
        self.renewed: Callable[[], object] = lambda: None

    async def of(self, relay: Relay) -> str | None:
        """As Passwords has it."""
        return f"for {relay.host}"

    def expired(self, relay: Relay) -> bool:
        """As Passwords has it."""
        self.renewed()
        return relay.xoauth2

    async def open_session(self, relay: Relay, password: str | None) -> Session | Refusal:
        self.tried.append((self.now - 1000.0, relay.host))
        self.passwords.add(password)
        self.relays.append(relay)
        await asyncio.sleep(0)
        return self.state.get(relay.host) or session(relay)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        for moment in [moment for moment in self.at if moment <= self.now - 1000.0]:
            self.at.pop(moment)()
        await asyncio.sleep(0)

    def create_task(self, trying: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """What tries a relay again sleeps, and so moves the clock: only where a test asks for it."""
        if not self.trying_again:
            trying.close()
            trying = asyncio.Event().wait()  # type: ignore[assignment]
        return asyncio.create_task(trying)

    def turn(self, host: str, state: Refusal | None) -> None:
        self.state[host] = state


def session(relay: Relay) -> Session:
    transport: Any = FakeTransport()
    return Session(transport, route=relay.name, offers=Offers())


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World()
    monkeypatch.setattr(module, "open_session", world.open_session)
    for each in (module, route):
        monkeypatch.setattr(each, "time", SimpleNamespace(monotonic=lambda: world.now))
    monkeypatch.setattr(
        module,
        "asyncio",
        SimpleNamespace(
            Lock=asyncio.Lock,
            Condition=asyncio.Condition,
            gather=asyncio.gather,
            sleep=world.sleep,
            create_task=world.create_task,
        ),
    )
    return world


def run(main: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(main, 10))


def test_a_session_with_a_certain_relay_is_got_if_that_can_be_had_and_else_with_another(world: Any) -> None:
    async def main() -> list[str]:
        routes = Routes([MAIN, BACKUP], world, max_sessions=9, budgets={})
        first = await routes.open("gmail", BACKUP.name)
        await routes.give_back(first)
        given = [first, *[await routes.open("gmail", relay) for relay in (MAIN.name, BACKUP.name, None)]]
        world.state["backup"] = DOWN
        given.append(await routes.open("gmail", BACKUP.name))
        assert given[2] is first
        return [each.route for each in given]

    assert run(main()) == [BACKUP.name, MAIN.name, BACKUP.name, MAIN.name, MAIN.name]


def opened(world: Any, *relays: Relay) -> str:
    """The route of one session, or why there is none."""
    try:
        return str(run(Routes(relays, world, max_sessions=9, budgets={}).open("gmail")).route)
    except NoRouteError as error:
        return str(error)


def test_the_first_relay_that_works_is_used(world: World) -> None:
    assert opened(world, MAIN, BACKUP) == "main:25"
    world.state = {"main": DOWN}
    assert opened(world, MAIN, BACKUP) == "backup:25"
    assert (world.tried, world.passwords) == ([(0, "main"), (0, "main"), (0, "backup")], {"for main", "for backup"})


def test_a_relay_that_fails_is_left_alone_for_twice_as_long_each_time_and_asked_again(world: World) -> None:
    async def main() -> str:
        routes = Routes([MAIN, BACKUP], world, max_sessions=999, budgets={})
        await routes.open("gmail")
        world.state = {"main": DOWN}
        for _ in range(200):
            await routes.open("gmail")
            world.now += 1.0
        world.state = {}
        world.now += LONGEST_COOLING
        return (await routes.open("gmail")).route

    assert run(main()) == "main:25"
    asked = [moment for moment, host in world.tried[1:-1] if host == "main"]
    assert asked == [0, 1, 3, 7, 15, 31, 63, 123, 183]


def test_a_relay_that_comes_back_is_as_good_as_new(world: World) -> None:
    async def main() -> list[float]:
        routes = Routes([MAIN], world, max_sessions=9, budgets={})
        world.state = {"main": DOWN}
        world.at = {3.0: lambda: world.turn("main", None)}
        first = await routes.open("gmail")
        await routes.close(first)
        world.turn("main", DOWN)
        world.at = {4.0: lambda: world.turn("main", None)}
        await routes.open("gmail")
        return [moment for moment, _ in world.tried]

    assert run(main()) == [0, 1, 3, 3, 4]


@pytest.mark.parametrize(
    ("state", "said", "until"),
    [
        ({"main": DOWN, "backup": DOWN}, [SAID_DOWN, SAID_DOWN], NEVER_WORKED),
        ({"main": NO_LOGIN, "backup": NO_LOGIN}, [SAID_NO_LOGIN, SAID_NO_LOGIN], 0.0),
        ({"main": NO_LOGIN, "backup": DOWN}, [SAID_NO_LOGIN, SAID_DOWN], NEVER_WORKED),
    ],
)
def test_when_no_relay_works_each_is_told_with_its_trouble(
    world: World, state: dict[str, Refusal | None], said: list[str], until: float
) -> None:
    world.state = state
    assert opened(world, MAIN, BACKUP).splitlines() == [f"relay main:25: {said[0]}", f"relay backup:25: {said[1]}", END]
    assert until <= world.now - 1000.0 <= until * 2
    assert world.tried.count((0, "main")) == 1
    lasting = [host for host, refusal in state.items() if refusal is NO_LOGIN]
    assert [host for moment, host in world.tried if moment > 0 and host in lasting] == []


def test_relays_that_have_worked_are_waited_for_ten_minutes(world: World) -> None:
    async def main() -> None:
        routes = Routes([MAIN], world, max_sessions=9, budgets={})
        await routes.close(await routes.open("gmail"))
        world.state = {"main": DOWN}
        await routes.open("gmail")

    with pytest.raises(NoRouteError):
        run(main())
    assert HAD_WORKED <= world.now - 1000.0 <= HAD_WORKED + 2 * LONGEST_COOLING


def test_a_relay_that_takes_no_more_sessions_is_asked_for_one_more_every_few_seconds(world: World) -> None:
    async def main() -> str:
        routes = Routes([MAIN], world, max_sessions=9, budgets={})
        await routes.open("gmail")
        world.state = {"main": CROWDED}
        world.at = {3 * CROWDED_WAIT: lambda: world.turn("main", None)}
        return (await routes.open("gmail")).route

    assert run(main()) == "main:25"
    assert [moment for moment, _ in world.tried] == [0, 0, CROWDED_WAIT, 2 * CROWDED_WAIT, 3 * CROWDED_WAIT]


def test_a_relay_that_has_not_shown_that_it_works_is_tried_by_one_lane_at_a_time(world: World) -> None:
    async def main() -> None:
        routes = Routes([MAIN, BACKUP], world, max_sessions=9, budgets={})
        world.state = {"main": DOWN}
        await routes.open("gmail")
        world.now += 1.0
        await asyncio.gather(*(routes.open("gmail") for _ in range(5)))

    run(main())
    assert Counter(world.tried) == {(0, "main"): 1, (0, "backup"): 1, (1, "main"): 1, (1, "backup"): 5}


def test_a_relay_that_refuses_us_is_given_up_unless_it_has_taken_a_message(world: World) -> None:
    async def main() -> list[object]:
        routes = Routes([MAIN, BACKUP], world, max_sessions=9, budgets={})
        refusal = Reply(550, "5.7.1", "not you")
        routes.delivered("backup:25")
        believed: list[object] = [routes.refused(name, Phase.MAIL, refusal) for name in ("main:25", "backup:25")]
        return [*believed, (await routes.open("gmail")).route]

    assert run(main()) == [True, False, "backup:25"]
    assert world.tried == [(0, "backup")]


def test_a_relay_over_its_quota_is_given_up_whatever_it_has_taken(world: World) -> None:
    async def main() -> str:
        routes = Routes([MAIN, BACKUP], world, max_sessions=9, budgets={})
        routes.delivered("main:25")
        routes.exhausted("main:25", Reply(550, "5.4.5", "Daily user sending limit exceeded"))
        return (await routes.open("gmail")).route

    assert run(main()) == "backup:25"


async def until(what: Callable[[], object]) -> None:
    while not what():  # noqa: ASYNC110 (the clock is the test's)
        await asyncio.sleep(0)


def test_a_relay_that_works_again_is_found_out_while_another_does_its_work(world: World) -> None:
    async def main() -> list[object]:
        world.trying_again = True
        world.turn("main", DOWN)
        world.at[20.0] = lambda: world.turn("main", None)
        routes = Routes([MAIN, BACKUP], world, max_sessions=9, budgets={})
        instead = await routes.open("gmail")
        before = routes.keeps(instead.route, "gmail")
        await until(lambda: not routes.keeps(instead.route, "gmail"))
        after = (await routes.open("gmail")).route
        await routes.close_idle()
        return [instead.route, before, after, routes.keeps(after, "gmail")]

    assert run(main()) == ["backup:25", True, "main:25", True]
    assert [moment for moment, host in world.tried if host == "main"] == [0, 1, 3, 7, 15, 31]


def test_a_relay_that_is_being_tried_again_does_not_keep_the_run_from_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        world.trying_again = True
        world.turn("main", DOWN)
        routes = Routes([MAIN, BACKUP], world, max_sessions=9, budgets={})
        await routes.open("gmail")
        trying = asyncio.Event()

        async def open_session(relay: Relay, password: str | None) -> Session | Refusal:
            trying.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                # What it waited for has just happened: then it is not cancelled.
                return DOWN
            raise AssertionError

        monkeypatch.setattr(module, "open_session", open_session)
        await trying.wait()
        await routes.close_idle()

    run(main())


def test_a_relay_that_was_given_up_is_tried_again_after_a_while_that_grows(world: World) -> None:
    async def main() -> list[object]:
        world.trying_again = True
        routes = Routes([MAIN, BACKUP], world, max_sessions=9, budgets={})
        first = await routes.open("gmail")
        routes.delivered(first.route)
        routes.exhausted(first.route, Reply(454, "4.7.0", "Throttling failure: Daily message quota exceeded"))
        instead = await routes.open("gmail")
        await until(lambda: routes.works(first.route))
        again = world.now
        routes.exhausted(first.route, Reply(454, "4.7.0", "Throttling failure: Daily message quota exceeded"))
        second = await routes.open("gmail")
        await until(lambda: routes.works(first.route))
        await routes.close_idle()
        return [instead.route, again - 1000.0, second.route, world.now - again]

    assert run(main()) == ["backup:25", FIRST_REST, "backup:25", 2 * FIRST_REST]


def test_without_another_relay_one_that_is_over_its_quota_ends_the_run(world: World) -> None:
    async def main() -> None:
        routes = Routes([MAIN], world, max_sessions=9, budgets={})
        routes.exhausted("main:25", Reply(550, "5.4.5", "Daily user sending limit exceeded"))
        await routes.open("gmail")

    with pytest.raises(NoRouteError, match=r"is over its quota: 550 5\.4\.5"):
        run(main())


def test_a_relay_whose_own_budget_is_used_up_rests_and_others_do_its_work(world: World) -> None:
    pace = parse_pace("5/min")
    spent: Any = SimpleNamespace(allowance=lambda budget: Allowance(0, 40.0))

    async def main() -> list[object]:
        routes = Routes(
            [MAIN, BACKUP],
            world,
            max_sessions=9,
            budgets={name: of_a_relay(name, pace) for name in ("main:25", "backup:25")},
        )
        seen: list[object] = [routes.budget("main:25"), (await routes.open("gmail")).route, routes.all_rest("gmail")]
        routes.look_at("main:25", spent)
        seen += [routes.rest("main:25"), routes.all_rest("gmail"), (await routes.open("gmail")).route]
        routes.look_at("backup:25", spent)
        seen.append(routes.all_rest("gmail"))
        world.now += 40.0
        return [*seen, routes.all_rest("gmail"), (await routes.open("gmail")).route]

    assert run(main()) == [
        (Budget("relay:main:25", pace),),
        "main:25",
        0.0,
        40.0,
        0.0,
        "backup:25",
        40.0,
        0.0,
        "main:25",
    ]


def test_a_relay_that_has_let_us_in_and_says_for_once_that_it_never_will_is_asked_again(world: World) -> None:
    async def main() -> list[object]:
        routes = Routes([MAIN], world, max_sessions=9, budgets={})
        first = await routes.open("gmail")
        world.turn("main", NO_LOGIN)
        world.at[1.0] = lambda: world.turn("main", None)
        return [routes.works(first.route), (await routes.open("gmail")).route, routes.works(first.route)]

    assert run(main()) == [True, "main:25", True]


def test_no_more_sessions_are_open_than_allowed_and_each_that_ends_makes_room(world: World) -> None:
    async def main() -> list[int]:
        routes = Routes([MAIN], world, max_sessions=2, budgets={})
        first, second = await routes.open("gmail"), await routes.open("gmail")
        waiting = [asyncio.create_task(routes.open("gmail")) for _ in range(3)]

        async def served() -> int:
            for _ in range(20):
                await asyncio.sleep(0)
            return sum(task.done() for task in waiting)

        counts = [await served()]
        await routes.close(first)
        counts.append(await served())
        second.abort()
        await asyncio.sleep(0)
        await routes.give_back(second)
        counts.append(await served())
        await routes.give_back(await waiting[0])
        counts.append(await served())
        return counts

    assert run(main()) == [0, 1, 2, 3]
    assert len(world.tried) == 4


def test_sessions_given_back_are_used_again_but_not_those_that_ended_meanwhile(world: World) -> None:
    async def main() -> list[bool]:
        routes = Routes([MAIN], world, max_sessions=2, budgets={})
        good, bad = await routes.open("gmail"), await routes.open("gmail")
        await routes.give_back(bad)
        bad.abort()
        await asyncio.sleep(0)
        await routes.give_back(good)
        again, fresh = await routes.open("gmail"), await routes.open("gmail")
        await routes.give_back(again)
        await routes.close_idle()
        return [again is good, fresh not in (good, bad), good.usable, fresh.usable]

    assert run(main()) == [True, True, False, True]
    assert len(world.tried) == 3


def test_what_the_system_lacks_for_the_first_session_is_told_at_once_and_later_is_waited_for(world: World) -> None:
    short = replace(DOWN, answer=Silence("can't start new thread"), threadless=True)
    world.state["main"] = short

    async def first() -> None:
        await Routes([MAIN], world, max_sessions=1, budgets={}).open("gmail")

    async def later() -> str:
        routes = Routes([MAIN], world, max_sessions=2, budgets={})
        world.state["main"] = None
        await routes.open("gmail")
        world.state["main"] = short
        world.at = {5.0: lambda: world.turn("main", None)}
        return (await routes.open("gmail")).route

    with pytest.raises(ResourceError, match="no session can be opened: can't start new thread; give it more"):
        run(first())
    assert world.now == 1000.0
    assert run(later()) == "main:25"


def test_one_that_is_to_carry_nothing_more_is_ended_with_quit_when_it_is_given_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[bytes] = []
    written = FakeTransport.write
    monkeypatch.setattr(FakeTransport, "write", lambda self, data: (said.append(data), written(self, data)))

    async def main() -> list[bool]:
        routes = Routes([MAIN], world, max_sessions=1, budgets={})
        spent = await routes.open("gmail")
        waiting = asyncio.create_task(routes.open("yahoo"))
        await asyncio.sleep(0)
        spent.retired = True
        await routes.give_back(spent)
        return [spent.usable, await waiting is spent]

    assert (run(main()), said) == ([False, False], [b"QUIT\r\n"])


@pytest.mark.parametrize("said", [b"", b"250 unasked\r\n", b"what?\r\n"])
def test_a_relay_that_got_out_of_step_is_used_without_chunking_from_then_on(
    world: World, caplog: pytest.LogCaptureFixture, said: bytes
) -> None:
    async def main() -> list[bool]:
        routes = Routes([MAIN], world, max_sessions=1, budgets={})
        first = await routes.open("gmail")
        first.data_received(said)
        await routes.close(first)
        await routes.open("gmail")
        return [each.chunking for each in world.relays]

    muddled = said == b"what?\r\n"
    assert run(main()) == [True, not muddled]
    assert ["got out of step" in record.message for record in caplog.records] == [True] * muddled


def sessions(world: World, count: int, *relays: Relay, provider: str = "gmail") -> Counter[str]:
    """How many of so many sessions each relay has."""

    async def main() -> Counter[str]:
        routes = Routes(relays, world, max_sessions=99, budgets={})
        return Counter([(await routes.open(provider)).route for _ in range(count)])

    found: Counter[str] = run(main())
    return found


def test_relays_of_one_priority_are_used_by_their_weight_and_those_of_the_next_when_all_of_them_fail(
    world: World,
) -> None:
    other = Relay("other", 25, Tls.OFF, weight=3)
    assert sessions(world, 8, BACKUP, MAIN, other) == {"main:25": 2, "other:25": 6}
    world.state = {"other": DOWN}
    assert sessions(world, 8, BACKUP, MAIN, other) == {"main:25": 8}
    world.state = {"other": DOWN, "main": DOWN}
    assert sessions(world, 8, BACKUP, MAIN, other) == {"backup:25": 8}


def test_a_relay_serves_its_providers_only(world: World) -> None:
    relays = replace(MAIN, providers=frozenset(["gmail"])), BACKUP
    assert sessions(world, 2, *relays) == {"main:25": 2}
    assert sessions(world, 2, *relays, provider="yahoo") == {"backup:25": 2}
    check_served(relays, ["gmail", "yahoo"])
    with pytest.raises(ConfigError, match=r"^no relay serves yahoo, a\.example: add them to a relay"):
        check_served(relays[:1], ["gmail", "yahoo", "a.example"])


def test_a_session_given_back_goes_to_a_lane_that_its_relay_serves_and_keeps_none_from_its_place(world: World) -> None:
    async def main() -> list[str]:
        routes = Routes([replace(MAIN, providers=frozenset(["gmail"])), BACKUP], world, max_sessions=2, budgets={})
        first, second = await routes.open("gmail"), await routes.open("yahoo")
        await routes.give_back(first)
        await routes.give_back(second)
        again = await routes.open("yahoo")
        return [again.route, (await routes.open("yahoo")).route]

    assert run(main()) == ["backup:25", "backup:25"]
    assert [host for _, host in world.tried] == ["main", "backup", "backup"]


def test_a_relay_has_no_more_sessions_than_it_may(world: World) -> None:
    async def main() -> list[object]:
        routes = Routes([replace(MAIN, connections=2), BACKUP], world, max_sessions=9, budgets={})
        first, _ = [await routes.open("gmail") for _ in range(2)]
        third = asyncio.create_task(routes.open("gmail"))
        for _ in range(20):
            await asyncio.sleep(0)
        waited = not third.done()
        await routes.close(first)
        return [waited, (await third).route]

    assert run(main()) == [True, "main:25"]


def test_a_relay_that_refuses_an_expired_token_is_given_a_new_one_at_once(world: World) -> None:
    world.state = {"main": NO_LOGIN}
    relay = replace(MAIN, user="ada", xoauth2=True)
    world.renewed = lambda: world.turn("main", None)
    assert opened(world, relay) == "main:25"
    assert world.tried == [(0, "main"), (0, "main")]
    world.state = {"main": NO_LOGIN}
    world.renewed = lambda: None
    assert SAID_NO_LOGIN in opened(world, relay)
