"""`campaign status`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from campaign_cli.cli.options import config_options, json_option, settings_of, state_folder
from campaign_cli.cli.streams import check_written, print_json, shown

HASH_SHOWN = 12
"""Hex digits of a hash that a person is shown: enough to tell two apart. --json has all of it."""


@click.command(short_help="Show where campaigns stand, also while one runs.")
@click.argument("name", metavar="[NAME]", required=False)
@json_option
@config_options
def status(name: str | None, json: bool, config: Path | None, state: str | None) -> None:
    """Show where campaigns stand, also while one runs; all of them, or NAME alone."""
    settings = settings_of(config, state=state)

    from campaign_cli.cli.display import iso_time
    from campaign_cli.engine.campaign import read_ledger
    from campaign_cli.ledger.lock import holder

    folder = state_folder(settings)
    campaigns: list[dict[str, Any]] = []
    for each in [name] if name else folder.names():
        ledger = read_ledger(folder, each)
        states, listing, current = ledger.states(), ledger.last_listing(), ledger.revisions.current()
        sent_to = ledger.revisions.sent_to() if name or json else {}
        campaigns.append(
            {
                "name": each,
                "list": ledger.list,
                "list_digest": listing.digest if listing else None,
                "enrolled_at": iso_time(listing.enrolled_at) if listing else None,
                "template": ledger.template,
                "revision": current.number if current else None,
                "revisions": [
                    {
                        "number": each.number,
                        "digest": each.digest,
                        "template": each.template,
                        "sender": each.sender,
                        "variants": dict(each.split.weights) if each.split else {},
                        "first_used_at": iso_time(each.first_used_at),
                        "sent_to": sent_to.get(each.number, 0),
                    }
                    for each in ledger.revisions.all()
                ],
                "rows": sum(states.values()),
                "states": states,
                "withdrawn": ledger.withdrawn(),
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
    from campaign_cli.cli.display import STATE_ORDER, count
    from campaign_cli.model.lifecycle import State

    order = (*STATE_ORDER, State.SUBMITTING)
    states = campaign["states"]
    counts = ", ".join(f"{states[state]:,} {state}" for state in order if states.get(state))
    print(f"{campaign['name']}: {count(campaign['rows'], 'row')}{': ' if counts else ''}{counts}")
    if campaign["running"]:
        print(shown(f"  running: {campaign['running']}"))
    if details:
        enrolled = f", enrolled {campaign['enrolled_at']}, {_hash(campaign['list_digest'])}"
        print(shown(f"  list: {campaign['list']}{enrolled if campaign['enrolled_at'] else ''}"))
        print(shown(f"  template: {campaign['template']}"))
        if len(campaign["revisions"]) > 1:
            for each in campaign["revisions"]:
                print(shown(f"  {_revision(each, now=each['number'] == campaign['revision'])}"))
        for provider, count in campaign["remaining_by_provider"].items():
            print(f"  left at {provider}: {count:,}")


def _revision(revision: dict[str, Any], *, now: bool) -> str:
    """A template and sender that was sent with, in one line."""
    what = f"{revision['template']} from {revision['sender']}"
    if variants := revision["variants"]:
        what += f", in variants {', '.join(f'{name} {weight:g}' for name, weight in variants.items())}"
    when = f"first used {revision['first_used_at']}{', used now' if now else ''}"
    return (
        f"revision {revision['number']}: {what}, {_hash(revision['digest'])}, {when}: {revision['sent_to']:,} sent to"
    )


def _hash(digest: str) -> str:
    return f"sha256 {digest[:HASH_SHOWN]}"
