"""A contact enrolled in a campaign, as a lane works on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from campaign_cli.model.address import Address
from campaign_cli.model.lifecycle import State


@dataclass(frozen=True, slots=True)
class Recipient:
    """One claimed recipient.

    `attempts` counts the transactions that ended in a reply about this recipient; `first_attempt_at` is UTC, in
    seconds since the epoch, None before the first. `before` is the state it was claimed from.
    """

    id: int
    line: int
    address: Address
    provider: str
    fields: Mapping[str, str]
    before: State
    attempts: int
    first_attempt_at: float | None
