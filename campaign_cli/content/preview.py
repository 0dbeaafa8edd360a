"""A message as a person reads it, decoded from the very bytes that would be sent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes, policy

from campaign_cli.model.envelope import Message

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Preview:
    """The headers, decoded, in their order; the text; the HTML where there is some; and the names of the files."""

    headers: tuple[tuple[str, str], ...]
    text: str
    html: str | None
    files: tuple[str, ...]
    size: int


def preview(message: Message) -> Preview:
    """What `message` holds, as Python's own parser of email reads it."""
    parsed = message_from_bytes(message.content, policy=policy.default)
    text, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
    return Preview(
        headers=tuple((name, _harmless(str(value))) for name, value in parsed.items()),
        text=_harmless(text.get_content() if text else ""),
        html=html.get_content() if html else None,
        files=tuple(_harmless(name) for part in parsed.walk() if (name := part.get_filename())),
        size=len(message.content),
    )


def _harmless(text: str) -> str:
    """Without the control characters by which a contact's field could move a terminal's cursor."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))
