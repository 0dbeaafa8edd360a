"""What the report says about one row of the list."""

from __future__ import annotations

from typing import NamedTuple


class Result(NamedTuple):
    """One row and what became of it. Times are UTC seconds since the epoch; None where there is nothing to say.

    `status` is a State or a RowStatus by its value; `line` is None for a recipient that the list no longer names.
    `variant` is that of the message that was sent last; None where its revision had none.
    The names and order of the fields are those of the report's columns.
    """

    line: int | None
    email: str
    provider: str | None
    status: str
    attempts: int
    code: int | None
    enhanced_code: str | None
    reply: str | None
    route: str | None
    tls: str | None
    message_id: str | None
    revision: int | None
    variant: str | None
    first_attempt_at: float | None
    last_attempt_at: float | None
    reason: str | None
