"""The composed messages that a lane has in hand, each in the queue of the way it goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain

from campaign_cli.engine.rooms import Ready
from campaign_cli.model.dns import Way

Queue = deque[Ready]


class Outbox:
    """Queues by where they go; relays take everybody's mail, so with them there is one, that of None, and one for each
    relay that has to see somebody again."""

    def __init__(self) -> None:
        self.queues: dict[Way, Queue] = {}

    def queue(self, way: Way) -> Queue:
        """That of `way`, always the same."""
        return self.queues.setdefault(way, deque())

    def __len__(self) -> int:
        return sum(map(len, self.queues.values()))

    def __iter__(self) -> Iterator[Ready]:
        return chain.from_iterable(self.queues.values())

    def clear(self) -> None:
        """Let go of all."""
        for queue in self.queues.values():
            queue.clear()
