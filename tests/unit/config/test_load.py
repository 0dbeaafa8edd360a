from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from campaign_cli.config.load import KEYS, campaign_name, load_settings
from campaign_cli.config.providers import shipped_providers
from campaign_cli.config.settings import DkimFile, Password, Settings, UnsubscribeLinks
from campaign_cli.content.attachments import Pattern
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.dns import Dns
from campaign_cli.model.errors import UsageError
from campaign_cli.model.outcome import ReplyClass
from campaign_cli.model.relay import Relay, Tls
from campaign_cli.policy.hours import Hours
from campaign_cli.policy.limits import parse_pace
from campaign_cli.policy.outcomes import Rule
from campaign_cli.policy.providers import Providers
from campaign_cli.policy.retry import RetrySchedule
from campaign_cli.policy.shaping import ShapingRule

EVERYTHING = """
name: weekly
template: weekly.html
from: Ada <ada@example.org>
subject: Hello
reply_to: Desk <desk@example.org>
return_path: bounces@example.org
list_unsubscribe: <https://example.org/u>
unsubscribe: {url: "https://example.org/{{ token }}", mailto: "u@example.org", key: token.key}
headers: {List-Id: "<news.example.org>", X-Note: "{{ name }}"}
utm: {source: club, medium: email}
inline_css: false
locale: pt-BR
attachments: [terms.pdf, "invoices/{{ id }}.pdf"]
dkim: [{domain: Bücher.example, selector: S1, key: dkim.pem}]
relay: [smtps://ada@mail.example.org, "smtp://localhost:1025"]
password_file: secret
password_command: pass show mail
rate: {yahoo: 500/h}
connections: 7
max_connections: 40
dns: {nameservers: [192.0.2.53, '192.0.2.54:53', '1::53', '[::1]:54'], timeout: 3s, concurrency: 9, dnssec: trusted}
providers: {office: {domains: [example.com]}}
replies: [{id: mine, class: rate, words: slow down, source: me}]
shaping: [{id: ours, provider: yahoo, words: slow down, after: 2/h, suspend: 1h, source: us}]
dnsbl: [zen.Example.org, bl.example.net]
rspamd: http://127.0.0.1:11333/
spamassassin: "[::1]:784"
retry: {base: 2m, factor: 2, longest: 1h, lifetime: 2d}
patience: 30s
workers: 3
limit: 10
max_runtime: 55m
window: [Mon-Fri 09:00-18:00, "Sat 10:00-12:00"]
timezone: Europe/Berlin
timezone_column: zone
not_after: 2027-03-01T18:00:00+01:00
email_column: address
state: state
report: out.csv
log_file: log.txt
dry_run: true
sandbox: true
resend_uncertain: true
accept_changes: true
adopt: true
json: true
quiet: true
verbose: true
yes: true
"""


def load(folder: Path, text: str | None = None, **options: Any) -> Settings:
    """Settings of a `campaign.yaml` in `folder` and these options."""
    file = folder / "campaign.yaml"
    if text is not None:
        file.write_text(text)
    return load_settings(file if text is not None else None, options)


def test_every_key_of_the_file_becomes_its_setting(tmp_path: Path) -> None:
    assert {line.partition(":")[0] for line in EVERYTHING.split("\n")[1:-1]} == {*KEYS} - {"relays", "delivery", "mx"}
    known = {name: replace(provider, connections=7) for name, provider in shipped_providers().items()}
    known["office"] = replace(known["default"], name="office", domains=("example.com",))
    known["yahoo"] = replace(known["yahoo"], pace=parse_pace("500/h"))
    assert load(tmp_path, EVERYTHING) == Settings(
        providers=Providers.of(known.values()),
        name="weekly",
        template=tmp_path / "weekly.html",
        sender=Mailbox("Ada", Address("ada", "example.org")),
        subject="Hello",
        reply_to=Mailbox("Desk", Address("desk", "example.org")),
        return_path=Address("bounces", "example.org"),
        list_unsubscribe="<https://example.org/u>",
        unsubscribe=UnsubscribeLinks("https://example.org/{{ token }}", "mailto:u@example.org", tmp_path / "token.key"),
        headers=(("List-Id", "<news.example.org>"), ("X-Note", "{{ name }}")),
        utm=(("source", "club"), ("medium", "email")),
        inline_css=False,
        locale="pt-BR",
        attachments=tuple(
            Pattern(text, f"{tmp_path}/campaign.yaml:14", tmp_path) for text in ("terms.pdf", "invoices/{{ id }}.pdf")
        ),
        dkim=(DkimFile("xn--bcher-kva.example", "s1", tmp_path / "dkim.pem"),),
        relays=(
            Relay("mail.example.org", 465, Tls.IMPLICIT, "ada"),
            Relay("localhost", 1025, Tls.OPPORTUNISTIC, priority=2),
        ),
        password=Password(tmp_path / "secret", "pass show mail"),
        max_connections=40,
        replies=(Rule("mine", ReplyClass.RATE, "me", text=r"slow\ down"),),
        shaping=(ShapingRule("ours", "us", "yahoo", text=r"slow\ down", count=2, period=3600.0, suspend=3600.0),),
        dns=Dns((("192.0.2.53", 53), ("192.0.2.54", 53), ("1::53", 53), ("::1", 54)), 3.0, 9, dnssec=True),
        dnsbl=("zen.example.org", "bl.example.net"),
        rspamd="http://127.0.0.1:11333",
        spamassassin=("::1", 784),
        retry=RetrySchedule(base=120.0, factor=2.0, longest=3600.0, lifetime=172800.0),
        patience=30.0,
        workers=3,
        limit=10,
        max_runtime=3300.0,
        window=(Hours(frozenset(range(5)), 540, 1080), Hours(frozenset({5}), 600, 720)),
        timezone=ZoneInfo("Europe/Berlin"),
        timezone_column="zone",
        not_after=datetime(2027, 3, 1, 17, tzinfo=UTC).timestamp(),
        state=tmp_path / "state",
        report=tmp_path / "out.csv",
        email_column="address",
        log_file=tmp_path / "log.txt",
        dry_run=True,
        sandbox=True,
        resend_uncertain=True,
        accept_changes=True,
        adopt=True,
        json=True,
        quiet=True,
        verbose=True,
        yes=True,
    )


