"""How fast it is when nothing but the machine is in its way: the transport alone, and everything."""

from __future__ import annotations

import json

from figures import Aim, Measure, Result, Row, alternated
from material import OCTETS
from peers.peers import Errand, Peer
from processes import HERE, PYTHON, run
from sending import Order, Sending
from workshop import Workshop, checked

CONNECTIONS = 20

SOURCE = f"smtp-source -d -s {CONNECTIONS}"


def transactions(shop: Workshop) -> Result:
    """Our transport with ready messages against smtp-source."""
    count = shop.sized(100_000, 20_000)

    def ours() -> float:
        with shop.smtp_sink() as sink:
            counts = [str(sink.port), str(CONNECTIONS), str(count), str(OCTETS)]
            said = json.loads(run([PYTHON, HERE / "ours/transactions.py", *counts]).out)
            checked(sink, count)
            return count / float(said["seconds"])

    found = alternated({"campaign": ours, SOURCE: _source(shop, count)}, shop.rounds, shop.tell)
    what = f"transactions alone, {CONNECTIONS} connections"
    row = Row("transactions", what, "/s", found["campaign"], found[SOURCE], Aim("ratio", 1.2))
    return Result([row], {"messages": count})


def send(shop: Workshop) -> Result:
    """`campaign send`, from the start of the process to its end, against all peers."""
    count = shop.sized(100_000, 10_000)
    by_library, by_mailmerge = shop.sized(10_000, 3_000), shop.sized(1_000, 200)
    contacts = shop.contacts(count)

    def ours() -> float:
        with shop.smtp_sink() as sink, Sending(shop.work, Order(contacts, shop.template, sink.port)) as sending:
            seconds = sending.send(count).seconds
            checked(sink, count)
            return count / seconds

    contestants: dict[str, Measure | str] = {
        "campaign": ours,
        SOURCE: _source(shop, count),
        "nodemailer's pool": _peer(shop, shop.nodemailer(), by_library),
        "aiosmtplib": _peer(shop, shop.aiosmtplib(), by_library),
        "mailmerge": _peer(shop, shop.mailmerge(), by_mailmerge),
    }
    aims = {SOURCE: Aim("ratio", 0.7), "nodemailer's pool": Aim("ratio", 7.0)}
    notes = {
        "nodemailer's pool": f"its rate is that of {by_library:,} messages",
        "aiosmtplib": f"its rate is that of {by_library:,} messages",
        "mailmerge": f"its rate is extrapolated from {by_mailmerge:,} messages",
    }
    found = alternated(contestants, shop.rounds, shop.tell)
    what = f"campaign send, {count:,} rows, {CONNECTIONS} connections"
    rows = [
        Row("send", what, "/s", found["campaign"], series, aims.get(who), notes.get(who, ""))
        for who, series in found.items()
        if who != "campaign"
    ]
    counts = {"campaign": count, "smtp-source": count, "nodemailer": by_library, "mailmerge": by_mailmerge}
    return Result(rows, {"messages": counts | {"aiosmtplib": by_library}})


def _source(shop: Workshop, count: int) -> Measure | str:
    postfix = shop.postfix()
    if isinstance(postfix, str):
        return postfix

    def measure() -> float:
        with shop.smtp_sink() as sink:
            command = postfix.source_command(sink.port, count, sessions=CONNECTIONS, octets=OCTETS)
            seconds = run(command, env=postfix.env).seconds
            checked(sink, count)
            return count / seconds

    return measure


def _peer(shop: Workshop, peer: Peer | str, count: int) -> Measure | str:
    if isinstance(peer, str):
        return peer
    contacts = shop.contacts(count)

    def measure() -> float:
        with shop.smtp_sink() as sink:
            seconds = peer.send(Errand(sink.port, CONNECTIONS, count, contacts, shop.work)).seconds
            checked(sink, count)
            return count / seconds

    return measure
