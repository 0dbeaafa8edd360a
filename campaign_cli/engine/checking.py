"""Everything that can be known before sending, as findings: an error in one place hides none in another."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from io import BytesIO
from typing import BinaryIO

from campaign_cli.audience.addresses import parse_mailbox
from campaign_cli.audience.lists import ContactList, open_list
from campaign_cli.config.settings import Settings
from campaign_cli.content.attachments import Attachments
from campaign_cli.content.composer import Composer
from campaign_cli.content.dkim import Signer
from campaign_cli.content.lint import lint, measured
from campaign_cli.engine.attachments import find_images
from campaign_cli.engine.authentication import judged_sender, look_up, readable_keys
from campaign_cli.engine.composers import Composers, workers_for
from campaign_cli.engine.enrolment import asks_dns
from campaign_cli.engine.preparation import prepare, template_at
from campaign_cli.engine.samples import FreshIds
from campaign_cli.engine.signing import find_unsubscribe
from campaign_cli.ledger.folder import StateFolder, default_root
from campaign_cli.model.address import Address
from campaign_cli.model.contact import Contact
from campaign_cli.model.envelope import Message
from campaign_cli.model.errors import (
    AlignmentError,
    AttachmentError,
    CampaignError,
    ColumnError,
    ConfigError,
    ImageError,
    IncludeError,
    ListError,
    StateError,
    TemplateError,
    UsageError,
)
from campaign_cli.model.finding import Finding, Severity
from campaign_cli.model.recipient import Recipient
from campaign_cli.policy.rules import RULES

RULE_OF: dict[type[CampaignError], str] = {
    ColumnError: "template.column",
    IncludeError: "template.include",
    ImageError: "images.missing",
    AttachmentError: "attachments.missing",
    TemplateError: "template.unusable",
    ListError: "list.unreadable",
    AlignmentError: "auth.alignment",
    ConfigError: "config.wrong",
    StateError: "state.unusable",
    UsageError: "command.wrong",
}
"""What an error is called; of two that fit, the first."""

TOLD = 20
"""Findings of one rule that are told one by one."""

LOOKED_AT = 1_000
"""Messages that are taken apart: that takes milliseconds each. Of all others only the octets are looked at."""

BATCH = 50
"""Recipients composed together: little to wait for, and much more than handing them over costs."""

_PLACED = re.compile(r"(.+?:\d+|[^\s:]+): (.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Filters:
    """Spam filters that are asked about the first message: an URL of rspamd; host and port of SpamAssassin's spamd."""

    rspamd: str | None = None
    spamassassin: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what was found, errors first. `notes` are for a person to know, and no fault."""

    source: str
    rows: int
    invalid: int
    duplicates: int
    rendered: int
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    def count(self, severity: Severity) -> int:
        """How many findings are that severe."""
        return sum(RULES[each.rule].severity is severity for each in self.findings)


@dataclass(frozen=True, slots=True)
class _Made:
    """What could be made of a campaign. `standing_in` are the columns that it asks for in vain."""

    contacts: ContactList | None
    composer: Composer | None
    return_path: Address | None
    standing_in: tuple[str, ...] = ()
    faulty: bool = False


def check(
    settings: Settings,
    source: str,
    *,
    now: datetime,
    stdin: BinaryIO,
    wrong: CampaignError | None = None,
    filters: Filters | None = None,
    progress: Callable[[int], None] = lambda rows: None,
) -> Checked:
    """Check the campaign: what is given, every row's message, and what DNS says. Sends nothing and leaves no state.

    `progress` is told how many messages have been made.
    """
    if source == "-":
        # It is read again where something is wrong.
        stdin = BytesIO(stdin.read())
    settings = replace(settings, dry_run=True, sandbox=False)
    found = _Findings(source)
    made = _made(settings, source, now, stdin, wrong, found)
    if made.contacts and made.contacts.encoding:
        found.notes.append(f"{source} is not UTF-8; it is read as {made.contacts.encoding}")
    first = asyncio.run(_render(settings, made, found, progress)) if made.contacts else None
    if found.rendered > LOOKED_AT:
        found.notes.append(f"of the messages after the first {LOOKED_AT:,} only size and lines were looked at")
    if made.composer and made.return_path:
        domain = made.composer.domain
        found.add(list(judged_sender(settings, domain)))
        if asks_dns(settings):
            found.add(asyncio.run(look_up(settings, domain, made.return_path.domain)))
        else:
            found.notes.append("DNS is off: SPF, DKIM, DMARC and MX were not looked at")
    if first and filters and made.return_path:
        found.add(_scanned(filters, *first, made.return_path.email, found.notes))
    return found.checked()


class _Findings:
    """Gathers what is found, what holds for many rows as one."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._single: list[Finding] = []
        self._by_row: dict[tuple[str, str], Finding] = {}
        self.notes: list[str] = []
        self.rows = self.invalid = self.duplicates = self.rendered = 0

    def add(self, findings: Iterator[Finding] | Sequence[Finding]) -> None:
        """What holds for the campaign."""
        self._single += findings

    def of_row(self, line: int, finding: Finding) -> None:
        """What holds for the row on `line`; the first row's words stand for all."""
        key = (finding.rule, finding.place)
        known = self._by_row.get(key)
        rows, first = (known.rows, known.line) if known else (0, line)
        if known is None or line < known.line:
            known, first = finding, line
        self._by_row[key] = known._replace(rows=rows + 1, line=first)

    def checked(self) -> Checked:
        everything = [*dict.fromkeys(self._single), *self._by_row.values()]
        order = list(RULES)
        everything.sort(key=lambda each: (RULES[each.rule].severity, order.index(each.rule), each.line))
        told: list[Finding] = []
        for rule in dict.fromkeys(each.rule for each in everything):
            those = [each for each in everything if each.rule == rule]
            told += those[:TOLD]
            if more := those[TOLD:]:
                told.append(Finding(rule, self._source, f"and {len(more):,} more", sum(each.rows for each in more)))
        return Checked(
            self._source,
            self.rows,
            self.invalid,
            self.duplicates,
            self.rendered,
            tuple(told),
            tuple(dict.fromkeys(self.notes)),
        )


