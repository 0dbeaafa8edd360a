"""How fast it is when the server is far away: 50 ms there and back, with and without CHUNKING."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from figures import Aim, Measure, Result, Row, alternated
from peers.peers import Errand
from relays import Relay, distant, round_trip
from sending import Order, Sending
from workshop import Workshop, checked

ONE_WAY = 0.025
"""Seconds."""

DOMAINS, EACH = 2, 5
"""Providers, and connections to each: ten altogether."""

CONNECTIONS = DOMAINS * EACH

PEER = "aiosmtplib"


def distance(shop: Workshop) -> Result:
    """smtp-sink: PIPELINING is all that helps."""
    what = f"send at 50 ms, PIPELINING, {CONNECTIONS} connections"
    return _compared(shop, "distance", what, shop.smtp_sink, shop.sized(2_000, 400), Aim("ratio", 3.5))


def chunking(shop: Workshop) -> Result:
    """A sink that offers CHUNKING as well."""

    def sink() -> AbstractContextManager[Relay]:
        return shop.own_sink(chunking=True)

    what = f"send at 50 ms, CHUNKING, {CONNECTIONS} connections"
    return _compared(shop, "chunking", what, sink, shop.sized(16_000, 3_000), Aim("ratio", 10.0))


def _compared(
    shop: Workshop, name: str, what: str, sink: Callable[[], AbstractContextManager[Relay]], count: int, aim: Aim
) -> Result:
    by_peer = shop.sized(500, 120)
    peer = shop.aiosmtplib()
    trips: list[float] = []

    def measured(count: int, send: Callable[[int], float]) -> Measure:
        def measure() -> float:
            with sink() as relay, distant(relay, ONE_WAY, shop.work / "proxy.out") as port:
                trips.append(round_trip(port) * 1000)
                seconds = send(port)
                checked(relay, count)
                return count / seconds

        return measure

    def ours(port: int) -> float:
        order = Order(shop.contacts(count, DOMAINS), shop.template, port, connections=EACH)
        with Sending(shop.work, order) as sending:
            return sending.send(count).seconds

    def theirs(port: int) -> float:
        assert not isinstance(peer, str)
        errand = Errand(port, CONNECTIONS, by_peer, shop.contacts(by_peer, DOMAINS), shop.work)
        return peer.send(errand).seconds

    contestants: dict[str, Measure | str] = {
        "campaign": measured(count, ours),
        PEER: peer if isinstance(peer, str) else measured(by_peer, theirs),
    }
    found = alternated(contestants, shop.rounds, shop.tell)
    note = f"{count:,} messages, the peer {by_peer:,}"
    row = Row(name, what, "/s", found["campaign"], found[PEER], aim, note)
    return Result([row], {"messages": {"campaign": count, PEER: by_peer}, "round trips, ms": trips})
