"""`campaign check`."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from campaign_cli.cli.main import EPILOG
from campaign_cli.cli.options import config_options, json_option, message_options
from campaign_cli.cli.streams import check_written
from campaign_cli.model.errors import ExitCode
from campaign_cli.model.finding import Finding, Severity

if TYPE_CHECKING:
    from campaign_cli.cli.display import Display
    from campaign_cli.engine.findings import Checked

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


@click.command(epilog=EPILOG, short_help="Say everything that is wrong before anything is sent.")
@click.argument("contacts", metavar="LIST")
@message_options
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("--dnsbl", multiple=True, metavar="ZONE", help="Look for the addresses that send on this blocklist.")
@click.option("--rspamd", metavar="URL", help="Ask this rspamd about the first message: http://127.0.0.1:11333.")
@click.option("--spamassassin", metavar="HOST:PORT", help="Ask this spamd about the first message.")
@json_option
@config_options
def check(
    contacts: str,
    config: Path | None,
    strict: bool,
    **options: Any,
) -> int:
    """Make the message of every contact of LIST, look at all of them and at DNS, and say everything that is wrong.

    Relays are asked how much they take. It sends nothing and leaves no state. Errors end in exit code 65, with --strict
    warnings as well.
    """
    from campaign_cli.config.load import read_settings

    settings, wrong = read_settings(config, options)

    from campaign_cli.cli.display import Display
    from campaign_cli.engine.checking import check as look

    display = Display(quiet=False, json=settings.json)
    with display.busy(f"checking {contacts}") as so_far:
        checked = look(
            settings,
            contacts,
            now=datetime.now().astimezone(),
            stdin=sys.stdin.buffer,
            wrong=wrong,
            progress=lambda made: so_far(f"{made:,} messages made"),
        )
    if display.json:
        display.say_json(_as_json(checked))
    else:
        _show(checked, display)
    check_written()
    bad = checked.findings if strict else checked.count(Severity.ERROR)
    return ExitCode.INPUT if bad else ExitCode.DONE


def _show(checked: Checked, display: Display) -> None:
    from campaign_cli.cli.display import count
    from campaign_cli.policy.rules import RULES

    for finding in checked.findings:
        rule = RULES[finding.rule]
        line = display.text(f"{rule.severity} {finding.place}: {rule.meaning}: {finding.what}{_rows(finding)}")
        line.stylize(STYLES[rule.severity], 0, len(rule.severity))
        display.console.print(line)
        advice = display.text(f"{rule.advice} [{finding.rule}; {rule.source}]", indent="      ")
        advice.stylize("dim")
        display.console.print(advice)
    for note in checked.notes:
        display.tell(f"note: {note}")
    errors, warnings = checked.count(Severity.ERROR), checked.count(Severity.WARNING)
    display.tell(
        f"{checked.source}: {count(checked.rows, 'row')}, {checked.invalid:,} invalid, "
        f"{count(checked.duplicates, 'duplicate')}; {count(checked.rendered, 'message')} looked at: "
        f"{count(errors, 'error')}, {count(warnings, 'warning')}"
    )


def _rows(finding: Finding) -> str:
    if not finding.line:
        return ""
    return f" (line {finding.line})" if finding.rows == 1 else f" ({finding.rows:,} rows, first line {finding.line})"


def _as_json(checked: Checked) -> dict[str, Any]:
    from campaign_cli.policy.rules import RULES

    return {
        "source": checked.source,
        "rows": checked.rows,
        "invalid": checked.invalid,
        "duplicates": checked.duplicates,
        "messages": checked.rendered,
        "errors": checked.count(Severity.ERROR),
        "warnings": checked.count(Severity.WARNING),
        "findings": [
            {
                "id": each.rule,
                "severity": RULES[each.rule].severity,
                "place": each.place,
                "what": each.what,
                "meaning": RULES[each.rule].meaning,
                "advice": RULES[each.rule].advice,
                "source": RULES[each.rule].source,
                "rows": each.rows or None,
                "line": each.line or None,
            }
            for each in checked.findings
        ],
        "notes": list(checked.notes),
    }