def _said(error: CampaignError) -> Iterator[Finding]:
    """An error as findings: one for each of its lines."""
    for single in error.singles():
        rule = next((rule for kind, rule in RULE_OF.items() if isinstance(single, kind)), "config.wrong")
        for line in str(single).splitlines():
            placed = _PLACED.fullmatch(line)
            place, what = (placed[1], placed[2]) if placed else ("campaign", line)
            yield Finding(rule, place, what)


def _made(
    settings: Settings,
    source: str,
    now: datetime,
    stdin: BinaryIO,
    wrong: CampaignError | None,
    found: _Findings,
) -> _Made:
    try:
        prepared = prepare(settings, source, now=now, stdin=stdin, wrong=wrong)
    except CampaignError as error:
        singles = error.singles()
        # What a key's domain is to From is told with what DNS says of it, where DNS is asked.
        asks = asks_dns(settings)
        found.add([each for each in _said(error) if not (asks and each.rule == "auth.alignment")])
        columns = tuple(dict.fromkeys(each.column for each in singles if isinstance(each, ColumnError)))
        stdin.seek(0) if source == "-" else None
        return _made_of_what_is_right(settings, source, stdin, columns)
    found.notes += prepared.warnings
    return _Made(prepared.contacts, prepared.composer, prepared.envelope_sender)


def _made_of_what_is_right(settings: Settings, source: str, stdin: BinaryIO, columns: tuple[str, ...]) -> _Made:
    """The list and a composer without what is wrong, all of which has been told: so that the rest can be looked at."""
    contacts: ContactList | None = None
    composer = sender = None
    with suppress(CampaignError):
        contacts = open_list(source, email_column=settings.email_column, stdin=stdin)
    try:
        if settings.template is None:
            raise TemplateError("there is none")
        template = template_at(settings.template, settings, lenient=True)
        sender = settings.sender or parse_mailbox(template.sender_text or "")
        images = unsubscribe = None
        with suppress(CampaignError):
            images = find_images(template, sender.address.domain)
        patterns = template.attachments if settings.attachments is None else settings.attachments
        files = Attachments(patterns, shown=images.places if images else ())
        attachments = None if contacts and any(files.undeclared(contacts.columns)) else files
        with suppress(CampaignError):
            folder = StateFolder(settings.state or default_root())
            unsubscribe = find_unsubscribe(settings, settings.name or "campaign", folder, lambda note: None)
        composer = Composer(
            template,
            sender,
            reply_to=settings.reply_to,
            signer=Signer(keys) if (keys := readable_keys(settings)) else None,
            unsubscribe=unsubscribe,
            images=images,
            attachments=attachments,
        )
    except (CampaignError, ValueError):
        composer = None
    return_path = settings.return_path or (sender.address if sender else None)
    return _Made(contacts, composer, return_path, columns, faulty=True)


