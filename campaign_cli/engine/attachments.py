"""The images and files that go with a campaign's messages, all of them looked for before the first message."""

from __future__ import annotations

import json

from campaign_cli.audience.lists import ContactList
from campaign_cli.config.settings import Settings
from campaign_cli.content.attachments import Attachments
from campaign_cli.content.images import Images, may_show
from campaign_cli.content.manuscript import Kind
from campaign_cli.content.template import Template
from campaign_cli.model.contact import Contact
from campaign_cli.model.errors import AttachmentError, ImageError

TOLD = 20
"""Missing files that are told one by one: a screen of them."""


def find_images(template: Template, domain: str) -> Images | None:
    """The images in the template's folder that it shows; None where there are none.

    Raises TemplateError with all that are missing.
    """
    markdown = template.kind is Kind.MARKDOWN
    if template.kind is Kind.TEXT or not may_show(template.sources, markdown=markdown):
        return None
    images = Images(template.folder, domain, template.sources, markdown=markdown)
    if images.wrong:
        raise ImageError("\n".join(images.wrong))
    return images


def find_attachments(
    settings: Settings, template: Template, contacts: ContactList, images: Images | None
) -> Attachments | None:
    """What campaign.yaml names, else the template, without what the page shows as one of `images`; None: nothing.

    Raises TemplateError with all that is wrong, also for single rows of the list. ListError.
    """
    patterns = template.attachments if settings.attachments is None else settings.attachments
    if not patterns:
        return None
    attachments = Attachments(patterns, shown=images.places if images else ())
    there = f"the list's columns are: {', '.join(sorted(contacts.columns))}"
    unknown = [
        f"{place}: attachments: {name!r} is not a column of the list; {there}"
        for place, name in attachments.undeclared(contacts.columns)
    ]
    wrong = [*attachments.wrong, *unknown]
    if attachments.differ and not unknown:
        wrong += _missing(attachments, contacts)
    if wrong:
        raise AttachmentError("\n".join(wrong))
    return attachments


def _missing(attachments: Attachments, contacts: ContactList) -> list[str]:
    """The files that are missing, with the lines of the list that ask for them."""
    told: list[str] = []
    count = 0
    for row in contacts:
        if not isinstance(row, Contact):
            continue
        missing = attachments.missing(json.loads(row.fields))
        count += len(missing)
        told += [f"{contacts.source}:{row.line}: {what}" for what in missing[: TOLD - len(told)]]
    return [*told, f"and {count - len(told):,} more"] if count > len(told) else told
