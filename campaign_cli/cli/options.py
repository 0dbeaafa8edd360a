"""Options that several commands share, and the settings they lead to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from campaign_cli.config.settings import Settings
    from campaign_cli.ledger.folder import StateFolder
    from campaign_cli.model.address import Address

F = TypeVar("F", bound=Callable[..., Any])

MESSAGE_OPTIONS = (
    (("-t", "--template"), "PATH", "The template: a .html, .mjml, .md or .txt file, or a folder."),
    (("--from",), "MAILBOX", "Who sends: 'Ada <ada@example.org>'."),
    (("--subject",), "TEXT", "The subject; may use the list's columns, as the template may."),
    (("--name",), "NAME", "The campaign's name; strftime fields make a series: weekly-%Y-%m-%d."),
    (("--email-column",), "NAME", "The list's address column. [default: email, e-mail, mail ...]"),
)


def config_options(command: F) -> F:
    """`--config` and `--state`."""
    state = click.option("--state", metavar="DIR", help="The state folder. [default: $CAMPAIGN_STATE, else per user]")
    config = click.option(
        "--config", type=click.Path(path_type=Path), metavar="FILE", help="The configuration. [default: campaign.yaml]"
    )
    return config(state(command))


def message_options(command: F) -> F:
    """What messages are made of."""
    for names, metavar, words in reversed(MESSAGE_OPTIONS):
        command = click.option(*names, metavar=metavar, help=words)(command)
    return command


def json_option(command: F) -> F:
    """`--json`."""
    return click.option("--json", is_flag=True, help="Say it as JSON on standard output, for programs.")(command)


def settings_of(config: Path | None, **options: Any) -> Settings:
    """The settings of a command that was given these options."""
    from campaign_cli.config.load import load_settings

    return load_settings(config, options)


def state_folder(settings: Settings) -> StateFolder:
    """The state folder these settings name. Raises StateError when it cannot be read."""
    from campaign_cli.ledger.folder import StateFolder, default_root

    folder = StateFolder(settings.state or default_root())
    folder.check()
    return folder


def addresses_of(texts: Iterable[str]) -> list[Address]:
    """The addresses that were given as arguments. Raises UsageError."""
    from campaign_cli.audience.addresses import parse_address
    from campaign_cli.model.errors import UsageError

    parsed = []
    for text in texts:
        try:
            parsed.append(parse_address(text))
        except ValueError as error:
            raise UsageError(f"{text!r} is not an address: {error}") from None
    return parsed
