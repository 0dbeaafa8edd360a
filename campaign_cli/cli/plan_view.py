"""The dry run's screen, and the same for programs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from campaign_cli.cli.display import STATE_ORDER, STYLES, Display, iso_time, local_time
from campaign_cli.cli.message_view import message_json, show_message
from campaign_cli.model.duration import format_duration
from campaign_cli.model.lifecycle import RowStatus, State

if TYPE_CHECKING:
    from campaign_cli.engine.plan import Plan

GROUPS_SHOWN = 20
"""Rows of the table by provider on a screen; all of them are in --json."""

TEXT_SHOWN = 12
"""Lines of a sample's text."""

NARROW = 64
"""Columns of a terminal below which the table leaves out the columns `SPARED`."""

SPARED = ("left now", "connections")

LABELS: dict[str, str] = {
    State.PENDING: "to be sent",
    State.DELIVERED: "already delivered",
    RowStatus.INVALID: "invalid: `campaign check` names them",
}
"""What a dry run says of a state, where the state's own name would not do."""


def show_plan(plan: Plan, display: Display) -> None:
    """The plan, for a person or for a program."""
    if display.json:
        display.say_json(plan_json(plan))
        return
    console = display.console
    display.tell(f"{plan.name}: a dry run of {plan.source} with {plan.template}; nothing is sent or written")
    console.print()
    for state in STATE_ORDER:
        if count := plan.states.get(state):
            console.print(Text(f"{count:>9,} {LABELS.get(state, state)}", style=STYLES.get(state, "")))
    console.print(Text(f"{plan.rows:>9,} {'row' if plan.rows == 1 else 'rows'} in the list", style="bold"))
    if plan.withdrawn:
        console.print(Text(f"{plan.withdrawn:>9,} of an earlier list are not in this one and are not sent to"))
    console.print()
    if plan.strange:
        told = f"The ledger {plan.strange}. `campaign send` refuses it without --adopt."
        console.print(display.text(told), style="yellow")
        console.print()
    if plan.change:
        told = f"Note: {plan.change.text}. `campaign send` asks before that, or needs --accept-changes."
        console.print(display.text(told), style="yellow")
        console.print()
    if plan.groups:
        console.print(_table(plan, narrow=console.width < NARROW))
        for group in plan.groups:
            if group.why:
                display.tell(f"{group.provider} is held back (`campaign providers` says how): {group.why}")
        if plan.domains_to_group:
            count = plan.domains_to_group
            what = "1 domain is" if count == 1 else f"{count:,} domains are"
            display.tell(
                f"{what} looked up in DNS when it is sent: domains with the same MX hosts share a lane and its limit"
            )
        now = time.time()
        opens, done = plan.schedule.opens(now), plan.schedule.when_done(now, plan.seconds)
        end = f", so until {local_time(done)}" if done > now else ""
        length = f"about {format_duration(plan.seconds)}" if plan.seconds else "no longer than the servers take"
        if opens > now:
            length = f"{length} from {local_time(opens)} on, when its window opens"
        last = plan.schedule.not_after
        if last is not None and last <= now:
            display.tell("Nobody would be sent to: it is not to be sent any more (not_after)")
        else:
            display.tell(f"Started now it would take {length}{end}. The report would go to {plan.report}")
            if last is not None and last < done:
                display.tell(f"Whoever is left at {local_time(last)} would not be sent to any more (not_after)")
        if plan.schedule.by_contact:
            display.tell("Each contact has their own hours, by their time zone: that is not in it")
    else:
        console.print(Text("Nobody is left to send to." if plan.rows else "The list has no rows."))
    if plan.variants:
        shares = ", ".join(f"{count:,} get {name}" for name, count in plan.variants.items())
        display.tell(f"Of the message's variants, {shares}")
    for number, sample in enumerate(plan.samples, 1):
        variant = f", variant {sample.variant}" if sample.variant else ""
        made = "" if not isinstance(sample.message, str) else ": cannot be made"
        show_message(f"message {number}{variant}{made}", sample.message, display, lines=TEXT_SHOWN)


def no_message_can_be_made(plan: Plan) -> bool:
    """Whether there are sample messages, and none of them can be made."""
    return bool(plan.samples) and all(isinstance(sample.message, str) for sample in plan.samples)


def _table(plan: Plan, *, narrow: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("provider", no_wrap=True, overflow="ellipsis")
    for heading in ("recipients", "limit", "left now", "connections", "duration"):
        if not (narrow and heading in SPARED):
            table.add_column(heading, justify="right", no_wrap=True)
    for group in plan.groups[:GROUPS_SHOWN]:
        spared = () if narrow else ("" if group.left_now is None else f"{group.left_now:,}", str(group.connections))
        table.add_row(group.provider, f"{group.recipients:,}", group.rate, *spared, _duration(group.seconds))
    if hidden := plan.groups[GROUPS_SHOWN:]:
        recipients = sum(group.recipients for group in hidden)
        spared = () if narrow else ("", "")
        slowest = max(group.seconds for group in hidden)
        table.add_row(f"{len(hidden)} more", f"{recipients:,}", "", *spared, _duration(slowest))
    return table


def _duration(seconds: float) -> str:
    return format_duration(seconds) if seconds else "at once"


def plan_json(plan: Plan) -> dict[str, Any]:
    """The plan, for programs. Durations are in seconds."""
    return {
        "name": plan.name,
        "list": plan.source,
        "template": plan.template,
        "report": plan.report,
        "rows": plan.rows,
        "recipients": plan.recipients,
        "states": {str(state): plan.states.get(state, 0) for state in STATE_ORDER},
        "withdrawn": plan.withdrawn,
        "noticed": plan.strange,
        "changed": plan.change.text if plan.change else None,
        "providers": [
            {
                "provider": group.provider,
                "recipients": group.recipients,
                "limit": group.rate,
                "left_now": group.left_now,
                "connections": group.connections,
                "duration": round(group.seconds),
                "held_back": group.why or None,
            }
            for group in plan.groups
        ],
        "domains_to_look_up": plan.domains_to_group,
        "duration": round(plan.seconds),
        "finished_at": iso_time(plan.schedule.when_done(time.time(), plan.seconds)),
        "variants": plan.variants,
        "messages": [{"variant": each.variant or None} | message_json(each.message) for each in plan.samples],
    }
