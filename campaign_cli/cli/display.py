"""What a person sees while a campaign is sent: a live table on a terminal, a few plain lines elsewhere."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from campaign_cli.cli.streams import beside_errors, broken, complain, print_json, shown
from campaign_cli.model.duration import format_duration
from campaign_cli.model.errors import NoRouteError
from campaign_cli.model.lifecycle import RowStatus, State

if TYPE_CHECKING:
    from campaign_cli.config.settings import Settings
    from campaign_cli.engine.preparation import Prepared
    from campaign_cli.engine.progress import LaneProgress, Progress
    from campaign_cli.engine.summary import Summary

STATE_ORDER = (
    State.DELIVERED,
    State.BOUNCED,
    State.EXPIRED,
    State.DEFERRED,
    State.PENDING,
    State.SUPPRESSED,
    RowStatus.INVALID,
    RowStatus.DUPLICATE,
    State.FAILED,
    State.UNCERTAIN,
)
"""From what one hopes for to what one should look at."""

STYLES: dict[str, str] = {
    State.DELIVERED: "green",
    State.BOUNCED: "red",
    State.EXPIRED: "red",
    State.FAILED: "red",
    State.UNCERTAIN: "magenta",
    State.DEFERRED: "yellow",
}

NARROW = 70
"""Columns of a terminal below which the live table leaves out the columns `SPARED`."""

HEADINGS = ("sent", "bounced", "deferred", "left", "per min")
SPARED = ("bounced", "deferred", "per min")

LANES_SHOWN = 15
"""Lanes in the live table at most: the rest is one line. More than these nobody reads."""

OTHER_LINES = 5
"""Lines of a terminal that are not for lanes: the heading, the line for the rest, the bar, the command, the cursor."""


class Display:
    """Says things to a person, or, with `json`, one JSON object to a program."""

    def __init__(self, *, quiet: bool, json: bool) -> None:
        self.json = json
        self._quiet = quiet
        self._warned: set[str] = set()
        self.console = Console(file=sys.stderr if json else sys.stdout, quiet=quiet, highlight=False, soft_wrap=True)

    @property
    def can_ask(self) -> bool:
        """Whether there is a person to ask."""
        return sys.stdin.isatty() and self.console.is_terminal and not self._quiet

    def tell(self, line: str) -> None:
        """One plain line."""
        self.console.print(self.text(line))

    def warn(self, line: str) -> None:
        """One plain line about what is in the way, which need not be repeated when it ends the run."""
        self.tell(line)
        self._warned.add(line)

    @contextmanager
    def each_trouble_once(self) -> Iterator[None]:
        """What a NoRouteError of the block says is left out where the same reader was warned of it."""
        try:
            yield
        except NoRouteError as error:
            if self._quiet or not beside_errors(self.console.file):
                raise
            unsaid = [line for line in str(error).splitlines() if line not in self._warned]
            raise NoRouteError("\n".join(unsaid)) from None

    def text(self, line: str, *, indent: str = "") -> Text:
        """`line` as it is printed; on a terminal in as many lines as it needs, broken between words."""
        line = f"{indent}{shown(line)}"
        if self.console.is_terminal:
            line = broken(line, self.console.width, indent=indent)
        return Text(line)

    def answer(self, line: str) -> None:
        """One plain line to somebody who has asked by a signal: also when quiet, then on standard error."""
        if self._quiet:
            complain(line)
        else:
            self.tell(line)

    def say_json(self, value: Any) -> None:
        """The one object of `--json`."""
        print_json(value)

    def started(self, prepared: Prepared, progress: Progress) -> None:
        """What is about to happen."""
        where = f"the sandbox, kept in {prepared.sandbox}/" if prepared.sandbox else "the relay"
        if not (prepared.sandbox or prepared.relays):
            where = "each domain's own mail servers"
        lanes = len(progress.lanes)
        if not progress.total:
            empty = next(iter(prepared.contacts), None) is None
            what = "the list has no rows" if empty else "nobody on the list is left to send to"
            self.tell(f"{prepared.name}: {what}")
            return
        self.tell(
            f"{prepared.name}: sending to {count(progress.total, 'recipient')} at {count(lanes, 'provider')} "
            f"through {where}{_until(progress)}"
        )

    @contextmanager
    def busy(self, what: str) -> Iterator[Callable[[str], None]]:
        """While the block runs, a line says `what` is done, on a terminal only; what this gives is told how far."""
        if not self.console.is_terminal or self._quiet:
            yield lambda so_far: None
            return
        with self.console.status(Text(f"{what} ...", style="dim"), refresh_per_second=4) as status:
            yield lambda so_far: status.update(Text(f"{what}: {so_far} ...", style="dim"))

    @contextmanager
    def live(self, progress: Progress) -> Iterator[None]:
        """While the block runs, a table that follows `progress`; on a terminal only."""
        if not self.console.is_terminal or self._quiet or not progress.total:
            yield
            return
        with Live(
            get_renderable=lambda: live_table(progress, width=self.console.width, height=self.console.height),
            console=self.console,
            refresh_per_second=4,
            transient=True,
            vertical_overflow="crop",
        ):
            yield

    def finished(self, summary: Summary, settings: Settings) -> None:
        """How it ended, and what there is to do."""
        if self.json:
            self.say_json(summary_json(summary))
            return
        counts = Text(", ").join(
            Text(f"{summary.states[state]:,} {state}", style=STYLES.get(state, ""))
            for state in STATE_ORDER
            if summary.states.get(state)
        )
        heading = f"{summary.name}: {count(summary.rows, 'row')}"
        self.console.print(Text(f"{heading}: ") + counts if counts else Text(heading))
        speed = f" in {format_duration(summary.seconds)}, {count(summary.attempts, 'attempt')}"
        self.tell(f"report: {summary.report}{speed}")
        if failed := summary.states.get(State.FAILED):
            self.tell(f"{count(failed, 'message')} could not be made: the report says why")
        if (uncertain := summary.states.get(State.UNCERTAIN)) and not settings.sandbox:
            self.tell(
                f"{count(uncertain, 'message')} may or may not have arrived: look in the relay's log, then say so by "
                f"`campaign resolve {shlex.quote(summary.name)}`"
            )
        if summary.remaining:
            now, due = time.time(), summary.next_due
            later = f" after {local_time(due)}" if due and due > now else ""
            over = settings.not_after is not None and settings.not_after <= now
            what = ", who are not sent to any more (not_after)" if over else f": run the same command again{later}"
            self.tell(f"{count(summary.remaining, 'recipient')} left{what}")


def summary_json(summary: Summary) -> dict[str, Any]:
    """The summary, for programs."""
    return {
        "name": summary.name,
        "exit_code": int(summary.exit_code),
        "rows": summary.rows,
        "states": {str(state): summary.states.get(state, 0) for state in STATE_ORDER},
        "remaining": summary.remaining,
        "attempts": summary.attempts,
        "seconds": round(summary.seconds, 3),
        "report": summary.report,
        "stopped": summary.stopped,
        "next_due": iso_time(summary.next_due) if summary.next_due else None,
    }


def iso_time(seconds: float) -> str:
    """UTC seconds as ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def local_time(seconds: float) -> str:
    """UTC seconds as a person here reads them, with the date when it is not today."""
    at = datetime.fromtimestamp(seconds).astimezone()
    today = datetime.now().astimezone().date()
    return at.strftime("%H:%M" if at.date() == today else "%a %d %b, %H:%M")


