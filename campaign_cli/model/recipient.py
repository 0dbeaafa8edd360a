"""A contact enrolled in a campaign, as a lane works on it."""

from __future__ import annotations

from typing import NamedTuple

from campaign_cli.model.address import Address


class Recipient(NamedTuple):
    """One recipient in a lane's hand.

    `fields` is the contact's columns and cells as JSON. `attempts` counts the transactions that ended in a reply
    about this recipient. Times are UTC, in seconds since the epoch, None before the first attempt:
    `first_attempt_at`, and `dated_at`, which the Date header of its message says.
    """

    id: int
    line: int
    address: Address
    provider: str
    fields: str
    attempts: int
    first_attempt_at: float | None
    dated_at: float | None
