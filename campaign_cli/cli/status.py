"""`campaign status`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from campaign_cli.cli.options import config_options, json_option, settings_of, state_folder
from campaign_cli.cli.streams import check_written, print_json, shown


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
        print_json(campaigns)
        return
    if not campaigns:
        print(f"no campaign has been sent yet from {folder.root}")
    for campaign in campaigns:
        _show(campaign, details=name is not None)
    check_written()


def _show(campaign: dict[str, Any], *, details: bool) -> None:
    from campaign_cli.cli.display import STATE_ORDER
    from campaign_cli.model.lifecycle import State

    order = (*STATE_ORDER, State.SUBMITTING)
    states = campaign["states"]
    counts = ", ".join(f"{states[state]:,} {state}" for state in order if states.get(state))
    print(f"{campaign['name']}: {campaign['rows']:,} rows: {counts}")
    if campaign["running"]:
        print(shown(f"  running: {campaign['running']}"))
    if details:
        print(shown(f"  list: {campaign['list']}"))
        print(shown(f"  template: {campaign['template']}"))
        for provider, count in campaign["remaining_by_provider"].items():
            print(f"  left at {provider}: {count:,}")
