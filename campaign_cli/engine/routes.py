"""Where lanes hand mail over: the relays in their order, each left alone for a while when it fails."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from campaign_cli.engine.budgets import Budgets
from campaign_cli.engine.passwords import Passwords
from campaign_cli.model.dns import Way
from campaign_cli.model.errors import CampaignError, ConfigError, NoRouteError
from campaign_cli.model.relay import Relay
from campaign_cli.model.reply import Answer, Phase, Reply
from campaign_cli.policy.budgets import Budget
from campaign_cli.transport.connect import Refusal, open_session
from campaign_cli.transport.session import Session

log = logging.getLogger(__name__)

FIRST_COOLING, LONGEST_COOLING = 1.0, 60.0
"""Seconds a relay is left alone after its first failure; doubled with each, up to the second."""

NEVER_WORKED, HAD_WORKED = 10.0, 600.0
"""Seconds without any relay after which the run gives up: soon when none ever worked, for then the configuration is
wrong; ten minutes when one did, for then it is being restarted."""

FIRST_REST, LONGEST_REST = 300.0, 3600.0
"""Seconds for which a relay that refused us, or that is over its quota, is given up; doubled with each time, up to the
second. A quota of a day is free again little by little (Amazon SES), a login may be mended meanwhile."""

CROWDED_WAIT = 5.0
"""Seconds before asking again for one more session of a relay that works but takes no more at the moment."""


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


@dataclass(slots=True)
class _Way:
    """A relay and how it has been lately. Times are monotonic seconds."""

    relay: Relay
    budget: Budget | None = None
    failures: int = 0
    cooling_until: float = 0.0
    resting_until: float = 0.0
    """Its own budget is used up until then."""
    given_up: str = ""
    given_up_until: float = 0.0
    times_given_up: int = 0
    trier: asyncio.Task[None] | None = None
    """Tries it again, while others do its work."""
    trouble: str = ""
    delivered: bool = False
    sessions: int = 0
    opening: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def proven(self) -> bool:
        """Whether it works, as far as is known."""
        return self.sessions > 0 and not self.failures and not self.given_up

    def give_up(self, why: str) -> None:
        """Leave it alone for long, because of `why`."""
        rest = min(FIRST_REST * 2**self.times_given_up, LONGEST_REST)
        self.given_up, self.given_up_until = why, time.monotonic() + rest
        self.times_given_up += 1

    @property
    def rest(self) -> float:
        """Seconds until its own budget allows another transaction."""
        return max(self.resting_until - time.monotonic(), 0.0)

    @property
    def open(self) -> int:
        """Sessions that are open or soon will be."""
        return self.sessions + self.opening

    @property
    def full(self) -> bool:
        """Whether it may have no more sessions."""
        return self.relay.connections is not None and self.open >= self.relay.connections


class Routes:
    """Opens sessions for lanes, at most `max_sessions` at once, and keeps those that a finished lane gives back.

    Of the relays that serve a lane's provider and can be had, those of the lowest priority are used, each by its
    weight; others when all of these are left alone, or their own `budgets` are used up. While others work, one that
    failed is tried again by itself, and as soon as it works, its work comes back to it.
    """

    def __init__(
        self, relays: Sequence[Relay], passwords: Passwords, *, max_sessions: int, budgets: Mapping[str, Budget]
    ) -> None:
        self._ways = {relay.name: _Way(relay, budgets.get(relay.name)) for relay in relays}
        self.limited = any(way.budget for way in self._ways.values())
        """Whether a relay has a budget of its own."""
        self.warming = any(way.budget and way.budget.warmup for way in self._ways.values())
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
        return len(self._ways) > 1

    @property
    def has_room(self) -> bool:
        """Whether a session may be had without waiting for the end of another."""
        return self._open < self._max_sessions or bool(self._idle)

    async def open(self, provider: str, way: Way = None) -> Session:
        """A session that can carry a transaction to `provider`. Waits while none may be had; raises NoRouteError when
        none will. With another relay than that of `way` only where that one cannot be had now."""
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
            elif self._ways[session.route].relay.serves(provider) and relay in ("", session.route):
                self._idle.remove(session)
                return session
        if self._idle and self._open >= self._max_sessions:
            # What serves others keeps none from its place.
            self._ended(self._idle.popleft())
        return None

    async def give_back(self, session: Session) -> None:
        """A lane has no more use for `session`; another may have."""
        async with self._changed:
            if session.usable and self.works(session.route):
                self._idle.append(session)
            else:
                self._ended(session)
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
        triers = [way.trier for way in self._ways.values() if way.trier]
        for task in triers:
            task.cancel()
        await asyncio.gather(*triers, return_exceptions=True)
        idle, self._idle = self._idle, deque()
        await asyncio.gather(*map(self.close, idle))

    def _ended(self, session: Session) -> None:
        session.abort()
        self._open -= 1
        way = self._ways[session.route]
        way.sessions -= 1
        if session.out_of_step and way.relay.chunking:
            # Some servers read a refused chunk as commands: each refusal would leave what is in flight uncertain.
            way.relay = replace(way.relay, chunking=False)
            log.warning("relay %s got out of step: no CHUNKING from now on", way.relay.name)

    def works(self, route: str) -> bool:
        """Whether `route` has not been given up."""
        return not self._ways[route].given_up

    def outranked(self, route: str, provider: str) -> bool:
        """Whether a relay that goes before `route` works again, and can take its work."""
        if not self._ranked:
            return False
        mine = self._ways[route].relay.priority
        return any(
            way.relay.priority < mine and way.proven and not way.full and not way.rest and way.relay.serves(provider)
            for way in self._ways.values()
        )

    # ---- their own budgets ----

    def budget(self, route: str) -> tuple[Budget, ...]:
        """The budget that each transaction with `route` counts against besides its provider's, if there is one."""
        budget = self._ways[route].budget
        return (budget,) if budget else ()

    def rest(self, route: str) -> float:
        """Seconds until the own budget of `route` allows another transaction; 0.0: it does now, as far as is known."""
        return self._ways[route].rest if self.limited else 0.0

    def all_rest(self, provider: str) -> float:
        """Seconds until the first relay that may serve `provider` has budget again; 0.0: one has."""
        return min((way.rest for way in self._serving(provider) if not way.given_up), default=0.0)

    def look_at(self, route: str, budgets: Budgets) -> None:
        """`route` was granted nothing: see whether its own budget is used up, and until when."""
        for budget in self.budget(route):
            allowed = budgets.allowance(budget)
            if not allowed.free:
                self._ways[route].resting_until = time.monotonic() + allowed.wait

    # ---- how they are ----

    def delivered(self, route: str) -> None:
        """A message was taken by `route`: what it refuses from now on is not its configuration."""
        self._ways[route].delivered = True

    def refused(self, route: str, phase: Phase, answer: Answer) -> bool:
        """`route` refused us, not a recipient. Whether that is believed, and the route given up for this run."""
        way = self._ways[route]
        if way.delivered:
            return False
        self._give_up(way, f"refused {'the sender' if phase is Phase.MAIL else 'to relay'}: {answer}")
        return True

    def exhausted(self, route: str, answer: Answer) -> bool:
        """`route` has no quota left for us: it is given up for a while, whatever it has delivered. Always believed."""
        self._give_up(self._ways[route], f"is over its quota: {answer}")
        return True

    def _give_up(self, way: _Way, why: str) -> None:
        if not way.given_up:
            way.give_up(why)
            log.warning("relay %s %s", way.relay.name, why)

    def _serving(self, provider: str) -> list[_Way]:
        return [way for way in self._ways.values() if way.relay.serves(provider)]

    def _candidates(self, provider: str, relay: str = "") -> list[_Way]:
        """The relays that may be tried for `provider` now, of the lowest priority there is, the least used first;
        `relay` alone, if it is one of them."""
        now = time.monotonic()
        there = [
            way for way in self._serving(provider) if not way.given_up and way.cooling_until <= now and not way.rest
        ]
        if wanted := [way for way in there if way.relay.name == relay]:
            return wanted
        first = min((way.relay.priority for way in there), default=0)
        return sorted(
            (way for way in there if way.relay.priority == first), key=lambda way: way.open / way.relay.weight
        )

    def _all_full(self, provider: str, relay: str = "") -> bool:
        candidates = self._candidates(provider, relay)
        return bool(candidates) and all(way.full for way in candidates)

    async def _connect(self, provider: str, relay: str) -> Session:
        # A group may have been found only now.
        check_served([way.relay for way in self._ways.values()], [provider])
        while True:
            way = next((way for way in self._candidates(provider, relay) if not way.full), None)
            if way is None:
                await asyncio.sleep(self._until_next_try(provider))
            elif way.proven:
                if session := await self._try(way):
                    return session
            else:
                # A relay that has not shown that it works is tried by one lane at a time; then by all at once.
                async with way.lock:
                    if not way.proven and (session := await self._try(way)):
                        return session

    def _try_later(self, way: _Way) -> None:
        if way.trier is None or way.trier.done():
            way.trier = asyncio.create_task(self._try_again(way))

    async def _try_again(self, way: _Way) -> None:
        """Until it works: as soon as it does, lanes that find others' sessions outranked come back to it."""
        # To be cancelled may come to nothing, where what is waited for happens at that moment (bpo-37658).
        while not (way.proven or self._closing):
            until = way.given_up_until if way.given_up else way.cooling_until
            await asyncio.sleep(max(until - time.monotonic(), FIRST_COOLING))
            async with way.lock:
                if way.proven or way.full or self._open >= self._max_sessions:
                    continue
                self._open += 1
                try:
                    session = await self._try(way, given_up=True)
                except CampaignError as error:
                    self._open -= 1
                    way.give_up(str(error))
                    continue
                except BaseException:
                    self._open -= 1
                    raise
            if session is None:
                self._open -= 1
            else:
                await self.give_back(session)

    async def _try(self, way: _Way, *, given_up: bool = False) -> Session | None:
        """A session with it; None: it takes none now. One that is given up is tried only if `given_up`."""
        if (way.given_up and not given_up) or way.cooling_until > time.monotonic() or way.full:
            return None
        way.opening += 1
        try:
            opened = await self._opened(way.relay)
        finally:
            way.opening -= 1
        if not isinstance(opened, Session):
            self._failed(way, opened)
            return None
        if way.failures or way.given_up:
            log.warning("relay %s works again", way.relay.name)
        way.sessions += 1
        way.given_up = ""
        way.failures, self._worked, self._down_since = 0, True, None
        for other in self._ways.values():
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

    def _failed(self, way: _Way, refusal: Refusal) -> None:
        way.trouble = str(refusal)
        if way.sessions and isinstance(refusal.answer, Reply) and refusal.answer.code // 100 == 4:
            way.cooling_until = time.monotonic() + CROWDED_WAIT
            log.info("relay %s takes no more than %d sessions now: %s", way.relay.name, way.sessions, way.trouble)
            return
        if refusal.lasting and not (way.sessions or way.delivered):
            # One that has let us in before is having a bad moment, whatever it says.
            way.give_up(way.trouble)
        if way.cooling_until > time.monotonic():
            # Of several that were tried at once the first has said it.
            return
        cooling = min(FIRST_COOLING * 2**way.failures, LONGEST_COOLING)
        way.failures += 1
        way.cooling_until = time.monotonic() + cooling
        log.log(logging.INFO if way.failures > 1 else logging.WARNING, "relay %s: %s", way.relay.name, way.trouble)

    def _until_next_try(self, provider: str) -> float:
        """Seconds until a relay may be tried again; raises NoRouteError when it is time to give up."""
        now = time.monotonic()
        serving = self._serving(provider)
        hopeful = [way for way in serving if not way.given_up]
        if not any(way.open or way.rest for way in hopeful):
            self._down_since = self._down_since or now
            patience = HAD_WORKED if self._worked else NEVER_WORKED
            if not hopeful or now - self._down_since > patience:
                troubles = [f"relay {way.relay.name}: {way.given_up or way.trouble}" for way in serving]
                raise NoRouteError("\n".join([*troubles, "no relay works: mend that and run the same command again"]))
        if not hopeful:
            return CROWDED_WAIT
        next_try = min(max(way.cooling_until, way.resting_until) for way in hopeful) - now
        return max(min(next_try, LONGEST_COOLING), CROWDED_WAIT if self._all_full(provider) else 0.01)
