"""Where lanes hand mail over: the relays in their order, each left alone for a while when it fails."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from campaign_cli.engine.budgets import Budgets
from campaign_cli.engine.passwords import Passwords
from campaign_cli.engine.route import CROWDED_WAIT, LONGEST_COOLING, Route
from campaign_cli.model.dns import Way
from campaign_cli.model.errors import CampaignError, ConfigError, NoRouteError, ResourceError
from campaign_cli.model.relay import Relay
from campaign_cli.model.reply import Answer, Phase
from campaign_cli.model.shortage import MORE, NO_THREAD
from campaign_cli.policy.budgets import Budget
from campaign_cli.transport.connect import Refusal, open_session
from campaign_cli.transport.session import Session

NEVER_WORKED, HAD_WORKED = 10.0, 600.0
"""Seconds without any relay after which the run gives up: soon when none ever worked, for then the configuration is
wrong; ten minutes when one did, for then it is being restarted."""


def check_served(relays: Sequence[Relay], providers: Iterable[str]) -> None:
    """That some relay serves each of `providers`. Raises ConfigError."""
    if unserved := [name for name in providers if not any(relay.serves(name) for relay in relays)]:
        more = f" and {len(unserved) - 5} more" if len(unserved) > 5 else ""
        raise ConfigError(
            [
                f"no relay serves {', '.join(unserved[:5])}{more}: add them to a relay's providers, "
                "or a relay without providers, which serves all"
            ]
        )


class Routes:
    """Opens sessions for lanes, at most `max_sessions` at once, and keeps those that a finished lane gives back.

    Of the relays that serve a lane's provider and can be had, those of the lowest priority are used, each by its
    weight; others when all of these are left alone, or their own `budgets` are used up. While others work, one that
    failed is tried again by itself, and as soon as it works, its work comes back to it.
    """

    def __init__(
        self, relays: Sequence[Relay], passwords: Passwords, *, max_sessions: int, budgets: Mapping[str, Budget]
    ) -> None:
        self._routes = {relay.name: Route(relay, budgets.get(relay.name)) for relay in relays}
        self.limited = any(route.budget for route in self._routes.values())
        """Whether a relay has a budget of its own."""
        self.warming = any(route.budget and route.budget.warmup for route in self._routes.values())
        """Whether one of these grows from day to day."""
        self._passwords = passwords
        self._max_sessions = max_sessions
        self._open = 0
        self._idle: deque[Session] = deque()
        self._changed = asyncio.Condition()
        self._ranked = len({relay.priority for relay in relays}) > 1
        self._closing = False
        self._worked = False
        self._down_since: float | None = None

    @property
    def several(self) -> bool:
        """Whether mail may go by more than one relay."""
        return len(self._routes) > 1

    @property
    def has_room(self) -> bool:
        """Whether a session may be had without waiting for the end of another."""
        return self._open < self._max_sessions or bool(self._idle)

    async def open(self, provider: str, way: Way = None) -> Session:
        """A session that can carry a transaction to `provider`. Waits while none may be had; raises NoRouteError when
        none will, and ResourceError when the system does not even give the first. With another relay than that of `way`
        only where that one cannot be had now."""
        relay = way if isinstance(way, str) else ""
        async with self._changed:
            while True:
                if session := self._given_back(provider, relay):
                    return session
                if self._open < self._max_sessions and not self._all_full(provider, relay):
                    self._open += 1
                    break
                await self._changed.wait()
        try:
            session = await self._connect(provider, relay)
        except BaseException:
            self._open -= 1
            async with self._changed:
                self._changed.notify_all()
            raise
        return session

    def _given_back(self, provider: str, relay: str) -> Session | None:
        """One of the idle sessions that can carry a transaction to `provider`, with `relay` unless that is ""; those
        that can carry none are ended."""
        for session in tuple(self._idle):
            if not (session.usable and self.works(session.route)):
                self._idle.remove(session)
                self._ended(session)
            elif self._routes[session.route].relay.serves(provider) and relay in ("", session.route):
                self._idle.remove(session)
                return session
        if self._idle and self._open >= self._max_sessions:
            # What serves others keeps none from its place.
            self._ended(self._idle.popleft())
        return None

    async def give_back(self, session: Session) -> None:
        """A lane has no more use for `session`; another may have, or it is ended."""
        if session.retired or not (session.usable and self.works(session.route)):
            await self.close(session)
            return
        async with self._changed:
            self._idle.append(session)
            self._changed.notify_all()

    async def close(self, session: Session) -> None:
        """End `session`."""
        try:
            await session.close()
        finally:
            async with self._changed:
                self._ended(session)
                self._changed.notify_all()

    async def close_idle(self) -> None:
        """End the sessions that were given back, and try no relay any more."""
        self._closing = True
        triers = [route.trier for route in self._routes.values() if route.trier]
        for task in triers:
            task.cancel()
        await asyncio.gather(*triers, return_exceptions=True)
        idle, self._idle = self._idle, deque()
        await asyncio.gather(*map(self.close, idle))

    def _ended(self, session: Session) -> None:
        session.abort()
        self._open -= 1
        self._routes[session.route].ended(out_of_step=session.out_of_step)

    def works(self, route: str) -> bool:
        """Whether `route` has not been given up."""
        return not self._routes[route].given_up

    def keeps(self, route: str, provider: str) -> bool:
        """Whether sessions with `route` go on with the work of `provider`: it has not been given up, and no relay that
        goes before it works again and can take that."""
        mine = self._routes[route]
        if mine.given_up:
            return False
        return not self._ranked or not any(
            each.relay.priority < mine.relay.priority
            and each.proven
            and not each.full
            and not each.rest
            and each.relay.serves(provider)
            for each in self._routes.values()
        )

    # ---- their own budgets ----

    def budget(self, route: str) -> tuple[Budget, ...]:
        """The budget that each transaction with `route` counts against besides its provider's, if there is one."""
        budget = self._routes[route].budget
        return (budget,) if budget else ()

    def rest(self, route: str) -> float:
        """Seconds until the own budget of `route` allows another transaction; 0.0: it does now, as far as is known."""
        return self._routes[route].rest if self.limited else 0.0

    def all_rest(self, provider: str) -> float:
        """Seconds until the first relay that may serve `provider` has budget again; 0.0: one has."""
        return min((route.rest for route in self._serving(provider) if not route.given_up), default=0.0)

    def look_at(self, route: str, budgets: Budgets) -> None:
        """`route` was granted nothing: see whether its own budget is used up, and until when."""
        self._routes[route].look_at_budget(budgets)

    # ---- how they are ----

    def delivered(self, route: str) -> None:
        """A message was taken by `route`: what it refuses from now on is not its configuration."""
        self._routes[route].delivered = True

    def refused(self, route: str, phase: Phase, answer: Answer) -> bool:
        """`route` refused us, not a recipient. Whether that is believed, and the route given up for this run."""
        if self._routes[route].delivered:
            return False
        self._routes[route].refuses(f"refused {'the sender' if phase is Phase.MAIL else 'to relay'}: {answer}")
        return True

    def exhausted(self, route: str, answer: Answer) -> bool:
        """`route` has no quota left for us: it is given up for a while, whatever it has delivered. Always believed."""
        self._routes[route].refuses(f"is over its quota: {answer}")
        return True

    def _serving(self, provider: str) -> list[Route]:
        return [route for route in self._routes.values() if route.relay.serves(provider)]

    def _candidates(self, provider: str, relay: str = "") -> list[Route]:
        """The relays that may be tried for `provider` now, of the lowest priority there is, the least used first;
        `relay` alone, if it is one of them."""
        there = [route for route in self._serving(provider) if route.available]
        if wanted := [route for route in there if route.relay.name == relay]:
            return wanted
        first = min((route.relay.priority for route in there), default=0)
        foremost = [route for route in there if route.relay.priority == first]
        return sorted(foremost, key=lambda route: route.open / route.relay.weight)

    def _all_full(self, provider: str, relay: str = "") -> bool:
        candidates = self._candidates(provider, relay)
        return bool(candidates) and all(route.full for route in candidates)

    async def _connect(self, provider: str, relay: str) -> Session:
        # A group may have been found only now.
        check_served([route.relay for route in self._routes.values()], [provider])
        while True:
            route = next((route for route in self._candidates(provider, relay) if not route.full), None)
            if route is None:
                await asyncio.sleep(self._until_next_try(provider))
            elif route.proven:
                if session := await self._try(route):
                    return session
            else:
                # A relay that has not shown that it works is tried by one lane at a time; then by all at once.
                async with route.lock:
                    if not route.proven and (session := await self._try(route)):
                        return session

    def _try_later(self, route: Route) -> None:
        if route.trier is None or route.trier.done():
            route.trier = asyncio.create_task(self._try_again(route))

    async def _try_again(self, route: Route) -> None:
        """Until it works: as soon as it does, lanes that find that others' sessions do not go on come back to it."""
        # To be cancelled may come to nothing, where what is waited for happens at that moment (bpo-37658).
        while not (route.proven or self._closing):
            await asyncio.sleep(route.until_next_try)
            async with route.lock:
                if route.proven or route.full or self._open >= self._max_sessions:
                    continue
                self._open += 1
                try:
                    session = await self._try(route, given_up=True)
                except CampaignError as error:
                    self._open -= 1
                    route.give_up(str(error))
                    continue
                except BaseException:
                    self._open -= 1
                    raise
            if session is None:
                self._open -= 1
            else:
                await self.give_back(session)

    async def _try(self, route: Route, *, given_up: bool = False) -> Session | None:
        """A session with it; None: it takes none now. One that is given up is tried only if `given_up`."""
        if (route.given_up and not given_up) or route.cooling_until > time.monotonic() or route.full:
            return None
        route.opening += 1
        try:
            opened = await self._opened(route.relay)
        finally:
            route.opening -= 1
        if not isinstance(opened, Session):
            if opened.threadless and not self._worked:
                # There is no session that could go on, and waiting for the relay would be in vain.
                raise ResourceError(f"no session can be opened: {NO_THREAD}; {MORE}")
            route.failed(opened)
            return None
        route.opened()
        self._worked, self._down_since = True, None
        for other in self._routes.values():
            if other.failures or other.given_up:
                # It does that one's work, so nobody else would find out that it works again.
                self._try_later(other)
        return opened

    async def _opened(self, relay: Relay) -> Session | Refusal:
        """A session with `relay`; where a token is refused, with a new one: it may have expired."""
        opened = await open_session(relay, await self._passwords.of(relay))
        if isinstance(opened, Refusal) and opened.phase is Phase.AUTH and self._passwords.expired(relay):
            opened = await open_session(relay, await self._passwords.of(relay))
        return opened

    def _until_next_try(self, provider: str) -> float:
        """Seconds until a relay may be tried again; raises NoRouteError when it is time to give up."""
        now = time.monotonic()
        serving = self._serving(provider)
        hopeful = [route for route in serving if not route.given_up]
        if not any(route.open or route.rest for route in hopeful):
            self._down_since = self._down_since or now
            patience = HAD_WORKED if self._worked else NEVER_WORKED
            if not hopeful or now - self._down_since > patience:
                troubles = [f"relay {route.relay.name}: {route.given_up or route.trouble}" for route in serving]
                raise NoRouteError("\n".join([*troubles, "no relay works: mend that and run the same command again"]))
        if not hopeful:
            return CROWDED_WAIT
        next_try = min(max(route.cooling_until, route.resting_until) for route in hopeful) - now
        return max(min(next_try, LONGEST_COOLING), CROWDED_WAIT if self._all_full(provider) else 0.01)
