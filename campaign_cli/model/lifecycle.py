"""The states of a recipient, and every way from one to another.

Everything that decides whether a state may follow another stands in `TRANSITIONS`. The ledger
enforces the same table in SQL: each UPDATE names the states it may start from, and its row count is checked.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a recipient stands. The values are the words of the ledger and of the report."""

    PENDING = "pending"
    SUBMITTING = "submitting"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    BOUNCED = "bounced"
    EXPIRED = "expired"
    UNCERTAIN = "uncertain"
    SUPPRESSED = "suppressed"
    FAILED = "failed"


class RowStatus(StrEnum):
    """What a row of the list is when it stands for no recipient of its own."""

    INVALID = "invalid"
    DUPLICATE = "duplicate"


P, D, S = State.PENDING, State.DEFERRED, State.SUBMITTING

TRANSITIONS: dict[State, frozenset[State]] = {
    # Marked before anything is handed over; found on the suppression list; impossible to compose; or judged by what
    # DNS says of the domain.
    P: frozenset({S, D, State.SUPPRESSED, State.FAILED, State.BOUNCED, State.EXPIRED}),
    D: frozenset({S, State.SUPPRESSED, State.FAILED, State.BOUNCED, State.EXPIRED}),
    # Judged by its reply; given back, because the session ended before the content did; or nobody knows.
    S: frozenset({P, D, State.DELIVERED, State.BOUNCED, State.EXPIRED, State.UNCERTAIN}),
    # Lifted from the suppression list; made again by a better template; sent again because the user says so; or
    # said by the user to have arrived.
    State.SUPPRESSED: frozenset({P}),
    State.FAILED: frozenset({P, State.SUPPRESSED}),
    State.UNCERTAIN: frozenset({P, State.DELIVERED}),
    State.DELIVERED: frozenset(),
    State.BOUNCED: frozenset(),
    State.EXPIRED: frozenset(),
}
"""A recipient that a lane has in hand without having marked it is still where it was: that is memory, not state."""

FINAL = frozenset({State.DELIVERED, State.BOUNCED, State.EXPIRED, State.SUPPRESSED, State.FAILED, State.UNCERTAIN})
"""States in which this run has nothing left to do for the recipient."""

UNFINISHED = frozenset(State) - FINAL
"""States that the next run has still to bring to an end."""

RECOVERY: dict[State, State] = {S: State.UNCERTAIN}
"""What the states of a run that died become: it may have been handed over (RFC 1047)."""


def may_follow(before: State, after: State) -> bool:
    """Whether a recipient may go from `before` to `after`."""
    return after in TRANSITIONS[before]


def sources(after: State) -> frozenset[State]:
    """The states from which a recipient may come to `after`."""
    return frozenset(before for before, followers in TRANSITIONS.items() if after in followers)
