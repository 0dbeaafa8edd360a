"""A contact enrolled in a campaign, as a lane works on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from campaign_cli.model.address import Address


@dataclass(frozen=True, slots=True)
class Recipient:
    """One claimed recipient.

    `attempts` counts the transactions that ended in a reply about this recipient; `first_attempt_at` is UTC, in
    seconds since the epoch, None before the first.
    """

    id: int
    line: int
    address: Address
    provider: str
    fields: Mapping[str, str]
    attempts: int
    first_attempt_at: float | None
