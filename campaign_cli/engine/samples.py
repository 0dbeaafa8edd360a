"""A few contacts of a list, and their messages, made as a run makes them and in no ledger."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence

from campaign_cli.audience.lists import ContactList
from campaign_cli.content.composer import Composer
from campaign_cli.engine.composers import Composers, MessageIds
from campaign_cli.model.address import Address
from campaign_cli.model.contact import BadRow, Contact
from campaign_cli.model.envelope import Message
from campaign_cli.model.errors import CampaignError, ListError, UsageError
from campaign_cli.model.recipient import Recipient


class FreshIds:
    """Message-IDs of messages that are in no ledger: each is like no other."""

    def message_id(self, recipient: Recipient, domain: str) -> str:
        """A new one."""
        return f"<{secrets.token_hex(16)}@{domain}>"


def contacts_from(
    contacts: ContactList, *, line: int | None, count: int, skipped: Callable[[str], None]
) -> list[Contact]:
    """The first `count` contacts; with `line`, from the row on that begins there. `skipped` is told of bad rows.

    Raises UsageError where no row begins there, ListError where it is a bad one.
    """
    found: list[Contact] = []
    first = last = 0
    for row in contacts:
        first, last = first or row.line, row.line
        if line and not found and row.line != line:
            if row.line > line:
                break
            continue
        if isinstance(row, Contact):
            found.append(row)
        elif line and not found:
            raise _bad(contacts, row)
        else:
            skipped(f"{contacts.source}:{row.line}: {row.email!r} is left out: {row.reason}")
        if len(found) == count:
            break
    if line and not found:
        where = "a row that goes on there began before"
        if line < first:
            where = f"its first row is on line {first}"
        elif last < line:
            where = f"its rows are on lines {first} to {last}"
        raise UsageError(f"{contacts.source}: no row begins on line {line}: {where if last else 'it has no rows'}")
    return found


def contact_of(contacts: ContactList, address: Address) -> Contact:
    """The first row of `address`. Raises UsageError where there is none."""
    for row in contacts:
        if isinstance(row, Contact) and row.address.key == address.key:
            return row
    raise UsageError(f"{address.email} is not on the list {contacts.source}: name an address that is")


def first_contact(contacts: ContactList) -> Contact:
    """The first good row. Raises ListError where there is none."""
    bad = None
    for row in contacts:
        if isinstance(row, Contact):
            return row
        bad = bad or row
    raise _bad(contacts, bad) if bad else ListError(f"{contacts.source}: the list has no rows")


def _bad(contacts: ContactList, row: BadRow) -> ListError:
    return ListError(f"{contacts.source}:{row.line}: {row.email!r} cannot be written to: {row.reason}")


def as_recipients(contacts: Sequence[Contact], to: Address | None = None) -> list[Recipient]:
    """The contacts as recipients: each at its own address, or all at `to`."""
    return [
        Recipient(number, each.line, to or each.address, "", each.fields, 0, None, None)
        for number, each in enumerate(contacts, 1)
    ]


def composed(recipients: Sequence[Recipient], composer: Composer, message_ids: MessageIds) -> list[Message | str]:
    """Their messages, or in words why one cannot be made.

    Made as a run makes them: in another process, for a template is a program, and may have no end.
    """
    return asyncio.run(_composed(recipients, composer, message_ids)) if recipients else []


async def _composed(
    recipients: Sequence[Recipient], composer: Composer, message_ids: MessageIds
) -> list[Message | str]:
    made: dict[int, Message | str] = {}
    done = asyncio.get_running_loop().create_future()

    def composed(those: Sequence[Recipient], messages: Sequence[Message | str]) -> None:
        made.update(zip([recipient.id for recipient in those], messages, strict=True))
        if len(made) == len(recipients) and not done.done():
            done.set_result(None)

    def failed(error: CampaignError) -> None:
        if not done.done():
            done.set_exception(error)

    composers = Composers(composer, message_ids, workers=1, clock=time.time, failed=failed)
    try:
        for recipient in recipients:
            composers.compose([recipient], composed)
        await done
    finally:
        composers.close()
    return [made[recipient.id] for recipient in recipients]
