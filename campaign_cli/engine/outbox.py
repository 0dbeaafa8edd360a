"""The composed messages that a lane has in hand, each in the queue of the exchange it goes to."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain

from campaign_cli.engine.rooms import Ready
from campaign_cli.model.dns import Exchange

Queue = deque[Ready]


class Outbox:
    """Queues by exchange; relays take everybody's mail, so with them there is one, that of None."""

    def __init__(self) -> None:
        self.queues: dict[Exchange | None, Queue] = {}

    def queue(self, exchange: Exchange | None) -> Queue:
        """That of `exchange`, always the same."""
        return self.queues.setdefault(exchange, deque())

    def __len__(self) -> int:
        return sum(map(len, self.queues.values()))

    def __iter__(self) -> Iterator[Ready]:
        return chain.from_iterable(self.queues.values())

    def clear(self) -> None:
        """Let go of all."""
        for queue in self.queues.values():
            queue.clear()
