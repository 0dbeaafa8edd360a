"""A message as a person reads it, decoded from the very bytes that would be sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes, policy

from campaign_cli.model.envelope import Message

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Preview:
    """The headers, decoded, in their order; the text part; and whether there is an HTML part beside it."""

    headers: tuple[tuple[str, str], ...]
    text: str
    html: str | None
    size: int


def preview(message: Message) -> Preview:
    """What `message` holds, as Python's own parser of email reads it."""
    parsed = message_from_bytes(message.content, policy=policy.default)
    parts = {part.get_content_type(): part.get_content() for part in parsed.walk() if not part.is_multipart()}
    return Preview(
        headers=tuple((name, _harmless(str(value))) for name, value in parsed.items()),
        text=_harmless(parts.get("text/plain", "")),
        html=parts.get("text/html"),
        size=len(message.content),
    )


def _harmless(text: str) -> str:
    """Without the control characters by which a contact's field could move a terminal's cursor."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))
