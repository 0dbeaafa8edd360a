"""A mailbox provider that punishes: a token bucket, replies of its own above it, a block for those who push further."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from campaign_cli.model.reply import Phase
from campaign_cli.transport.dialogue import Offers
from campaign_cli.transport.session import Session

ROUND_TRIP = 0.1
"""Seconds."""

PUSHED_WITHIN = 600.0
"""Seconds over which a provider counts what it has refused."""


@dataclass(frozen=True)
class Habits:
    """How a provider behaves: `rate` an hour and `burst` at once are taken; what is above is answered by `above`, and
    after `patience` such answers within ten minutes everything by `blocked`, for `block` seconds."""

    name: str
    rate: float
    burst: float
    phase: Phase
    above: str
    blocked: str
    patience: int
    block: float
    messages: int = 1000
    """How many messages a connection takes before it is closed without a word."""


@dataclass
class Provider:
    """One that has been sent to since `now` was 0."""

    habits: Habits
    now: Callable[[], float]
    taken: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    connected: list[float] = field(default_factory=list)
    blocked_until: float = 0.0
    _tokens: float = 0.0
    _filled_at: float = 0.0

    def __post_init__(self) -> None:
        self._tokens = self.habits.burst

    def answer(self, phase: Phase) -> str | None:
        """What is said to a message in `phase`; None: nothing against it. At DOT it is taken."""
        now, habits = self.now(), self.habits
        if phase is habits.phase and (refusal := self._refusal(now)):
            self.refused.append(now)
            return refusal
        if phase is Phase.DOT:
            self._tokens -= 1
            self.taken.append(now)
            return "250 2.0.0 taken"
        return None

    def _refusal(self, now: float) -> str | None:
        habits = self.habits
        self._tokens = min(self._tokens + (now - self._filled_at) * habits.rate / 3600, habits.burst)
        self._filled_at = now
        if now < self.blocked_until:
            return habits.blocked
        if self._tokens >= 1:
            return None
        if sum(at > now - PUSHED_WITHIN for at in self.refused[-habits.patience :]) >= habits.patience:
            self.blocked_until = now + habits.block
        return habits.above

    def connect(self) -> Session:
        """A session with it, greeted."""
        self.connected.append(self.now())
        return Session(Wire(self), route=self.habits.name, offers=Offers(pipelining=True))


class Wire(asyncio.Transport):
    """A connection to it: what is written is answered a round trip later, in order."""

    def __init__(self, provider: Provider) -> None:
        super().__init__()
        self._provider = provider
        self._loop = asyncio.get_running_loop()
        self._protocol: Any = None
        self._closed = False
        self._said_last = False
        self._heard = b""
        self._in_content = False
        self._refused = False
        self._messages = 0
        # Timers of one moment go off in any order, so what they carry waits here.
        self._written: deque[bytes] = deque()
        self._replies: deque[tuple[str, bool]] = deque()

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def write(self, data: Any) -> None:
        self._written.append(bytes(data))
        self._loop.call_later(ROUND_TRIP / 2, self._hear)

    def abort(self) -> None:
        self._closed = True

    def _hear(self) -> None:
        self._heard += self._written.popleft()
        while not self._said_last:
            end = b"\r\n.\r\n" if self._in_content else b"\r\n"
            part, found, rest = self._heard.partition(end)
            if not found:
                return
            self._heard = rest
            self._say(self._reply(part.decode("ascii", "replace")))

    def _reply(self, command: str) -> str:
        if self._in_content:
            self._in_content = False
            self._messages += 1
            return self._provider.answer(Phase.DOT) or ""
        verb = command[:4].upper()
        if verb in ("MAIL", "RCPT"):
            refusal = None if self._refused and verb == "RCPT" else self._provider.answer(Phase(verb.lower()))
            self._refused = (self._refused and verb == "RCPT") or refusal is not None
            return refusal or ("503 5.5.1 no" if self._refused else "250 2.0.0 ok")
        if verb == "DATA":
            self._in_content = not self._refused
            return "503 5.5.1 no" if self._refused else "354 go on"
        return "221 2.0.0 bye" if verb == "QUIT" else "250 2.0.0 ok"

    def _say(self, reply: str) -> None:
        full = self._messages >= self._provider.habits.messages and not self._in_content
        self._said_last = full or reply[:3] in ("221", "421")
        self._replies.append((reply, self._said_last))
        self._loop.call_later(ROUND_TRIP / 2, self._tell)

    def _tell(self) -> None:
        reply, last = self._replies.popleft()
        if not self._closed:
            self._protocol.data_received(f"{reply}\r\n".encode())
        if last and not self._closed:
            self._closed = True
            self._protocol.connection_lost(None)
