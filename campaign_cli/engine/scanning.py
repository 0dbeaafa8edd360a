"""What spam filters say of a message, as findings or notes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from campaign_cli.config.settings import Settings
from campaign_cli.engine.findings import Findings
from campaign_cli.model.envelope import Message
from campaign_cli.model.finding import Finding


def scan(settings: Settings, message: Message, *, recipient: str, sender: str, found: Findings) -> None:
    """Ask the filters that the settings name about `message`; what they say goes to `found`."""
    if settings.rspamd or settings.spamassassin:
        found.add(_scanned(settings, message, recipient, sender, found.notes))


def _scanned(settings: Settings, message: Message, recipient: str, sender: str, notes: list[str]) -> Iterator[Finding]:
    from campaign_cli.transport.scanners import ScanError, Verdict, ask_rspamd, ask_spamassassin

    asked: list[Callable[[], Verdict]] = []
    if url := settings.rspamd:
        asked.append(lambda: ask_rspamd(url, message.content, sender=sender, recipient=recipient))
    if place := settings.spamassassin:
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
