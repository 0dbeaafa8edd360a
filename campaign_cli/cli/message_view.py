"""A message on a screen, and the same for programs."""

from __future__ import annotations

from typing import Any

from rich.rule import Rule
from rich.text import Text

from campaign_cli.cli.display import Display
from campaign_cli.cli.streams import shown
from campaign_cli.content.preview import Preview


def show_message(heading: str, message: Preview | str, display: Display, *, lines: int | None = None) -> None:
    """The message below its heading, with at most `lines` lines of its text; or in words why it cannot be made."""
    console = display.console
    console.print()
    console.print(Rule(Text(shown(heading), style="bold"), align="left", style="dim"))
    said = Text(shown(message), style="red") if isinstance(message, str) else _message(message, lines)
    # Where no person reads it, a line is a line, whatever its length.
    console.print(said, soft_wrap=not console.is_terminal)


def _message(message: Preview, most: int | None) -> Text:
    text = Text()
    for name, value in message.readable:
        text.append(f"{name}: ", style="dim").append(f"{value}\n")
    if message.signatures:
        text.append("Signed: ", style="dim").append(f"{'; '.join(map(shown, message.signatures))}\n")
    lines = message.text.rstrip().splitlines()
    text.append("\n" + "\n".join(lines[:most]))
    if most is not None and len(lines) > most:
        text.append(f"\n... {len(lines) - most} more lines", style="dim")
    text.append(f"\n\n{_parts(message)}", style="dim")
    return text


def _parts(message: Preview) -> str:
    """What the message has besides that text."""
    parts = [f"text {_octets(len(message.text.encode()))}"]
    if message.html is not None:
        parts.append(f"HTML {_octets(len(message.html.encode('utf-8', 'replace')))}")
    for file in message.files:
        inline = " inline" if file.inline else ""
        parts.append(f"{shown(file.name) or 'a part'} ({file.media_type}{inline}, {_octets(len(file.octets))})")
    return f"[{'; '.join(parts)}; {_octets(message.size)} in all]"


def _octets(count: int) -> str:
    for size, unit in ((1_000_000, "MB"), (1_000, "kB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def message_json(message: Preview | str) -> dict[str, Any]:
    """The message, for programs. Sizes are in octets."""
    if isinstance(message, str):
        return {"error": message}
    return {
        "headers": dict(message.headers),
        "signatures": message.signatures,
        "text": message.text,
        "html": message.html,
        "files": [
            {"name": file.name, "type": file.media_type, "size": len(file.octets), "inline": file.inline}
            for file in message.files
        ],
        "size": message.size,
    }
