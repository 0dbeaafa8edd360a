"""What there is of a campaign to be looked at: where something is wrong, what can be made without that."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from campaign_cli.audience.addresses import parse_mailbox
from campaign_cli.audience.lists import ContactList, open_list
from campaign_cli.config.settings import Settings
from campaign_cli.content.attachments import Attachments
from campaign_cli.content.composer import Composer
from campaign_cli.content.dkim import Signer
from campaign_cli.content.variants import composer_for
from campaign_cli.engine.attachments import find_images
from campaign_cli.engine.authentication import readable_keys
from campaign_cli.engine.enrolment import asks_dns
from campaign_cli.engine.findings import Findings, said
from campaign_cli.engine.preparation import prepare, template_at
from campaign_cli.engine.signing import find_unsubscribe
from campaign_cli.ledger.folder import StateFolder, default_root
from campaign_cli.model.address import Address
from campaign_cli.model.errors import CampaignError, ColumnError, TemplateError


@dataclass(frozen=True, slots=True)
class Material:
    """The list, what composes its messages, and where bounces go; None where that is wrong.

    `standing_in` are columns that its template asks for in vain. Where it is `faulty`, rows fail for what has been
    told.
    """

    contacts: ContactList | None
    composer: Composer | None
    return_path: Address | None
    standing_in: tuple[str, ...] = ()
    faulty: bool = False


def find_material(
    settings: Settings,
    source: str,
    now: datetime,
    stdin: BinaryIO,
    wrong: CampaignError | None,
    found: Findings,
) -> Material:
    """All of it where nothing is wrong; else what is right, and what is wrong is told to `found`."""
    try:
        prepared = prepare(settings, source, now=now, stdin=stdin, wrong=wrong)
    except CampaignError as error:
        singles = error.singles()
        # What a key's domain is to From is told with what DNS says of it, where DNS is asked.
        asks = asks_dns(settings)
        found.add([each for each in said(error) if not (asks and each.rule == "auth.alignment")])
        columns = tuple(dict.fromkeys(each.column for each in singles if isinstance(each, ColumnError)))
        stdin.seek(0) if source == "-" else None
        return _of_what_is_right(settings, source, stdin, columns)
    found.notes += prepared.warnings
    return Material(prepared.contacts, prepared.composer, prepared.envelope_sender)


def _of_what_is_right(settings: Settings, source: str, stdin: BinaryIO, columns: tuple[str, ...]) -> Material:
    """The list and a composer without what is wrong, all of which has been told: so that the rest can be looked at."""
    contacts: ContactList | None = None
    composer = sender = None
    with suppress(CampaignError):
        contacts = open_list(source, email_column=settings.email_column, stdin=stdin)
    try:
        if settings.template is None:
            raise TemplateError("there is none")
        template = template_at(settings.template, settings, lenient=True)
        sender = settings.sender or parse_mailbox(template.sender_text or "")
        images = unsubscribe = None
        with suppress(CampaignError):
            images = find_images(template, sender.address.domain)
        patterns = template.attachments if settings.attachments is None else settings.attachments
        files = Attachments(patterns, shown=images.places if images else ())
        attachments = None if contacts and any(files.undeclared(contacts.columns)) else files
        with suppress(CampaignError):
            folder = StateFolder(settings.state or default_root())
            unsubscribe = find_unsubscribe(settings, settings.name or "campaign", folder, lambda note: None)
        composer = composer_for(
            template,
            sender,
            campaign=settings.name or "campaign",
            reply_to=settings.reply_to,
            signer=Signer(keys) if (keys := readable_keys(settings)) else None,
            unsubscribe=unsubscribe,
            images=images,
            attachments=attachments,
        )
    except (CampaignError, ValueError):
        composer = None
    return_path = settings.return_path or (sender.address if sender else None)
    return Material(contacts, composer, return_path, columns, faulty=True)
