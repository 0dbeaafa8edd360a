"""What a long list costs: memory, time for each message, and the time before the first one."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from dataclasses import replace

from figures import Aim, BenchmarkError, Measure, Result, Row, Series, alternated
from memory import MB, Peak
from processes import HERE, PYTHON, TIMEOUT, run
from sending import REMAINING, Order, Sending
from workshop import Workshop, checked

SMALL = 10_000
"""Rows of the list that the long one is held to, and messages sent of both."""


def size(shop: Workshop) -> Result:
    """`campaign send --limit 10000` of a long list against one that has no more."""
    large = shop.sized(1_000_000, 100_000)
    beside: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    kinds = set()

    def measured(rows: int) -> Measure:
        contacts = shop.contacts(rows)

        def measure() -> float:
            with shop.own_sink(chunking=False) as sink:
                order = Order(contacts, shop.template, sink.port, limit=SMALL)
                with Sending(shop.work, order) as sending, sending.start() as running, Peak(running.pid) as peak:
                    ran = running.wait(TIMEOUT, (0 if rows == SMALL else REMAINING,))
                    sending.check(SMALL)
                seen = checked(sink, SMALL)
            kinds.add(peak.kind)
            each = (seen.last_message - seen.first_mail) / SMALL * 1e6
            beside[f"{rows:,} rows"].append((each, seen.first_mail - ran.started, seen.octets / SMALL))
            return peak.octets / MB

        return measure

    long, short = f"{large:,} rows", f"{SMALL:,} rows"
    found = alternated({long: measured(large), short: measured(SMALL)}, shop.rounds, shop.tell)

    def series(who: str, column: int) -> Series:
        return replace(found[who], rounds=tuple(figures[column] for figures in beside[who]))

    memory = f"memory ({' '.join(kinds)}), {long}, {SMALL:,} sent"
    rows = [
        Row("size", memory, "MB", found[long], found[short], Aim("difference", 40.0, at_most=True)),
        Row("size", f"time for each message, {long}", "us", series(long, 0), series(short, 0)),
        Row("size", f"start to first MAIL, {long}", "s", series(long, 1), series(short, 1), _seconds(shop, 10.0)),
    ]
    return Result(rows, {"octets of a message": {who: series(who, 2).value for who in (long, short)}})


def dry_run(shop: Workshop) -> Result:
    """`campaign send --dry-run` of a long list."""
    large = shop.sized(1_000_000, 100_000)
    order = Order(shop.contacts(large), shop.template, 9)

    def measure() -> float:
        with Sending(shop.work, order) as sending, sending.start("--dry-run", "--json") as running:
            ran = running.wait(TIMEOUT, (0,))
            planned = json.loads(ran.out)["recipients"]
            if planned != large:
                raise BenchmarkError(f"{large} were to be planned, and {planned} are")
            return ran.seconds

    found = alternated({"campaign": measure}, shop.rounds, shop.tell)["campaign"]
    return Result([Row("dry-run", f"--dry-run of {large:,} rows", "s", found, aim=_seconds(shop, 15.0))])


def enrol(shop: Workshop) -> Result:
    """What `campaign send` does with a long list before it sends, on a fresh state."""
    large = shop.sized(1_000_000, 100_000)
    contacts, state = shop.contacts(large), shop.work / "enrolment"

    def measure() -> float:
        shutil.rmtree(state, ignore_errors=True)
        said = json.loads(run([PYTHON, HERE / "ours/enrolment.py", contacts, shop.template, state]).out)
        shutil.rmtree(state)
        if said["enrolled"] != large:
            raise BenchmarkError(f"{large} were to be enrolled, and {said['enrolled']} are")
        return large / float(said["seconds"])

    found = alternated({"campaign": measure}, shop.rounds, shop.tell)["campaign"]
    return Result([Row("enrol", f"enrolling {large:,} rows", "/s", found)])


def _seconds(shop: Workshop, most: float) -> Aim | None:
    """An aim for a million rows says nothing about fewer."""
    return None if shop.quick else Aim("figure", most, at_most=True)
