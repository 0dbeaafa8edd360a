"""Everything that can be known to be wrong before the first message, found before the first message."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from campaign_cli.audience.addresses import parse_mailbox
from campaign_cli.audience.lists import ContactList, open_list
from campaign_cli.config.load import campaign_name
from campaign_cli.config.settings import Settings
from campaign_cli.content.composer import Composer
from campaign_cli.content.template import Template, load_template
from campaign_cli.ledger.folder import StateFolder, default_root
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.errors import CampaignError, ConfigError, StateError, TemplateError, UsageError

PASSWORD_VARIABLE = "CAMPAIGN_SMTP_PASSWORD"  # noqa: S105

PASSWORD_TIMEOUT = 60.0
"""Seconds a password command may take: long enough to unlock a store, short enough for cron to notice."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A campaign that may be sent: its name and place, its list, and what composes its messages."""

    name: str
    folder: StateFolder
    contacts: ContactList
    template: Template
    composer: Composer
    envelope_sender: Address
    report: Path
    sandbox: Path | None


def prepare(settings: Settings, source: str, *, now: datetime, stdin: BinaryIO | None = None) -> Prepared:
    """Check list, template and settings together. Raises one CampaignError with everything that is wrong."""
    problems: list[CampaignError] = []
    if settings.template is None:
        problems.append(UsageError("no template: give one with --template FILE, or as template: in campaign.yaml"))
    contacts, template = None, None
    try:
        contacts = open_list(source, email_column=settings.email_column, stdin=stdin)
    except CampaignError as error:
        problems.append(error)
    try:
        if settings.template:
            template = load_template(
                settings.template, subject=settings.subject, list_unsubscribe=settings.list_unsubscribe
            )
    except CampaignError as error:
        problems.append(error)
    if contacts and template:
        try:
            template.check(contacts.columns)
        except CampaignError as error:
            problems.append(error)
    sender = _sender(settings, template, problems)
    reply_to = _mailbox(template, "reply_to", template.reply_to, problems) if template else None
    if not settings.relays and not settings.sandbox and not settings.dry_run:
        problems.append(
            ConfigError(
                [
                    "no relay: give one with --relay smtps://user@host, or relay: in campaign.yaml; "
                    "--sandbox tries everything without one"
                ]
            )
        )
    name = "campaign"
    try:
        name = _name(settings, source, now)
    except UsageError as error:
        problems.append(error)
    sandbox = Path(f"{name}-sandbox") if settings.sandbox else None
    report = settings.report or (sandbox / "report.csv" if sandbox else Path(f"{name}-report.csv"))
    place = settings.report.parent if settings.report else Path()
    if not os.access(place, os.W_OK) or _cannot_be_file(report):
        problems.append(StateError(f"the report {report} cannot be written there: name another file with --report"))
    if problems or not (contacts and template and sender):
        raise _joined(problems)
    composer = Composer(template, sender, reply_to=settings.reply_to or reply_to)
    return Prepared(
        name=name,
        folder=StateFolder(sandbox / "state" if sandbox else settings.state or default_root()),
        contacts=contacts,
        template=template,
        composer=composer,
        envelope_sender=settings.return_path or sender.address,
        report=report,
        sandbox=sandbox,
    )


def _name(settings: Settings, source: str, now: datetime) -> str:
    """The campaign's name; `strftime` fields only where they are meant, not in the name of a file."""
    if settings.name:
        return campaign_name(settings.name, now)
    template = settings.template.stem if settings.template else ""
    return campaign_name(f"{_stem(source)}-{template}".replace("%", "%%"), now)


def _cannot_be_file(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return True


def _stem(source: str) -> str:
    return "stdin" if source == "-" else Path(source).stem


def _sender(settings: Settings, template: Template | None, problems: list[CampaignError]) -> Mailbox | None:
    """Who sends: what the command line or campaign.yaml says, else the template."""
    if settings.sender or template is None:
        return settings.sender
    if template.sender_text is None:
        problems.append(
            TemplateError(f"{template.path}: nobody sends it: add 'from: Name <you@example.org>', or give --from")
        )
    return _mailbox(template, "from", template.sender_text, problems)


def _mailbox(template: Template, key: str, text: str | None, problems: list[CampaignError]) -> Mailbox | None:
    if text is None:
        return None
    try:
        return parse_mailbox(text)
    except ValueError as error:
        problems.append(TemplateError(f"{template.path}: {key}: {error}"))
        return None


def _joined(problems: list[CampaignError]) -> CampaignError:
    """One error that says all, with the exit code of the first."""
    if len(problems) == 1:
        return problems[0]
    joined = CampaignError("\n".join(str(problem) for problem in problems))
    joined.exit_code = problems[0].exit_code
    return joined


def relay_password(settings: Settings) -> str | None:
    """The relays' password: from the environment, a file or a command; None when no relay asks for one.

    Raises ConfigError; what the password is never stands in the error.
    """
    users = [relay for relay in settings.relays if relay.user]
    if not users:
        return None
    if found := os.environ.get(PASSWORD_VARIABLE):
        return found
    source = settings.password
    if source is None:
        raise ConfigError(
            [
                f"relay {users[0].name} has a user but no password: set {PASSWORD_VARIABLE}, password_file or "
                "password_command"
            ]
        )
    if source.file:
        try:
            return source.file.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
            raise ConfigError([f"password_file {source.file}: {reason}"]) from None
    return _password_from(source.command or "")


def _password_from(command: str) -> str:
    try:
        ran = subprocess.run(  # noqa: S603
            shlex.split(command), stdout=subprocess.PIPE, text=True, timeout=PASSWORD_TIMEOUT, check=True
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ConfigError([f"password_command {command!r} gave no password: {type(error).__name__}"]) from None
    return ran.stdout.rstrip("\r\n")
