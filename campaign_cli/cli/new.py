"""`campaign new`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from campaign_cli.cli.streams import check_written, shown
from campaign_cli.content.starters import STARTERS, start


@click.command(short_help="Make a folder with a template to start from.")
@click.argument("folder")
@click.option(
    "--template",
    metavar="NAME",
    type=click.Choice(STARTERS),
    default=STARTERS[0],
    help=f"{', '.join(STARTERS[:-1])} or {STARTERS[-1]}. [default: {STARTERS[0]}]",
)
def new(folder: str, template: str) -> None:
    """Make FOLDER: a template to start from, a few contacts, and a campaign.yaml.

    Nothing is ever written over.
    """
    place = Path(folder)
    files = start(template, place)
    look = ["campaign", "send", str(place / "contacts.csv"), "--config", str(place / "campaign.yaml"), "--dry-run"]
    print(f"{shown(folder)} has {', '.join(files)} in it. Look at it:\n\n{shown(shlex.join(look))}")
    check_written()
