"""Everything that can be known to be wrong before the first message, found before the first message."""

from __future__ import annotations

import os
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
from campaign_cli.content.unsubscribe import VARIABLE
from campaign_cli.content.variants import composer_for
from campaign_cli.engine import passwords
from campaign_cli.engine.attachments import find_attachments, find_images
from campaign_cli.engine.signing import find_signer, find_unsubscribe
from campaign_cli.ledger.folder import StateFolder, default_root
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.errors import CampaignError, ConfigError, StateError, TemplateError, UsageError
from campaign_cli.model.relay import Relay
from campaign_cli.transport import certificates

NEEDED = (
    "delivery: mx: it goes straight to each domain's own mail servers, without a relay. They take it from a static "
    "address that has a PTR record and that the sender's SPF record names, where port 25 is open to the outside"
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A campaign that may be sent: its name and place, its list, and what composes its messages."""

    name: str
    folder: StateFolder
    contacts: ContactList
    template: Template
    composer: Composer
    envelope_sender: Address
    relays: tuple[Relay, ...]
    report: Path
    sandbox: Path | None
    warnings: tuple[str, ...] = ()
    """What a person should know, and what stops nothing."""


def prepare(
    settings: Settings,
    source: str,
    *,
    now: datetime,
    stdin: BinaryIO | None = None,
    wrong: CampaignError | None = None,
) -> Prepared:
    """Check list, template and settings together. Raises one CampaignError with everything that is wrong.

    `wrong` is what is already known to be wrong with the settings: then only the list and the template are checked.
    """
    problems: list[CampaignError] = [wrong] if wrong else []
    if settings.template is None and not wrong:
        problems.append(UsageError("no template: give one with --template FILE, or as template: in campaign.yaml"))
    contacts, template = _opened(settings, source, stdin, problems)
    if wrong:
        raise _joined(problems)
    links = settings.unsubscribe
    if template and links and (twice := template.header_names & {"list-unsubscribe", "list-unsubscribe-post"}):
        problems.append(
            ConfigError(
                [
                    f"{links.place}: unsubscribe makes {min(twice)}, which {template.path} or list_unsubscribe has as "
                    "well: take one of them out"
                ]
            )
        )
    sender = _sender(settings, template, problems)
    images = None
    try:
        images = find_images(template, sender.address.domain) if template and sender else None
    except CampaignError as error:
        problems.append(error)
    attachments = None
    try:
        attachments = find_attachments(settings, template, contacts, images) if template and contacts else None
    except CampaignError as error:
        problems.append(error)
    reply_to = _mailbox(template, "reply_to", template.reply_to, problems) if template else None
    if settings.direct and settings.dns and settings.dns.off and not settings.sandbox:
        problems.append(ConfigError(["delivery: mx asks DNS where mail goes: take dns: off out"]))
    if not (settings.relays or settings.direct or settings.sandbox or settings.dry_run):
        problems.append(
            ConfigError(
                [
                    "no relay: give one with --relay smtps://user@host, or relay: in campaign.yaml; "
                    "--sandbox tries everything without one"
                ]
            )
        )
    problems += passwords.unusable(settings)
    problems += [] if settings.sandbox else certificates.unusable(settings.relays)
    if contacts and settings.timezone_column and settings.timezone_column not in contacts.columns:
        there = ", ".join(sorted(contacts.columns))
        problems.append(
            ConfigError([f"timezone_column: the list has no column {settings.timezone_column!r}; it has: {there}"])
        )
    relays = tuple(relay for relay in settings.relays if sender is None or relay.sends_for(sender.address.domain))
    if sender and settings.relays and not relays:
        problems.append(ConfigError([f"no relay sends for {sender.address.domain}: none has it in its from_domains"]))
    name = "campaign"
    try:
        name = _name(settings, source, now)
    except UsageError as error:
        problems.append(error)
    sandbox = Path(f"{name}-sandbox") if settings.sandbox else None
    report = settings.report or (sandbox / "report.csv" if sandbox else Path(f"{name}-report.csv"))
    # The sandbox's folder is made later, in this one.
    place = Path() if sandbox and not settings.report else Path(os.path.realpath(report)).parent
    if not _takes_report(report, place):
        problems.append(StateError(f"the report {report} cannot be written there: name another file with --report"))
    folder = StateFolder(sandbox / "state" if sandbox else settings.state or default_root())
    try:
        folder.check()
        if not (settings.sandbox or settings.dry_run):
            folder.check_local()
    except StateError as error:
        problems.append(error)
    warnings: list[str] = [*template.notes] if template else []
    if settings.direct and settings.dry_run:
        warnings.append(NEEDED)
    signer = None
    try:
        signer = find_signer(settings, sender.address.domain, warnings.append) if sender else None
    except CampaignError as error:
        problems.append(error)
    if problems or not (contacts and template and sender):
        raise _joined(problems)
    unsubscribe = find_unsubscribe(settings, name, folder, warnings.append)
    reply_to = settings.reply_to or reply_to
    composer = composer_for(
        template,
        sender,
        campaign=name,
        reply_to=reply_to,
        signer=signer,
        unsubscribe=unsubscribe,
        images=images,
        attachments=attachments,
    )
    return Prepared(
        name=name,
        folder=folder,
        contacts=contacts,
        template=template,
        composer=composer,
        envelope_sender=settings.return_path or sender.address,
        relays=relays,
        report=report,
        sandbox=sandbox,
        warnings=tuple(warnings),
    )


def _opened(
    settings: Settings, source: str, stdin: BinaryIO | None, problems: list[CampaignError]
) -> tuple[ContactList | None, Template | None]:
    """The list and the template, and whether they fit each other."""
    contacts, template = None, None
    try:
        contacts = open_list(source, email_column=settings.email_column, stdin=stdin)
    except CampaignError as error:
        problems.append(error)
    try:
        if settings.template:
            template = template_at(settings.template, settings)
            made = {VARIABLE} if settings.unsubscribe and settings.unsubscribe.url else set()
            template.check({*contacts.columns, *made} if contacts else None)
    except CampaignError as error:
        problems.append(error)
    return contacts, template


def template_at(path: Path, settings: Settings, *, lenient: bool = False) -> Template:
    """The template at `path`, with what the settings say of it. `lenient` and errors are those of `load_template`."""
    return load_template(
        path,
        subject=settings.subject,
        list_unsubscribe=settings.list_unsubscribe,
        headers=settings.headers,
        utm=settings.utm,
        inline_css=settings.inline_css,
        locale=settings.locale,
        lenient=lenient,
    )


def _name(settings: Settings, source: str, now: datetime) -> str:
    """The campaign's name; `strftime` fields only where they are meant, not in the name of a file."""
    if settings.name:
        return campaign_name(settings.name, now)
    template = settings.template.stem if settings.template else ""
    return campaign_name(f"{_stem(source)}-{template}".replace("%", "%%"), now)


def _takes_report(path: Path, folder: Path) -> bool:
    """Whether a report can be written to `path`: a device as it is, else a file that is made in `folder`."""
    try:
        if path.exists() and not path.is_file():
            return not path.is_dir() and os.access(path, os.W_OK)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


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
    joined = CampaignError("\n".join(dict.fromkeys(str(problem) for problem in problems)))
    joined.exit_code = problems[0].exit_code
    joined.parts = tuple(problems)
    return joined
