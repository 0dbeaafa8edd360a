"""`campaign status`."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Any

import click

from campaign_cli.cli.options import config_options, json_option, settings_of, state_folder


@click.command(short_help="Show where campaigns stand, also while one runs.")
@click.argument("name", metavar="[NAME]", required=False)
@json_option
@config_options
def status(name: str | None, json: bool, config: Path | None, state: str | None) -> None:
    """Show where campaigns stand, also while one runs; all of them, or NAME alone."""
    settings = settings_of(config, state=state)

    from campaign_cli.engine.campaign import read_ledger
    from campaign_cli.ledger.lock import holder

    folder = state_folder(settings)
    campaigns: list[dict[str, Any]] = []
    for each in [name] if name else folder.names():
        ledger = read_ledger(folder, each)
        states = ledger.states()
        campaigns.append(
            {
                "name": each,
                "list": ledger.list,
                "template": ledger.template,
                "rows": sum(states.values()),
                "states": states,
                "remaining_by_provider": {work.provider: work.count for work in ledger.work()},
                "running": holder(folder.campaign(each)),
            }
        )
        ledger.close()
    if json:
        click.echo(json_module.dumps(campaigns, ensure_ascii=False, indent=2))
        return
    if not campaigns:
        click.echo(f"no campaign has been sent yet from {folder.root}")
    for campaign in campaigns:
        _show(campaign, details=name is not None)


def _show(campaign: dict[str, Any], *, details: bool) -> None:
    from campaign_cli.cli.display import STATE_ORDER
    from campaign_cli.model.lifecycle import State

    shown = (*STATE_ORDER, State.CLAIMED, State.SUBMITTING)
    states = campaign["states"]
    counts = ", ".join(f"{states[state]:,} {state}" for state in shown if states.get(state))
    click.echo(f"{campaign['name']}: {campaign['rows']:,} rows: {counts}")
    if campaign["running"]:
        click.echo(f"  running: {campaign['running']}")
    if details:
        click.echo(f"  list: {campaign['list']}")
        click.echo(f"  template: {campaign['template']}")
        for provider, count in campaign["remaining_by_provider"].items():
            click.echo(f"  left at {provider}: {count:,}")
