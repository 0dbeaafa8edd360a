"""Everything a command may be told, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path

from campaign_cli.content.attachments import Pattern
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.direct import Direct
from campaign_cli.model.dns import Dns
from campaign_cli.model.relay import Relay
from campaign_cli.policy.budgets import Budget
from campaign_cli.policy.hours import Hours
from campaign_cli.policy.outcomes import Rule
from campaign_cli.policy.providers import Providers
from campaign_cli.policy.retry import RetrySchedule
from campaign_cli.policy.shaping import ShapingRule


@dataclass(frozen=True, slots=True)
class Settings:
    """One command's settings, from `campaign.yaml` and the command line. Times are in seconds."""

    providers: Providers
    name: str | None = None
    template: Path | None = None
    sender: Mailbox | None = None
    subject: str | None = None
    reply_to: Mailbox | None = None
    return_path: Address | None = None
    list_unsubscribe: str | None = None
    unsubscribe: UnsubscribeLinks | None = None
    headers: tuple[tuple[str, str], ...] = ()
    utm: tuple[tuple[str, str], ...] = ()
    locale: str | None = None
    """How dates and numbers are written; None: as the template says, else as in English."""
    inline_css: bool | None = None
    """None: as the template says, else styles are put into the elements that they are for."""
    attachments: tuple[Pattern, ...] | None = None
    """None: those of the template."""
    dkim: tuple[DkimFile, ...] = ()
    relays: tuple[Relay, ...] = ()
    direct: Direct | None = None
    """How mail goes straight to the domains' own hosts; None: it goes to the relays."""
    password: Password | None = None
    passwords: Mapping[str, Password] = field(default_factory=dict)
    """Where the passwords of single relays come from, by the relay's name; `password` is for all others."""
    relay_budgets: Mapping[str, Budget] = field(default_factory=dict)
    """What the transactions of single relays count against, by the relay's name; all others have no limit."""
    max_connections: int = 100
    dns: Dns | None = None
    """How domains that no provider claims are looked up; None: as the environment says, else as the system does it."""
    replies: tuple[Rule, ...] = ()
    """The user's own rules for reading replies, which go before the shipped ones."""
    shaping: tuple[ShapingRule, ...] = ()
    """The user's own rules for what follows from a provider's displeasure."""
    shaping_off: tuple[str, ...] = ()
    """The ids of the shipped ones that are not heeded."""
    dnsbl: tuple[str, ...] = ()
    """Blocklists of addresses on which `campaign check` looks for those that send."""
    rspamd: str | None = None
    spamassassin: tuple[str, int] | None = None
    """Spam filters that it asks: an URL of rspamd; host and port of SpamAssassin's spamd."""
    retry: RetrySchedule = field(default_factory=RetrySchedule)
    patience: float = 300.0
    """How long a run that has nothing else to do waits for a deferred recipient to be due."""
    workers: int | None = None
    """How many processes compose; None: as many as suit the machine; 0: the one that sends does it, too."""
    limit: int | None = None
    max_runtime: float | None = None
    window: tuple[Hours, ...] = ()
    """Hours in which it may be sent; none: always."""
    timezone: tzinfo = UTC
    """Whose clocks show those hours."""
    timezone_column: str | None = None
    """The list's column with the time zone whose hours count for the contact."""
    not_after: float | None = None
    """UTC seconds from which on nobody is sent to."""
    state: Path | None = None
    report: Path | None = None
    email_column: str | None = None
    log_file: Path | None = None
    dry_run: bool = False
    sandbox: bool = False
    resend_uncertain: bool = False
    accept_changes: bool = False
    adopt: bool = False
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    yes: bool = False


@dataclass(frozen=True, slots=True)
class DkimFile:
    """Where a private key is, and the name of its record in DNS. `place` is where that was said."""

    domain: str
    selector: str
    key: Path
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class UnsubscribeLinks:
    """The links by which one unsubscribes, with `{{ token }}` in them, and where the key is that makes the tokens.

    Without one it is in the state folder. `place` is where that was said.
    """

    url: str | None = None
    mailto: str | None = None
    key: Path | None = None
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Password:
    """Where the relays' password comes from, when it is not in `CAMPAIGN_SMTP_PASSWORD`: a file, or a command."""

    file: Path | None = None
    command: str | None = None
