"""`campaign send`."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from campaign_cli.cli.main import EPILOG
from campaign_cli.cli.options import config_options, json_option, message_options
from campaign_cli.cli.streams import check_written
from campaign_cli.model.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from campaign_cli.cli.display import Display
    from campaign_cli.config.settings import Settings
    from campaign_cli.engine.campaign import OpenCampaign
    from campaign_cli.engine.preparation import Prepared

ASK_ABOVE = 300
"""Recipients above which a person at a terminal is asked once."""


@click.command(epilog=EPILOG, short_help="Send to everyone on a list who has not had it yet.")
@click.argument("contacts", metavar="LIST")
@message_options
@click.option(
    "--relay", multiple=True, metavar="URL", help="smtps://user@host or smtp://user@host:587; repeat for a backup."
)
@click.option(
    "--delivery", metavar="HOW", help="relay, or mx: straight to each domain's own mail servers. [default: relay]"
)
@click.option(
    "--rate", multiple=True, metavar="PROVIDER=LIMIT", help="Such as yahoo=500/h or default=none; repeatable."
)
@click.option("--connections", type=int, metavar="N", help="Connections to each provider at most.")
@click.option("--workers", metavar="N", help="Processes that compose messages; 0: none but this one. [default: auto]")
@click.option("--limit", type=int, metavar="N", help="Start at most N transactions in this run.")
@click.option("--max-runtime", metavar="TIME", help="Stop after this long: 55m, 2h.")
@click.option("--not-after", metavar="WHEN", help="Send to nobody from then on: 2027-03-01T18:00+01:00.")
@click.option("--report", metavar="FILE", help="Where the report goes. [default: NAME-report.csv]")
@click.option("--dry-run", is_flag=True, help="Show what would happen; touch neither network nor state.")
@click.option("--to", metavar="ADDRESS", help="Send one test message to this address, and to nobody else.")
@click.option("--as", "like", metavar="ADDRESS", help="With --to: as this contact would get it. [default: the first]")
@click.option("--variant", metavar="NAME", help="With --to: in this variant. [default: the contact's]")
@click.option("--sandbox", is_flag=True, help="Send to a server of its own on this machine, which keeps every message.")
@click.option("--resend-uncertain", is_flag=True, help="Send again to those whose message may or may not have arrived.")
@click.option(
    "--accept-changes", is_flag=True, help="Go on with a template or sender that has changed in mid-campaign."
)
@click.option("--adopt", is_flag=True, help="Send from a ledger that was copied, moved or restored, as it is.")
@click.option("--yes", is_flag=True, help="Do not ask before sending to many.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("--verbose", is_flag=True, help="Say what becomes of every recipient, on standard error.")
@click.option("--log-file", metavar="FILE", help="Write what becomes of every recipient to this file.")
@json_option
@config_options
def send(
    contacts: str, config: Path | None, to: str | None, like: str | None, variant: str | None, **options: Any
) -> int:
    """Send the template to every contact of LIST who has not had it yet.

    LIST is CSV, TSV, JSON lines or XLSX; - is standard input. Running the same campaign again sends only to those
    who have no final result yet. Every option may also stand in campaign.yaml; the command line wins.
    """
    from campaign_cli.config.load import read_settings

    if like and not to:
        raise UsageError("--as says whose message a test is: say with --to where it goes")
    if variant and not to:
        raise UsageError("--variant says which one a test is in: say with --to where it goes")
    settings, wrong = read_settings(config, options)
    if to:
        if settings.dry_run:
            raise UsageError("--to sends a message, and --dry-run sends nothing: `campaign preview` shows messages")
        # A test has no report.
        settings = replace(settings, report=Path(os.devnull))

    from campaign_cli.cli.display import Display
    from campaign_cli.cli.logs import start_logging
    from campaign_cli.engine.preparation import prepare

    display = Display(quiet=settings.quiet, json=settings.json)
    log_file = None if settings.dry_run or wrong else settings.log_file
    start_logging(verbose=settings.verbose, file=log_file, tell=display.warn)
    prepared = prepare(settings, contacts, now=datetime.now().astimezone(), stdin=sys.stdin.buffer, wrong=wrong)
    if prepared.contacts.encoding:
        display.tell(f"{prepared.contacts.source} is not UTF-8; it is read as {prepared.contacts.encoding}")
    for warning in prepared.warnings:
        display.tell(f"note: {warning}")
    if to:
        from campaign_cli.cli.trial import try_one

        with display.each_trouble_once():
            return try_one(settings, prepared, display, to=to, like=like, variant=variant)
    if settings.dry_run:
        from campaign_cli.cli.plan_view import no_message_can_be_made, show_plan
        from campaign_cli.engine.plan import make_plan

        with display.busy(f"reading {prepared.contacts.source}"):
            plan = make_plan(settings, prepared)
        show_plan(plan, display)
        check_written()
        return ExitCode.INPUT if no_message_can_be_made(plan) else ExitCode.DONE

    from campaign_cli.engine.campaign import open_campaign, start_sending
    from campaign_cli.engine.run import Run

    with ExitStack() as stack:
        with display.busy(f"reading {prepared.contacts.source}"):
            campaign = stack.enter_context(open_campaign(settings, prepared, display.tell))
        if not _agreed(settings, prepared, campaign, display):
            display.tell("nothing was sent")
            return ExitCode.INTERRUPTED
        start_sending(campaign, settings, prepared, display.tell)
        run = Run(settings, prepared, campaign, tell=display.tell, answer=display.answer)
        display.started(prepared, run.progress)
        with display.each_trouble_once(), display.live(run.progress):
            summary = run.execute()
        display.finished(summary, settings)
        return summary.exit_code


def _agreed(settings: Settings, prepared: Prepared, campaign: OpenCampaign, display: Display) -> bool:
    """Whether a person who is there has nothing against it. Raises ChangedError where nobody is there to be asked."""
    from campaign_cli.engine.revision import find_change, to_send
    from campaign_cli.model.errors import ChangedError

    change = find_change(campaign.ledger, settings, prepared)
    if change and not settings.accept_changes:
        if not display.can_ask:
            raise ChangedError(
                f"{change.text}: look at it with --dry-run, then send it with --accept-changes, or change it back"
            )
        display.tell(f"{change.text}.")
        if not click.confirm("Send them the changed message?", default=False):
            return False
    if settings.yes or settings.sandbox or not display.can_ask:
        return True
    count = to_send(campaign.ledger, settings)
    return count <= ASK_ABOVE or click.confirm(f"Send {prepared.name!r} to {count:,} recipients?", default=False)
