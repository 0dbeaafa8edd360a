"""`campaign providers`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from campaign_cli.cli.options import config_options, json_option, settings_of, state_folder
from campaign_cli.cli.streams import check_written, print_json

if TYPE_CHECKING:
    from campaign_cli.ledger.folder import StateFolder
    from campaign_cli.policy.shaping import Backoff

NARROW = 80
"""Columns of a terminal below which the table leaves out how a provider is connected to: limits go before that."""


@click.command(short_help="List providers, limits, and what is left of each.")
@click.option(
    "--resume", metavar="NAME", multiple=True, help="Hold nothing against it any more: send at its full limit again."
)
@json_option
@config_options
def providers(resume: tuple[str, ...], json: bool, config: Path | None, state: str | None) -> None:
    """List the providers: their domains, their limits, what is left of each budget, and which are held back and why."""
    settings = settings_of(config, state=state)

    from campaign_cli.engine.campaign import read_shared
    from campaign_cli.policy.budgets import Budget
    from campaign_cli.policy.limits import left

    folder = state_folder(settings)
    if resume:
        _resume(folder, resume)
    shared = read_shared(folder)
    held = shared.backoffs.all() if shared else {}
    to_utc = time.time() - shared.now() if shared else 0.0

    def state_of(budget: Budget) -> dict[str, Any]:
        day = shared.warmup_day(budget) if shared else 0
        charges, now = (shared.charges(budget), shared.now()) if shared else ([], 0.0)
        warmup = {"day": day + 1, "limit": budget.warmup.limit(day)} if budget.warmup else None
        return {
            "limit": budget.pace.text,
            "warmup": warmup,
            "left": left(budget.on_day(day).pace, charges, now),
        }

    known = settings.providers
    charged = shared.charged() if shared else []
    names = list(known.by_name) + sorted({*charged, *held} - set(known.by_name))
    rows: list[dict[str, Any]] = []
    for name in names:
        provider = known.get(name)
        rows.append(
            {
                "provider": name,
                "domains": list(provider.domains),
                "mx_suffixes": list(provider.mx_suffixes),
                **state_of(provider.budget),
                "connections": provider.connections,
                "messages_per_connection": provider.messages_per_connection,
                "backoff": _backoff(held[name], to_utc) if name in held else None,
            }
        )
    rows += [{"relay": relay, **state_of(budget)} for relay, budget in settings.relay_budgets.items()]
    if json:
        print_json(rows)
        return
    _show(rows, [_held_back(name, held[name], to_utc) for name in names if name in held])
    check_written()


def _resume(folder: StateFolder, names: tuple[str, ...]) -> None:
    """Forget what is held against the providers `names`. Raises UsageError when nothing is."""
    from campaign_cli.engine.campaign import write_shared
    from campaign_cli.model.errors import UsageError

    shared = write_shared(folder)
    held = shared.backoffs.all()
    for name in names:
        if name not in held:
            there = f"held back are {', '.join(held)}" if held else "no provider is held back"
            raise UsageError(f"--resume {name}: nothing is held against it; {there}")
    for name in names:
        shared.backoffs.change(name, lambda _held, _now: None)
    shared.close()


def _backoff(backoff: Backoff, to_utc: float) -> dict[str, Any]:
    """How a provider is held back, for programs: rates are an hour's. `to_utc` is what the budget clock lacks."""
    from campaign_cli.cli.display import iso_time

    moments = {"since": backoff.since, "suspended_until": backoff.until, "more_at": backoff.more_at}
    return {
        "why": backoff.why,
        **{name: iso_time(to_utc + moment) for name, moment in moments.items()},
        "rate": round(backoff.rate * 3600),
        "connections": backoff.connections,
        "most": backoff.most,
        "in_vain": backoff.vain,
    }


def _held_back(name: str, backoff: Backoff, to_utc: float) -> str:
    """The same, for a person."""
    from campaign_cli.cli.display import local_time

    since, until, more_at = (local_time(to_utc + each) for each in (backoff.since, backoff.until, backoff.more_at))
    doing = f"at most {backoff.most}, a step more at {more_at}"
    if to_utc + backoff.until > time.time():
        doing = f"nothing until {until}, then {doing}"
    return f"{name} is held back since {since}: {doing}. It said: {backoff.why}"


def _show(rows: list[dict[str, Any]], notes: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    narrow = console.width < NARROW
    # The numbers keep their width; the domains get what is left of the line.
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    table.add_column("provider", no_wrap=True, overflow="ellipsis", max_width=24)
    for heading in ("limit", "left", *(() if narrow else ("connections", "messages each"))):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("domains", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        table.add_row(
            row["provider"] if "provider" in row else f"relay {row['relay']}",
            _limit(row),
            "" if row["left"] is None else f"{row['left']:,}",
            *(() if narrow else (str(row.get("connections", "")), str(row.get("messages_per_connection", "")))),
            _domains(row),
        )
    console.print(table)
    for note in notes:
        console.print(Text(note))


def _limit(row: dict[str, Any]) -> str:
    warmup = row["warmup"]
    if warmup is None or warmup["limit"] is None:
        return str(row["limit"])
    today = f"day {warmup['day']}: {warmup['limit']:,}/d"
    return today if row["limit"] == "none" else f"{row['limit']}, {today}"


def _domains(row: dict[str, Any]) -> str:
    from campaign_cli.policy.providers import BY_MX

    if "relay" in row:
        return "all that it is given"
    if row["provider"] == "default":
        return "other domains, by their MX hosts"
    if row["provider"].startswith(BY_MX):
        return "domains with these MX hosts alone"
    if not row["domains"]:
        return "domains by their MX hosts" if row["mx_suffixes"] else "this domain"
    count = len(row["domains"])
    return ", ".join(row["domains"][:3]) + (f" and {count - 3} more" if count > 3 else "")
