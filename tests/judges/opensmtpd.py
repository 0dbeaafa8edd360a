"""OpenSMTPD: its configuration, and how its log is read. It has one Maildir, no PIPELINING, no SMTPUTF8."""

import re
from collections import Counter
from pathlib import Path

from tests.judges.server import MAILDIR, PASSWORD, REFUSED, USER, VMAIL, Log, Server

REFUSES = ("bounce", "full", "busy")
"""Its own filters see the recipient at RCPT alone (smtpd.conf(5))."""

CONFIGURATION = """
%(filters)s
filter refusals chain {{ {chain} }}
listen on %(host)s port %(port)d filter refusals %(tls)s
action store maildir "/{maildir}" user vmail virtual {{ "@" = vmail }}
match %(whose)s from any for any action store
""".format(chain=", ".join(f"refuse-{kind}" for kind in REFUSES), maildir=MAILDIR)

FILTERS = "\n".join(
    f'table {kind}-recipients {{ "^{kind}[+]" }}\n'
    f"filter refuse-{kind} phase rcpt-to match rcpt-to regex <{kind}-recipients> "
    f'reject "{REFUSED[kind][0]} {REFUSED[kind][1]} {kind}"'
    for kind in REFUSES
)

TLS = """pki judge cert "/etc/opensmtpd.pem"
pki judge key "/etc/opensmtpd.pem"
"""

_TAKEN = re.compile(r" smtp message msgid=(\w+) ")
_STORED = re.compile(r" mda delivery evpid=(\w{8})\w{8} .* rcpt=<(\S+)> .* result=Ok ")
_REFUSED = re.compile(r' smtp failed-command command="RCPT TO:<(\S+?)>[^"]*" result="(\d+) (\S+) ', re.IGNORECASE)


class OpenSmtpd(Server):
    """With `certificate` (its chain and key in PEM) it offers STARTTLS; with `login` as well it takes mail from USER
    only, who logs in by PLAIN or LOGIN."""

    accepted = ("250", "2.0.0")
    recipient_header = "Delivered-To"
    queued = re.compile(r"\b(\w{8}) Message accepted")
    refuses = REFUSES

    def __init__(
        self,
        unpacked: Path,
        root: Path,
        *,
        at: tuple[str, int] | None = None,
        certificate: str = "",
        login: bool = False,
    ) -> None:
        super().__init__(unpacked, root, at)
        self._out = root.parent / f"{root.name}.out"
        for name in ("var/lib/opensmtpd/empty", "var/spool", "var/run"):
            self.folder(name, 0)
        self.folder(MAILDIR, VMAIL)
        self.write("etc/mailname", "opensmtpd.judge.test\n")
        # It does not start without one, though it checks nobody's.
        self.write("etc/ssl/certs/ca-certificates.crt", certificate)
        before, tls = "", ""
        if certificate:
            self.write("etc/opensmtpd.pem", certificate, mode=0o600)
            before, tls = TLS, "tls pki judge"
        if login:
            hashed = self.ask("/usr/libexec/opensmtpd/encrypt", PASSWORD)
            before += f'table logins {{ "{USER}" = "{hashed}" }}\n'
            tls += " auth <logins>"
        self.write(
            "etc/smtpd.conf",
            before
            + CONFIGURATION
            % {"filters": FILTERS, "host": self.host, "port": self.port, "tls": tls, "whose": "auth" if login else ""},
        )

    @property
    def version(self) -> str:
        """As OpenSMTPD says it."""
        return self._out.read_text().splitlines()[0]

    def command(self) -> list[str]:
        """In the foreground; it logs to standard error."""
        return ["/usr/sbin/smtpd", "-d"]

    def read_log(self) -> Log:
        """What it wrote down so far, but for Message-IDs: those are read from what it stored."""
        log = Log(Counter(), Counter(), Counter(), Counter())
        message_ids = {each.queue_id: each.message_id for each in self.arrived()}
        for line in self._out.read_text(encoding="utf-8").splitlines():
            if found := _TAKEN.search(line):
                log.taken[found[1]] += 1
            elif found := _STORED.search(line):
                log.done[found[1]] += 1
                log.delivered[found[1], found[2], message_ids.get(found[1], "")] += 1
            elif found := _REFUSED.search(line):
                log.refused[found[1], int(found[2]), found[3]] += 1
        return log