def count(number: int, noun: str) -> str:
    """So many of them, in words."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _until(progress: Progress) -> str:
    if progress.whole_end - progress.expected_end > 60:
        return f"; at its limits not to all in this run: to the last about {local_time(progress.whole_end)}"
    seconds = progress.expected_end - progress.started_at
    return f"; at its limits until about {local_time(progress.expected_end)}" if seconds > 60 else ""


def live_table(progress: Progress, *, width: int, height: int) -> RenderableType:
    """The lanes, those that are not done first, and how far the run is, for a terminal of this size."""
    now, narrow = time.time(), width < NARROW
    lanes = sorted(progress.lanes, key=lambda lane: lane.finished)
    shown = max(min(LANES_SHOWN, height - OTHER_LINES), 1)
    # What a lane is doing gets what the numbers leave of the line.
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    table.add_column("provider", no_wrap=True, overflow="ellipsis", max_width=12 if narrow else 24)
    for heading in HEADINGS:
        if not (narrow and heading in SPARED):
            table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
    for lane in lanes[:shown]:
        cells = _cells(lane, now, progress.started_at)
        spared = [heading in SPARED and narrow for heading in ("provider", *HEADINGS, "doing")]
        table.add_row(*(cell for cell, without in zip(cells, spared, strict=True) if not without))
    parts: list[RenderableType] = [table]
    if hidden := lanes[shown:]:
        left = sum(lane.total - lane.settled for lane in hidden)
        parts.append(Text(f"and {count(len(hidden), 'more provider')}, {left:,} left", style="dim"))
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        ProgressBar(total=max(progress.total, 1), completed=progress.settled, width=10 if narrow else 30),
        Text(f"{progress.settled:,} of {progress.total:,}"),
        Text(progress.stopping or _time_left(progress, now), style="dim"),
    )
    return Group(*parts, bar)


def _cells(lane: LaneProgress, now: float, started_at: float) -> list[Text]:
    minutes = max(now - started_at, 1.0) / 60
    if lane.waiting_until > now:
        doing = f"waits {format_duration(lane.waiting_until - now)} for {lane.waiting_for}"
        doing += f" ({lane.pace})" if lane.waiting_for == "its budget" else ""
    else:
        doing = "done" if lane.finished else count(lane.sessions, "connection")
    return [
        Text(lane.provider),
        Text(f"{lane.delivered:,}", style="green"),
        Text(f"{lane.bounced + lane.expired:,}", style="red" if lane.bounced + lane.expired else "dim"),
        Text(f"{lane.deferred:,}", style="yellow" if lane.deferred else "dim"),
        Text(f"{lane.total - lane.settled:,}"),
        Text(f"{lane.attempts / minutes:,.0f}", style="dim"),
        Text(doing, style="dim"),
    ]


def _time_left(progress: Progress, now: float) -> str:
    """By the pace so far, or by what the limits make it, whichever is longer."""
    by_limits = progress.expected_end - now
    by_pace = 0.0
    if progress.settled:
        by_pace = (now - progress.started_at) * (progress.total - progress.settled) / progress.settled
    seconds = max(by_limits, by_pace)
    return f"about {format_duration(seconds)} left" if seconds >= 1 else ""