async def _render(
    settings: Settings, made: _Made, found: _Findings, progress: Callable[[int], None]
) -> tuple[Message, str] | None:
    """Have every row's message made as a run makes them, and look at it. The first of them, and whom it is for."""
    assert made.contacts
    failure: list[CampaignError] = []
    first: list[tuple[int, Message, str]] = []
    left = 0
    wake = asyncio.Event()

    def composed(those: Sequence[Recipient], messages: Sequence[Message | str]) -> None:
        nonlocal left
        for recipient, message in zip(those, messages, strict=True):
            if isinstance(message, Message):
                if not first or recipient.line < first[0][0]:
                    first[:] = [(recipient.line, message, recipient.address.email)]
                taken_apart = found.rendered < LOOKED_AT
                for finding in lint(message.content) if taken_apart else measured(message.content):
                    found.of_row(recipient.line, finding)
            elif not made.faulty:
                # Where the template is wrong, rows fail for that, which has been told.
                found.of_row(recipient.line, Finding("row.fails", f"{found_source}:{recipient.line}", message))
        left -= len(those)
        found.rendered += len(those)
        progress(found.rendered)
        wake.set()

    def failed(error: CampaignError) -> None:
        failure.append(error)
        wake.set()

    found_source = made.contacts.source
    workers = workers_for(2 * BATCH) if settings.workers is None else settings.workers
    composers = None
    if made.composer:
        composers = Composers(made.composer, FreshIds(), workers=workers, clock=time.time, failed=failed)
    try:
        for batch in _batches(made, found):
            if composers is None:
                continue
            left += len(batch)
            composers.compose(batch, composed)
            while left > 2 * BATCH * max(workers, 1) and not failure:
                wake.clear()
                await wake.wait()
            if failure:
                break
        while left and not failure:
            wake.clear()
            await wake.wait()
    finally:
        if composers:
            composers.close()
    if failure:
        raise failure[0]
    return first[0][1:] if first else None


def _batches(made: _Made, found: _Findings) -> Iterator[list[Recipient]]:
    """The good rows as recipients, nobody twice; bad ones and repetitions are counted."""
    assert made.contacts
    seen: set[str] = set()
    batch: list[Recipient] = []
    stand_ins = {name: name for name in made.standing_in}
    for row in made.contacts:
        found.rows += 1
        if not isinstance(row, Contact):
            found.invalid += 1
            what = f"{row.email!r}: {row.reason}"
            found.of_row(row.line, Finding("list.invalid", made.contacts.source, what))
        elif row.address.key in seen:
            found.duplicates += 1
            found.of_row(
                row.line, Finding("list.duplicate", made.contacts.source, f"{row.address.email} is there again")
            )
        else:
            seen.add(row.address.key)
            fields = json.dumps({**stand_ins, **json.loads(row.fields)}) if stand_ins else row.fields
            batch.append(Recipient(len(seen), row.line, row.address, "", fields, 0, None, None))
            if len(batch) == BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


def _scanned(filters: Filters, message: Message, recipient: str, sender: str, notes: list[str]) -> Iterator[Finding]:
    """What spam filters say of a message."""
    from campaign_cli.transport.scanners import ScanError, Verdict, ask_rspamd, ask_spamassassin

    asked: list[Callable[[], Verdict]] = []
    if url := filters.rspamd:
        asked.append(lambda: ask_rspamd(url, message.content, sender=sender, recipient=recipient))
    if place := filters.spamassassin:
        asked.append(lambda: ask_spamassassin(*place, message.content))
    for ask in asked:
        try:
            verdict = ask()
        except ScanError as error:
            yield Finding("spam.verdict", "first message", str(error))
            continue
        if verdict.spam:
            yield Finding("spam.verdict", "first message", str(verdict))
        else:
            notes.append(str(verdict))
