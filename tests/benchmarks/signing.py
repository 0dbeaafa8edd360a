"""What a DKIM signature costs: `campaign send` with an RSA key of 2048 bits, without, and nothing but signatures."""

from __future__ import annotations

from pathlib import Path

from figures import Aim, Measure, Result, Row, Series, alternated
from material import SENDER
from processes import HERE, PYTHON, run
from sending import Order, Sending
from workshop import Workshop, checked

BARE = "bare signatures, all cores"

UNSIGNED = "campaign, unsigned"

BOTH = "both, one after the other"
"""What would be left if a message cost what it costs without a signature, and the signature, and nothing else."""


def signing(shop: Workshop) -> Result:
    """`--workers auto`, four providers with five connections each."""
    count, seconds = shop.sized(50_000, 3_000), shop.sized(5, 1)
    contacts = shop.contacts(count)
    domain, key = SENDER.partition("@")[2], shop.work / "dkim.pem"
    run([PYTHON, "-m", "campaign_cli", "dkim", "new", domain, "--output", key])

    def sent(dkim: tuple[str, Path] | None) -> Measure:
        def measure() -> float:
            with shop.smtp_sink() as sink:
                order = Order(contacts, shop.template, sink.port, dkim=dkim)
                with Sending(shop.work, order) as sending:
                    taken = sending.send(count).seconds
                checked(sink, count)
                return count / taken

        return measure

    def bare() -> float:
        return float(run([PYTHON, HERE / "ours/signatures.py", str(seconds)]).out)

    contestants: dict[str, Measure | str] = {"campaign": sent((domain, key)), UNSIGNED: sent(None), BARE: bare}
    found = alternated(contestants, shop.rounds, shop.tell)
    what = f"campaign send, RSA-2048, {count:,} rows"
    # Where signing and sending share the cores, no program reaches three quarters of what signing alone would.
    aims = {BARE: Aim("ratio", 0.75), BOTH: Aim("ratio", 0.75)}
    rounds = zip(found[UNSIGNED].rounds, found[BARE].rounds, strict=False)
    both = [1 / (1 / unsigned + 1 / bare) for unsigned, bare in rounds]
    found[BOTH] = Series(BOTH, tuple(both), found[UNSIGNED].trouble or found[BARE].trouble)
    rows = [Row("signing", what, "/s", found["campaign"], found[who], aims.get(who)) for who in (UNSIGNED, BARE, BOTH)]
    return Result(rows, {"messages": count})