@pytest.mark.parametrize("text", ["", "".join(f"{key}:\n" for key in sorted({*KEYS} - {"rate", "providers"}))])
def test_a_key_that_is_missing_or_empty_leaves_what_is_shipped(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text) == Settings(providers=Providers.of(shipped_providers().values()))


def test_the_command_line_wins_and_its_paths_start_from_the_current_folder(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "name": "other",
        "template": "other.md",
        "from": "bob@example.net",
        "subject": "Other",
        "relay": ("smtp://other.example.net",),
        "rate": ("yahoo=1/min",),
        "connections": 2,
        "limit": 3,
        "max_runtime": "1h",
        "report": "other.csv",
        "email_column": "mail",
        "log_file": "other.log",
        "state": "other",
    }
    file = load(tmp_path, EVERYTHING)
    known = {name: replace(provider, connections=2) for name, provider in file.providers.by_name.items()}
    known["yahoo"] = replace(known["yahoo"], pace=parse_pace("1/min"))
    assert load(tmp_path, EVERYTHING, **options) == replace(
        file,
        providers=Providers.of(known.values()),
        name="other",
        template=Path("other.md"),
        sender=Mailbox("", Address("bob", "example.net")),
        subject="Other",
        relays=(Relay("other.example.net", 587, Tls.VERIFIED),),
        limit=3,
        max_runtime=3600.0,
        report=Path("other.csv"),
        email_column="mail",
        log_file=Path("other.log"),
        state=Path("other"),
    )


def test_a_flag_that_is_not_given_leaves_the_files(tmp_path: Path) -> None:
    settings = load(tmp_path, "quiet: true\n", quiet=False, dry_run=True, verbose=False)
    assert (settings.quiet, settings.dry_run, settings.verbose) == (True, True, False)


def test_the_file_in_the_current_folder_is_read_unless_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(None, {}).name is None
    Path("campaign.yaml").write_text("name: here\n")
    Path("other.yaml").write_text("name: there\n")
    assert (load_settings(None, {}).name, load_settings(Path("other.yaml"), {}).name) == ("here", "there")


def test_a_path_may_start_from_home_or_from_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    settings = load(tmp_path, "template: ~/a.txt\nreport: /b.csv\nstate: ../c\n")
    assert (settings.template, settings.report, settings.state) == (
        Path("/home/ada/a.txt"),
        Path("/b.csv"),
        tmp_path / "../c",
    )


@pytest.mark.parametrize(
    ("name", "filled"),
    [
        ("weekly-%Y-%m-%d", "weekly-2026-03-09"),
        ("%G-W%V", "2026-W11"),
        ("spring", "spring"),
        ("Grüße an alle, 2. Teil", "Grüße an alle, 2. Teil"),
        ("a@b+c=d_e-f", "a@b+c=d_e-f"),
        ("x" * 100, "x" * 100),
    ],
)
def test_a_campaigns_name_may_be_dated(name: str, filled: str) -> None:
    assert campaign_name(name, datetime(2026, 3, 9, 12)) == filled


@pytest.mark.parametrize(
    "name",
    ["", " a", ".", "..", ".hidden", "-x", "a/b", "%Y/%m", "a\\b", "a\nb", "a\n", "a\0b", "a:b", "50%", "x" * 101],
)
def test_a_name_that_no_folder_may_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a campaign's name: use letters"):
        campaign_name(name, datetime(2026, 3, 9, 12))
