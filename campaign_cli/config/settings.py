"""Everything a command may be told, checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.dns import Dns
from campaign_cli.model.relay import Relay
from campaign_cli.policy.providers import Providers
from campaign_cli.policy.retry import RetrySchedule


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
    relays: tuple[Relay, ...] = ()
    password: Password | None = None
    max_connections: int = 100
    dns: Dns | None = None
    """How domains that no provider claims are looked up; None: as the environment says, else as the system does it."""
    retry: RetrySchedule = field(default_factory=RetrySchedule)
    patience: float = 300.0
    """How long a run that has nothing else to do waits for a deferred recipient to be due."""
    workers: int | None = None
    """How many processes compose; None: as many as suit the machine; 0: the one that sends does it, too."""
    limit: int | None = None
    max_runtime: float | None = None
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
class Password:
    """Where the relays' password comes from, when it is not in `CAMPAIGN_SMTP_PASSWORD`: a file, or a command."""

    file: Path | None = None
    command: str | None = None
