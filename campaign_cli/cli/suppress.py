"""`campaign suppress`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from campaign_cli.cli.options import addresses_of, config_options, json_option, settings_of, state_folder
from campaign_cli.cli.streams import check_written, complain, print_json

if TYPE_CHECKING:
    from campaign_cli.model.address import Address


@click.group()
def suppress() -> None:
    """Keep addresses that no campaign ever mails."""


@suppress.command()
@click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True)
@click.option("--reason", default="added by hand", show_default=True, metavar="TEXT", help="Why; it stands in reports.")
@config_options
def add(addresses: tuple[str, ...], reason: str, config: Path | None, state: str | None) -> None:
    """Never mail these addresses again."""
    _add(addresses_of(addresses), reason, config, state)


@suppress.command()
@click.argument("addresses", metavar="ADDRESS...", nargs=-1, required=True)
@config_options
def remove(addresses: tuple[str, ...], config: Path | None, state: str | None) -> None:
    """Allow these addresses to be mailed again."""
    parsed = addresses_of(addresses)

    from campaign_cli.engine.campaign import write_shared

    shared = write_shared(state_folder(settings_of(config, state=state)))
    removed = shared.lift(parsed)
    shared.close()
    print(f"{removed:,} removed, {len(parsed) - removed:,} were not suppressed")


@suppress.command("list")
@json_option
@config_options
def list_(json: bool, config: Path | None, state: str | None) -> None:
    """List the suppressed addresses, with reason and date."""
    from campaign_cli.cli.display import iso_time
    from campaign_cli.engine.campaign import read_shared

    shared = read_shared(state_folder(settings_of(config, state=state)))
    known = shared.suppressions() if shared else iter(())
    if json:
        rows = [{"email": each.email, "reason": each.reason, "added_at": iso_time(each.added_at)} for each in known]
        print_json(rows)
        return
    for each in known:
        print(f"{each.email}\t{iso_time(each.added_at)}\t{each.reason}")
    check_written()


@suppress.command("import")
@click.argument("file", metavar="FILE")
@click.option("--email-column", metavar="NAME", help="The list's address column. [default: email, e-mail, mail ...]")
@click.option("--reason", default="imported", show_default=True, metavar="TEXT", help="Why; it stands in reports.")
@config_options
def import_(file: str, email_column: str | None, reason: str, config: Path | None, state: str | None) -> None:
    """Never mail the addresses of FILE again: a list with an address column, or one address a line.

    FILE may be - for standard input. Lines that begin with # before the first entry are comments.
    """
    from campaign_cli.audience.lists import read_addresses
    from campaign_cli.audience.spool import shown_source
    from campaign_cli.model.contact import BadRow

    bad: list[BadRow] = []

    def good() -> Iterator[Address]:
        for each in read_addresses(file, email_column=email_column, stdin=sys.stdin.buffer):
            if isinstance(each, BadRow):
                bad.append(each)
            else:
                yield each

    _add(good(), reason, config, state)
    for row in bad:
        complain(f"{shown_source(file)}:{row.line}: {row.email}: {row.reason}; left out")


def _add(addresses: Iterable[Address], reason: str, config: Path | None, state: str | None) -> None:
    from campaign_cli.engine.campaign import write_shared

    shared = write_shared(state_folder(settings_of(config, state=state)))
    added = shared.suppress(addresses, reason=reason, now=time.time())
    shared.close()
    print(f"{added:,} suppressed that were not before")
