"""Messages as one HTML file for a browser, which needs nothing else and in which nothing of a message runs.

A message is untrusted: a contact's fields stand in it. Its HTML is shown in a frame without any rights (an empty
`sandbox`, and a Content-Security-Policy that allows pictures and styles only); all else is put into the page as text,
by a script that the page's own policy names by its hash.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from campaign_cli.content.preview import Preview, preview
from campaign_cli.model.envelope import Message

PAGE = Path(__file__).with_name("viewer.html")

SOURCE_SHOWN = 200_000
"""Characters of a message's source that the page has: what is behind them is an attachment, which nobody reads."""

_MARKED = re.compile(r"@@(\w+)@@")
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_REMOTE = re.compile(
    r"""(?:src|srcset|background|poster)\s*=\s*["']?\s*(?:https?:)?//|url\(\s*["']?\s*(?:https?:)?//""", re.I
)


class Shown(NamedTuple):
    """A row's line, its address, its message, or in words why it cannot be made, and its variant; "": there is none."""

    line: int
    email: str
    message: Message | str
    variant: str = ""


def viewer(title: str, messages: Sequence[Shown]) -> str:
    """The page that shows `messages`, one at a time, in their order."""
    images: dict[str, str] = {}
    shown = [_shown(each, images) for each in messages]
    page = PAGE.read_text("utf-8")
    script = _SCRIPT.search(page)
    assert script
    filled = {
        "title": escape(title),
        "script": b64encode(sha256(script[1].encode()).digest()).decode(),
        "messages": _for_script({"title": title, "messages": shown, "images": images}),
    }
    return _MARKED.sub(lambda mark: filled[mark[1]], page)


def _shown(each: Shown, images: dict[str, str]) -> dict[str, Any]:
    """One message as the page's script takes it; its pictures go into `images`, each once."""
    line, email, message, variant = each
    row = {"line": line, "email": email, "variant": variant}
    if isinstance(message, str):
        return row | {"error": message}
    seen = preview(message)
    source = message.content[: SOURCE_SHOWN * 4].decode("utf-8", "replace").replace("\r\n", "\n")
    return row | {
        "subject": next((value for name, value in seen.headers if name.lower() == "subject"), ""),
        "readable": seen.readable,
        "signatures": seen.signatures,
        "text": seen.text,
        "html": seen.html,
        "remote": bool(seen.html and _REMOTE.search(seen.html)),
        "files": [
            {"name": file.name, "type": file.media_type, "size": len(file.octets), "inline": file.inline}
            for file in seen.files
        ],
        "pictures": _pictures(seen, images),
        "source": source[:SOURCE_SHOWN],
        "cut": len(source) > SOURCE_SHOWN,
        "size": seen.size,
    }


def _pictures(seen: Preview, images: dict[str, str]) -> dict[str, str]:
    """The names in `images` of the pictures that its HTML shows, by their Content-IDs."""
    found = {}
    for file in seen.files:
        if file.inline and file.media_type.startswith("image/"):
            name = sha256(file.octets).hexdigest()
            images[name] = f"data:{file.media_type};base64,{b64encode(file.octets).decode()}"
            found[file.content_id] = name
    return found


def _for_script(value: object) -> str:
    """JSON that may stand in a `<script>`: nothing in it ends that, or begins another or a comment."""
    said = json.dumps(value, ensure_ascii=True)
    return said.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
