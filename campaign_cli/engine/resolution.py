"""The uncertain, resolved by somebody who knows better."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from campaign_cli.engine.campaign import hold_campaign
from campaign_cli.ledger.folder import StateFolder
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.view import Standing
from campaign_cli.model.address import Address
from campaign_cli.model.errors import UsageError
from campaign_cli.model.lifecycle import State


def resolve_uncertain(
    folder: StateFolder, name: str, addresses: Sequence[Address] | None, *, delivered: bool, now: float
) -> list[str]:
    """Make uncertain recipients of the campaign `name` delivered, or pending again; their addresses.

    `addresses` None: all that are uncertain. Raises UsageError, and changes nothing, when one of them is not, when it
    is no recipient, and when there is no such campaign; HeldError while a run works on it.
    """
    state = State.DELIVERED if delivered else State.PENDING
    when = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    reason = f"was uncertain; resolved by the user as {'delivered' if delivered else 'not delivered'} at {when}"
    with hold_campaign(folder, name) as ledger:
        recipients = ledger.all_uncertain() if addresses is None else _uncertain(ledger, addresses)
        ledger.resolve(recipients, state, reason=reason)
    return [each.email for each in recipients]


def _uncertain(ledger: Ledger, addresses: Sequence[Address]) -> list[Standing]:
    found: dict[str, Standing] = {}
    wrong: dict[str, str] = {}
    for address in addresses:
        standing = ledger.standing(address)
        if standing is None:
            wrong[address.key] = f"{address.email} is no recipient of {ledger.name!r}"
        elif standing.state is not State.UNCERTAIN:
            wrong[address.key] = f"{standing.email} is {standing.state}, not uncertain"
        else:
            found[address.key] = standing
    if wrong:
        wrong[""] = f"nothing was changed: name only those that `campaign report {ledger.name}` shows as uncertain"
        raise UsageError("\n".join(wrong.values()))
    return list(found.values())
