"""`campaign preview`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from campaign_cli.cli.main import EPILOG
from campaign_cli.cli.options import addresses_of, config_options, json_option, message_options
from campaign_cli.cli.streams import check_written
from campaign_cli.model.errors import ExitCode, StateError, UsageError

if TYPE_CHECKING:
    from campaign_cli.cli.display import Display
    from campaign_cli.content.viewer import Shown

COUNT = 3
"""Messages shown where nobody says which: one to read, two to see what changes."""

LONGEST_NAME = 150
"""Bytes of an address in a file's name, which may have 255."""


@click.command(epilog=EPILOG, short_help="Show messages as contacts would get them.")
@click.argument("contacts", metavar="LIST")
@message_options
@click.option("--row", type=int, metavar="N", help="Begin with the row on line N of the list.")
@click.option("--email", metavar="ADDRESS", help="The message of this contact.")
@click.option("--variant", metavar="NAME", help="In this variant, whichever is theirs.")
@click.option("--count", type=int, metavar="N", help="How many. [default: 3; with --row or --email, 1]")
@click.option("--open", "browse", is_flag=True, help="Look at them in the browser.")
@click.option("--out", type=click.Path(path_type=Path), metavar="PATH", help="Write them: X.html, or a folder of .eml.")
@click.option("--overwrite", is_flag=True, help="Write over files that are there.")
@json_option
@config_options
def preview(
    contacts: str,
    config: Path | None,
    row: int | None,
    email: str | None,
    variant: str | None,
    count: int | None,
    browse: bool,
    out: Path | None,
    overwrite: bool,
    **options: Any,
) -> int:
    """Show the messages of the first contacts of LIST as they would get them, or of one that you name.

    It sends nothing, asks no network, and leaves no state. --open shows them in the browser at the width of a desktop
    and of a phone.
    """
    from campaign_cli.config.load import read_settings

    if min(1 if each is None else each for each in (row, count)) < 1:
        raise UsageError("--row and --count count from 1")
    if email and (row or count):
        raise UsageError("--email names one contact: leave --row and --count out")
    settings, wrong = read_settings(config, options)
    # Nothing of these is used, so nothing of them can be wrong here.
    settings = replace(
        settings, dry_run=True, sandbox=False, relays=(), passwords={}, password=None, report=Path(os.devnull)
    )

    from campaign_cli.cli.display import Display
    from campaign_cli.content.variants import only
    from campaign_cli.content.viewer import Shown
    from campaign_cli.engine.preparation import prepare
    from campaign_cli.engine.samples import FreshIds, as_recipients, composed, contact_of, contacts_from

    display = Display(quiet=False, json=settings.json)
    prepared = prepare(settings, contacts, now=datetime.now().astimezone(), stdin=sys.stdin.buffer, wrong=wrong)
    if prepared.contacts.encoding:
        display.tell(f"{prepared.contacts.source} is not UTF-8; it is read as {prepared.contacts.encoding}")
    for warning in prepared.warnings:
        display.tell(f"note: {warning}")
    composer = only(prepared.composer, variant) if variant else prepared.composer
    with display.busy(f"reading {prepared.contacts.source}"):
        if email:
            chosen = [contact_of(prepared.contacts, addresses_of([email])[0])]
        else:
            most = count or (1 if row else COUNT)
            chosen = contacts_from(prepared.contacts, line=row, count=most, skipped=display.tell)
        made = composed(as_recipients(chosen), composer, FreshIds())
    messages = [
        Shown(contact.line, contact.address.email, message, composer.of(contact.address).variant)
        for contact, message in zip(chosen, made, strict=True)
    ]
    if not messages:
        display.tell("The list has no rows that can be written to.")
    _show(messages, display, quietly=bool(out or browse))
    if messages and (out or browse):
        _keep(prepared.name, messages, display, out, browse, overwrite)
    check_written()
    return ExitCode.INPUT if any(isinstance(message, str) for message in made) else ExitCode.DONE


def _show(messages: Sequence[Shown], display: Display, *, quietly: bool) -> None:
    """On the screen, `quietly` only those that cannot be made; for programs all of them."""
    from campaign_cli.cli.message_view import message_json, show_message
    from campaign_cli.content.preview import preview as seen

    if display.json:
        display.say_json(
            {
                "messages": [
                    {"line": line, "email": email, "variant": variant or None}
                    | message_json(each if isinstance(each, str) else seen(each))
                    for line, email, each, variant in messages
                ]
            }
        )
        return
    for line, email, each, variant in messages:
        if isinstance(each, str) or not quietly:
            heading = f"line {line}, {email}{f', variant {variant}' if variant else ''}"
            show_message(heading, each if isinstance(each, str) else seen(each), display)


def _keep(
    title: str, messages: Sequence[Shown], display: Display, out: Path | None, browse: bool, overwrite: bool
) -> None:
    """Written to `out`, and shown in the browser, from there or from a file of its own."""
    from campaign_cli.content.viewer import viewer

    is_page = out is not None and out.suffix.lower() in (".html", ".htm")
    page = viewer(title, messages).encode() if is_page or browse else b""
    if out and is_page:
        _write({out: page}, overwrite=overwrite)
        display.tell(f"written: {out}")
    elif out:
        letters = {
            out / _file_name(each.line, each.email): each.message.content
            for each in messages
            if not isinstance(each.message, str)
        }
        _make_folder(out)
        _write(letters, overwrite=overwrite)
        display.tell(f"written: {len(letters)} .eml file{'' if len(letters) == 1 else 's'} in {out}")
    if browse:
        _browse(out if out and is_page else _temporary(page), display)


def _browse(path: Path, display: Display) -> None:
    """Open the page in the person's browser, or say where it is."""
    import webbrowser

    screen = sys.platform != "linux" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")))
    if screen and webbrowser.open(path.resolve().as_uri()):
        display.tell(f"opened in the browser: {path}")
    else:
        display.tell(f"there is no browser to open it here; open this file in one: {path}")


def _temporary(page: bytes) -> Path:
    """A file that only its owner reads, and that stays: the browser reads it when this command has ended."""
    import tempfile

    try:
        handle, name = tempfile.mkstemp(prefix="campaign-preview-", suffix=".html")
        with open(handle, "wb") as file:
            file.write(page)
    except OSError as error:
        raise StateError(f"the page cannot be written: {error.strerror}; name a file with --out FILE.html") from None
    return Path(name)


def _file_name(line: int, email: str) -> str:
    """Tells row and address, and is one name whatever is in these."""
    safe = re.sub(r"[^\w.@+-]", "_", email).encode()[:LONGEST_NAME].decode(errors="ignore")
    return f"{line:06d}-{safe}.eml"


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise UsageError(f"--out {folder}: is a file: name a folder, or a file that ends in .html") from None
    except OSError as error:
        raise StateError(f"--out {folder}: cannot be made: {error.strerror}") from None


def _write(contents: Mapping[Path, bytes], *, overwrite: bool) -> None:
    """Write these files, each whole or not at all; none of them where one is there that must not be lost."""
    from campaign_cli.report.replacing import replaced

    if there := [path for path in contents if os.path.lexists(path)]:
        if not overwrite:
            raise UsageError(f"{there[0]} is there already: name another place, or say --overwrite")
        if folders := [path for path in there if path.is_dir()]:
            raise UsageError(f"{folders[0]} is a folder: name another place")
    for path, octets in contents.items():
        try:
            with replaced(path) as descriptor, open(descriptor, "wb", closefd=False) as file:
                file.write(octets)
        except OSError as error:
            raise StateError(f"{path} cannot be written: {error.strerror}") from None
