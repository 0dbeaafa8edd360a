"""What may happen to a recipient in a run, as data: a statement of `sql/ledger.sql` and its values, the id last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from campaign_cli.model.lifecycle import State
from campaign_cli.model.recipient import Recipient
from campaign_cli.model.reply import Reply

Change = tuple[str, tuple[Any, ...]]


def carrier(route: str, tls: str) -> str:
    """A route and what protects what goes over it, as a mark names both in one value: so that it costs one.

    No route has a tab in its name.
    """
    return f"{route}\t{tls}"


def mark(recipient: Recipient, *, message_id: str, route: str, dated_at: float, now: float) -> Change:
    """A transaction starts: from here on a crash makes the recipient uncertain. `route` as `carrier` has it."""
    return "mark", (message_id, route, dated_at, now, now, recipient.id)


def record(
    recipient: Recipient, state: State, *, reply: Reply | None, reason: str | None, due_at: float = 0.0
) -> Change:
    """How its transaction ended."""
    if reply is None:
        return "record", (state, None, None, None, reason, due_at, recipient.id)
    return "record", (state, reply.code, reply.enhanced, reply.text, reason, due_at, recipient.id)


def unreachable(recipient: Recipient, state: State, *, enhanced: str, reason: str, due_at: float, now: float) -> Change:
    """No host of its domain could be spoken to; that was a try, unless there can be none. Nothing was handed over."""
    tried = int(state is not State.BOUNCED)
    return "unreachable", (state, tried, enhanced, reason, due_at, now, now, recipient.id)


def unmark(recipient: Recipient) -> Change:
    """Its session ended before anything was handed over: as if nothing had been."""
    return "unmark", (recipient.id,)


def postpone(recipient: Recipient, due_at: float) -> Change:
    """It is not to be sent to now. Nothing was tried."""
    return "postpone", (due_at, recipient.id)


def fail(recipient: Recipient, reason: str) -> Change:
    """Its message cannot be made."""
    return "fail", (reason, recipient.id)


def in_turns(changes: Iterable[Change]) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """The changes grouped by statement, so that each is prepared once, and each recipient's stay in their order."""
    turns: list[dict[str, list[tuple[Any, ...]]]] = []
    had: dict[int, int] = {}
    for statement, values in changes:
        turn = had.get(values[-1], 0)
        had[values[-1]] = turn + 1
        if turn == len(turns):
            turns.append({})
        turns[turn].setdefault(statement, []).append(values)
    for turn_of_each in turns:
        yield from turn_of_each.items()
