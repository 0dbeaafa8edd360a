"""A recipient's message: RFC 5322 bytes that depend on nothing but template, sender, fields, Message-ID and date."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import copy
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cached_property, lru_cache
from hashlib import sha256

from campaign_cli.content.attachments import Attachments
from campaign_cli.content.dkim import Signer
from campaign_cli.content.headers import check_block, mailbox_field, text_field
from campaign_cli.content.images import Images
from campaign_cli.content.multipart import MULTIPART, Body, alternative, mixed, related
from campaign_cli.content.shapes import Filled
from campaign_cli.content.template import Template
from campaign_cli.content.transfer import encoded
from campaign_cli.content.trial import TrialTemplate
from campaign_cli.content.unsubscribe import VARIABLE, Unsubscribe
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.envelope import Message
from campaign_cli.model.errors import ComposeError
from campaign_cli.model.variants import Split

NAME_FIELDS = ("name", "full_name", "fullname", "display_name")
"""Columns that hold a contact's whole name, the first that is there and not empty."""

FIRST_NAME_FIELDS = ("first_name", "firstname", "given_name")
LAST_NAME_FIELDS = ("last_name", "lastname", "surname", "family_name")

LARGEST = 50_000_000
"""Octets in a message: more than any provider takes, and many are in hand at a time."""


LARGEST_HEADER = 100_000
"""Octets: Postfix cuts a header off that has more than 102,400 (header_size_limit), and no message needs as many."""

DESCRIBE_PARTS = ("MIME-Version", "Content-Type")
DESCRIBE_TEXT = (*DESCRIBE_PARTS, "Content-Transfer-Encoding")
"""Fields that say what a message's body is: of one text, or of several parts."""

_TEXT_FIELDS = {
    (kind, encoding): (
        f"Content-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n".encode()
    )
    for kind in ("plain", "html")
    for encoding in ("7bit", "quoted-printable", "base64")
}


class Composer:
    """Makes the messages of one campaign."""

    def __init__(
        self,
        template: Template,
        sender: Mailbox,
        *,
        reply_to: Mailbox | None = None,
        signer: Signer | None = None,
        unsubscribe: Unsubscribe | None = None,
        images: Images | None = None,
        attachments: Attachments | None = None,
    ) -> None:
        self._template = template
        self.sender = sender
        self._from = mailbox_field("From", sender.name, sender.address)
        self._reply_to = [mailbox_field("Reply-To", reply_to.name, reply_to.address)] if reply_to else []
        self._names = ("From", "To", "Subject", "Date", "Message-ID", *(["Reply-To"] if reply_to else []))
        self.domain = sender.address.domain
        """What the campaign's Message-IDs end in."""
        self.signer = signer
        self._unsubscribe = unsubscribe
        self._images = images
        self._attachments = attachments
        self.split: Split | None = None
        """How recipients are shared out among variants; None: there are none."""

    @property
    def variant(self) -> str:
        """Which of its template's variants its messages are; "": it has none."""
        return self._template.variant

    def of(self, address: Address) -> Composer:
        """The one that makes the messages of `address`: itself."""
        return self

    @cached_property
    def digest(self) -> str:
        """A hash of all that its messages are made of besides recipient, fields, Message-ID and date: where it is the
        same, so are they. Raises TemplateError."""
        fields = [field.decode() for field in (self._from, *self._reply_to)]
        # Nothing where there is nothing: what was sent before there were these has its hash of then.
        parts = (self.signer, self._unsubscribe, self._images, self._attachments)
        more = [made_of for each in parts if each and (made_of := each.made_of())]
        return sha256(json.dumps([fields, self._template.made_of(), *more]).encode()).hexdigest()

    def for_trial(self) -> Composer:
        """One that makes the same messages, marked as tests."""
        trial = copy(self)
        trial._template = TrialTemplate.of(self._template)
        return trial

    def compose(self, address: Address, fields: Mapping[str, str], *, message_id: str, date: float) -> Message:
        """The message for one contact. `message_id` has its angle brackets, `date` is UTC seconds.

        The same arguments give the same bytes. Lines end in CRLF and have at most 998 octets. Raises ComposeError.
        """
        link = self._unsubscribe.link(address) if self._unsubscribe else None
        rendered = self._template.render({**fields, VARIABLE: link.url} if link and link.url else fields)
        headers = rendered.headers + link.headers if link else rendered.headers
        header = [
            self._from,
            mailbox_field("To", display_name(fields), address),
            text_field("Subject", rendered.subject),
            _date_field(int(date)),
            # Of our own making: there is nothing to fold or to encode.
            f"Message-ID: {message_id}\r\n".encode(),
            *self._reply_to,
            *[text_field(name, value) for name, value in headers],
            b"MIME-Version: 1.0\r\n",
        ]
        body = _text("plain", rendered.text)
        if rendered.html is not None:
            page, images = rendered.html, None
            if self._images:
                bones, images = self._images.shown(page.bones)
                page = Filled(bones, page.values)
            body = alternative(message_id, body, _text("html", page))
            if images:
                body = related(message_id, body, images)
        if self._attachments and (files := self._attachments.sections(fields)):
            body = mixed(message_id, body, files)
        described, text, behind = body
        block = b"".join(header) + described
        names = DESCRIBE_PARTS if described.startswith(MULTIPART) else DESCRIBE_TEXT
        check_block(block, (*self._names, *[name for name, _ in headers], *names))
        size = len(text) + sum(map(len, behind)) if behind else len(text)
        if len(block) > LARGEST_HEADER:
            raise ComposeError(f"the message's header has {len(block):,} bytes, and relays take {LARGEST_HEADER:,}")
        if size > LARGEST:
            raise ComposeError(f"the message has {size:,} bytes, and no provider takes more than {LARGEST:,}")
        if self.signer:
            block = self.signer.fields(block, text, behind, date=int(date)) + block
        return Message(message_id, b"".join((block, b"\r\n", text, *behind)), date)


def display_name(fields: Mapping[str, str]) -> str:
    """The contact's name, by the columns that usually hold it; "" when there is none."""
    if name := _first(fields, NAME_FIELDS):
        return name
    return f"{_first(fields, FIRST_NAME_FIELDS)} {_first(fields, LAST_NAME_FIELDS)}".strip()


def _first(fields: Mapping[str, str], keys: Sequence[str]) -> str:
    """What stands in the first of the columns `keys` that is there and not empty."""
    for key in keys:
        if key in fields and (text := fields[key].strip()):
            return text
    return ""


@lru_cache(maxsize=8)
def _date_field(date: int) -> bytes:
    return text_field("Date", format_datetime(datetime.fromtimestamp(date, UTC)))


def _text(kind: str, text: Filled) -> Body:
    encoding, octets = encoded(text.bones, text.values)
    return _TEXT_FIELDS[kind, encoding], octets, ()
