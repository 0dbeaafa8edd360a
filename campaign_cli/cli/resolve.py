"""`campaign resolve`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from campaign_cli.cli.options import addresses_of, config_options, json_option, settings_of, state_folder
from campaign_cli.cli.streams import check_written, print_json
from campaign_cli.model.errors import UsageError


@click.command(short_help="Say what became of uncertain recipients.")
@click.argument("name", metavar="NAME")
@click.argument("addresses", metavar="[ADDRESS...]", nargs=-1)
@click.option(
    "--delivered/--not-delivered",
    default=None,
    help="Their message arrived; or it did not, and the next run sends it again, the same to the byte.",
)
@click.option("--all", "everyone", is_flag=True, help="Every uncertain recipient of the campaign.")
@json_option
@config_options
def resolve(
    name: str,
    addresses: tuple[str, ...],
    delivered: bool | None,
    everyone: bool,
    json: bool,
    config: Path | None,
    state: str | None,
) -> None:
    """Say what became of recipients of the campaign NAME that are uncertain, such as after a look into the relay's log.

    All of them are resolved or, when one is not uncertain, none.
    """
    if delivered is None:
        raise UsageError("say what became of them: --delivered or --not-delivered")
    if everyone == bool(addresses):
        raise UsageError("name the addresses, or give --all for every uncertain recipient, and not both")
    parsed = None if everyone else addresses_of(addresses)

    from campaign_cli.engine.resolution import resolve_uncertain

    folder = state_folder(settings_of(config, state=state))
    resolved = resolve_uncertain(folder, name, parsed, delivered=delivered, now=time.time())
    if json:
        print_json({"name": name, "state": "delivered" if delivered else "pending", "resolved": resolved})
        return
    if not resolved:
        print(f"{name}: no recipient is uncertain")
    for email in resolved:
        print(f"{email}: {'delivered' if delivered else 'pending, sent again by the next run'}")
    check_written()
