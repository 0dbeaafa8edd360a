"""`campaign providers`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from campaign_cli.cli.options import config_options, json_option, settings_of, state_folder
from campaign_cli.cli.streams import check_written, print_json

NARROW = 80
"""Columns of a terminal below which the table leaves out how a provider is connected to: limits go before that."""


@click.command(short_help="List providers, limits, and what is left of each.")
@json_option
@config_options
def providers(json: bool, config: Path | None, state: str | None) -> None:
    """List the providers: their domains, their limits, and what is left of each budget."""
    settings = settings_of(config, state=state)

    from campaign_cli.engine.campaign import read_shared
    from campaign_cli.policy.budgets import OF_A_RELAY, Budget
    from campaign_cli.policy.limits import left

    shared = read_shared(state_folder(settings))

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
    charged = [name for name in shared.charged() if not name.startswith(OF_A_RELAY)] if shared else []
    names = list(known.by_name) + sorted(set(charged) - set(known.by_name))
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
            }
        )
    rows += [{"relay": relay, **state_of(budget)} for relay, budget in settings.relay_budgets.items()]
    if json:
        print_json(rows)
        return
    _show(rows)
    check_written()


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

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
