"""A message as a person reads it, decoded from the very bytes that would be sent."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from campaign_cli.model.envelope import Message

FIRST = ("from", "to", "subject", "reply-to", "date")
"""The headers that a person looks for, in this order; then the others as they stand."""

TECHNICAL = ("dkim-signature", "mime-version", "content-type", "content-transfer-encoding", "content-disposition")
"""Headers that say nothing to a person as they are: what they mean is told in other words."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_TAG = re.compile(r"(?:^|;)\s*([a-z]+)\s*=\s*([^;]*)")


@dataclass(frozen=True, slots=True)
class File:
    """What goes with a message's text: an attachment, or an image that its HTML shows by `content_id`."""

    name: str
    media_type: str
    octets: bytes = field(repr=False)
    content_id: str

    @property
    def inline(self) -> bool:
        """Whether its HTML shows it."""
        return bool(self.content_id)


@dataclass(frozen=True, slots=True)
class Preview:
    """The headers, decoded, in their order; the text; the HTML where there is some; the files; the whole's octets."""

    headers: tuple[tuple[str, str], ...]
    text: str
    html: str | None
    files: tuple[File, ...]
    size: int

    @property
    def readable(self) -> list[tuple[str, str]]:
        """The headers that a person reads, the important ones first."""
        told = [(name, value) for name, value in self.headers if name.lower() not in TECHNICAL]
        return sorted(told, key=lambda each: (*FIRST, each[0].lower()).index(each[0].lower()))

    @property
    def signatures(self) -> list[str]:
        """Each DKIM signature in a few words: who signs, with which key, by which algorithm (RFC 6376 3.5)."""
        tags = [dict(_TAG.findall(value)) for name, value in self.headers if name.lower() == "dkim-signature"]
        return [f"{each.get('d', '?')} ({each.get('s', '?')}, {each.get('a', '?')})" for each in tags]


def preview(message: Message) -> Preview:
    """What `message` holds, as Python's own parser of email reads it."""
    parsed = message_from_bytes(message.content, policy=policy.default)
    text, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
    return Preview(
        headers=tuple((name, _harmless(str(value)).replace("\n", " ")) for name, value in parsed.items()),
        text=_harmless(text.get_content() if text else ""),
        html=html.get_content() if html else None,
        files=tuple(_file(part) for part in parsed.walk() if part not in (text, html) and not part.is_multipart()),
        size=len(message.content),
    )


def _file(part: EmailMessage) -> File:
    octets = part.get_payload(decode=True)
    return File(
        name=_harmless(part.get_filename() or ""),
        media_type=part.get_content_type(),
        octets=octets if isinstance(octets, bytes) else b"",
        content_id=_harmless(str(part.get("Content-ID", ""))).strip().strip("<>"),
    )


def _harmless(text: str) -> str:
    """Without the control characters by which a contact's field could move a terminal's cursor."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))
