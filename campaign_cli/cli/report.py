"""`campaign report`."""

from __future__ import annotations

from pathlib import Path

import click

from campaign_cli.cli.options import config_options, settings_of, state_folder
from campaign_cli.cli.streams import check_written, for_programs

STANDARD_OUTPUT = ("-", "/dev/stdout")


@click.command(short_help="Write a campaign's report anew.")
@click.argument("name", metavar="NAME")
@click.option("--output", metavar="FILE", help="Where it goes; - is standard output. [default: NAME-report.csv]")
@click.option("--all", "everyone", is_flag=True, help="Also those whom the list no longer names, at the end.")
@config_options
def report(name: str, output: str | None, everyone: bool, config: Path | None, state: str | None) -> None:
    """Write the report of the campaign NAME anew, as its ledger stands now."""
    settings = settings_of(config, state=state)

    from campaign_cli.engine.campaign import read_ledger
    from campaign_cli.report.csv import write_report, write_rows

    ledger = read_ledger(state_folder(settings), name)
    results = ledger.results(withdrawn=everyone)
    if output in STANDARD_OUTPUT:
        write_rows(for_programs(), results)
        check_written()
        return
    path = Path(output or f"{name}-report.csv")
    rows = write_report(path, results)
    print(f"{path}: {rows:,} rows")
