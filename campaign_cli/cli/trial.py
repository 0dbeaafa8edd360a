"""`campaign send LIST --to ADDRESS`: a test message, and what the server said to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from campaign_cli.cli.display import STYLES, Display
from campaign_cli.cli.options import addresses_of
from campaign_cli.cli.streams import check_written
from campaign_cli.content.preview import preview
from campaign_cli.engine.samples import contact_of, first_contact
from campaign_cli.engine.trial import Trial, send_trial

if TYPE_CHECKING:
    from campaign_cli.config.settings import Settings
    from campaign_cli.engine.preparation import Prepared


def try_one(
    settings: Settings, prepared: Prepared, display: Display, *, to: str, like: str | None, variant: str | None
) -> int:
    """Send `to` the message of the contact `like`, else of the first on the list; the exit code.

    It is in the contact's variant, or in the one that is named.
    """
    from rich.text import Text

    (address,) = addresses_of([to])
    with display.busy(f"reading {prepared.contacts.source}"):
        contacts = prepared.contacts
        contact = contact_of(contacts, addresses_of([like])[0]) if like else first_contact(contacts)
    with display.busy(f"sending a test message to {address.email}"):
        trial = send_trial(settings, prepared, contact, address, variant)
    if display.json:
        display.say_json(trial_json(trial))
        return trial.exit_code
    display.tell(
        f"test message to {address.email}, as line {contact.line}, {contact.address.email}, would get it"
        f"{f', variant {trial.variant}' if trial.variant else ''}: {_subject(trial)}"
    )
    outcome = trial.verdict.outcome
    display.console.print(Text(f"{outcome}", style=STYLES.get(outcome, "")), end=": ")
    display.tell(f"{trial.route} said: {trial.ending.answer}")
    display.tell(f"It is in no campaign's ledger; it counts against the limit of {trial.provider}.")
    if trial.suppressed:
        display.tell(f"note: {contact.address.email} is suppressed ({trial.suppressed}): no campaign sends to it")
    check_written()
    return trial.exit_code


def _subject(trial: Trial) -> str:
    return next(value for name, value in preview(trial.message).headers if name == "Subject")


def trial_json(trial: Trial) -> dict[str, Any]:
    """How it ended, for programs."""
    return {
        "to": trial.to.email,
        "as": {"line": trial.contact.line, "email": trial.contact.address.email},
        "suppressed": trial.suppressed or None,
        "variant": trial.variant or None,
        "subject": _subject(trial),
        "message_id": trial.message.message_id,
        "provider": trial.provider,
        "relay": trial.route,
        "outcome": str(trial.verdict.outcome),
        "class": str(trial.verdict.reply_class),
        "reply": str(trial.ending.answer),
        "exit_code": int(trial.exit_code),
    }
