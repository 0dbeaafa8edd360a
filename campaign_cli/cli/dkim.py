"""`campaign dkim`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from campaign_cli.cli.options import json_option
from campaign_cli.cli.streams import check_written, print_json


@click.group(short_help="Make the keys that messages are signed with.")
def dkim() -> None:
    """Make the keys that messages are signed with (DKIM)."""


@dkim.command()
@click.argument("domain")
@click.option(
    "--selector",
    metavar="NAME",
    help="Its name in DNS. [default: s202611, by the month; of an Ed25519 key e202611]",
)
@click.option("--ed25519", is_flag=True, help="An Ed25519 key: to be used beside an RSA key, not in its place.")
@click.option(
    "--bits",
    metavar="N",
    type=click.Choice(["1024", "2048", "4096"]),
    help="Of an RSA key: 1024, 2048 or 4096. [default: 2048]",
)
@click.option("--output", metavar="FILE", help="The key's file. [default: DOMAIN.SELECTOR.pem]")
@json_option
def new(domain: str, selector: str | None, ed25519: bool, bits: str | None, output: str | None, json: bool) -> None:
    """Make a key for DOMAIN and print the DNS record that goes with it.

    The key is written to a new file that only you can read; nothing is ever written over.
    """
    from campaign_cli.config.signing import parse_selector
    from campaign_cli.config.values import parse_domain
    from campaign_cli.content.keys import ADVISED, Algorithm, new_key, strings

    if ed25519 and bits:
        raise click.UsageError("--bits is for RSA keys: an Ed25519 key has one length")
    try:
        domain = parse_domain(domain)
        # A name in DNS has one key.
        selector = parse_selector(selector or f"{'e' if ed25519 else 's'}{datetime.now():%Y%m}")
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    path = Path(output or f"{domain}.{selector}.pem")
    algorithm = Algorithm.ED25519 if ed25519 else Algorithm.RSA
    key = new_key(path, algorithm, domain=domain, selector=selector, bits=int(bits or ADVISED))
    if json:
        print_json({"key": str(path), "name": key.name, "type": "TXT", "value": key.record})
        return
    pieces = " ".join(f'"{piece}"' for piece in strings(key.record))
    print(f"The key is in {path}. Publish this record; a form for it takes the value without quotes and in one piece:")
    print(f"\n{key.name}. IN TXT ( {pieces} )\n")
    print(f"Then sign with it, in campaign.yaml:\n\ndkim:\n  - {{domain: {domain}, selector: {selector}, key: {path}}}")
    check_written()
