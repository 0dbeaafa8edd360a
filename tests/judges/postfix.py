"""Postfix: its configuration, and how its log is read. It has no SMTP client: it has one Maildir, or speaks LMTP."""

import re
import socketserver
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.in_thread import InThread
from tests.judges.server import MAILDIR, REFUSED, VMAIL, Log, Server

POSTFIX, POSTDROP = 5001, 5002

MAIN = f"""
compatibility_level = 3.6
myhostname = postfix.judge.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = all
smtp_dns_support_level = disabled
mynetworks = 127.0.0.0/8, [::1]/128
default_transport = error:nothing leaves this machine
relay_transport = error:nothing leaves this machine
local_transport = error:nobody lives here
alias_maps =
alias_database =
maillog_file = /var/log/postfix.log
smtputf8_enable = yes
enable_long_queue_ids = yes
local_header_rewrite_clients =
virtual_mailbox_domains = static:every
virtual_mailbox_maps = static:{Path(MAILDIR).name}/
virtual_mailbox_base = /{Path(MAILDIR).parent}
virtual_uid_maps = static:{VMAIL}
virtual_gid_maps = static:{VMAIL}
smtpd_restriction_classes = greylist
greylist = check_policy_service inet:127.0.0.1:%(greylist)d
smtpd_relay_restrictions = %(access)s, reject
smtpd_recipient_restrictions = check_recipient_access regexp:/etc/postfix/rcpt
smtpd_data_restrictions = check_recipient_access regexp:/etc/postfix/data
header_checks = regexp:/etc/postfix/content
virtual_transport = %(transport)s
%(tls)s
"""

MASTER = """
%(host)s:%(port)d inet n - n - - smtpd
cleanup  unix n - n - 0 cleanup
qmgr     unix n - n 300 1 qmgr
tlsmgr   unix - - n 1000? 1 tlsmgr
rewrite  unix - - n - - trivial-rewrite
bounce   unix - - n - 0 bounce
defer    unix - - n - 0 bounce
trace    unix - - n - 0 bounce
verify   unix - - n - 1 verify
proxymap unix - - n - - proxymap
error    unix - - n - - error
retry    unix - - n - - error
virtual  unix - n n - - virtual
lmtp     unix - - n - - lmtp
anvil    unix - - n - 1 anvil
postlog  unix-dgram n - n - 1 postlogd
"""

AT_RCPT, AT_DATA = ("bounce", "full", "busy"), ("early", "moody")
"""`blocked` is refused by its To header. Not by smtpd_end_of_data_restrictions: after such a refusal, smtpd of 3.7.11
dies (signal 11) at the next refused RCPT, unless RSET came between."""

CONTENT = rf"""/^To:.*[ <]blocked\+/ REJECT {REFUSED["blocked"][1]} blocked
"""

QUEUE = "active bounce corrupt defer deferred flush hold incoming private saved trace"

_TAKEN = re.compile(r"/qmgr\[\d+\]: (\w+): from=<.*nrcpt=1 \(queue active\)$")
_NAMED = re.compile(r"/cleanup\[\d+\]: (\w+): message-id=(\S+)$")
_STORED = re.compile(r"/virtual\[\d+\]: (\w+): to=<(\S+)>, .*status=sent \(delivered to maildir\)$")
_DONE = re.compile(r"/qmgr\[\d+\]: (\w+): removed$")
_REFUSED = re.compile(r"/smtpd\[\d+\]: \w+: reject: \S+ from \S+ (\d+) (\S+) .* to=<(\S+)> ")
_CONTENT_REFUSED = re.compile(r"/cleanup\[\d+\]: \w+: reject: header To: .* to=<(\S+)> .*: (5\S+) blocked$")


class Postfix(Server):
    """With `certificate` (its chain and key in PEM) it offers STARTTLS. With `lmtp` it delivers to that port. With
    `auth` it takes mail only from those whose login, by CRAM-MD5, the Dovecot at that port finds right.

    It listens at `others` as well, each an address with a certificate of its own there; "": there is no TLS.
    """

    accepted = ("250", "2.0.0")
    queued = re.compile(r"\bqueued as (\w+)")
    recipient_header = "Delivered-To"

    def __init__(
        self,
        unpacked: Path,
        root: Path,
        *,
        at: tuple[str, int] | None = None,
        certificate: str = "",
        lmtp: int = 0,
        auth: int = 0,
        others: Mapping[str, str] = {},
    ) -> None:
        super().__init__(unpacked, root, at)
        self._greylist = Greylist()
        self.folder("var/spool/postfix", 0)
        for name in QUEUE.split():
            self.folder(f"var/spool/postfix/{name}", POSTFIX, group=0, mode=0o700)
        self.folder("var/spool/postfix/pid", 0)
        self.folder("var/spool/postfix/maildrop", POSTFIX, group=POSTDROP, mode=0o730)
        self.folder("var/spool/postfix/public", POSTFIX, group=POSTDROP, mode=0o710)
        self.folder("var/lib/postfix", POSTFIX)
        self.folder("var/log", 0)
        tls = "smtpd_tls_security_level = none"
        if certificate:
            self.write("etc/postfix/both.pem", certificate, mode=0o600)
            tls = (
                "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = /etc/postfix/both.pem\n"
                "smtpd_tls_received_header = yes"
            )
        access = "permit_mynetworks"
        if auth:
            access = "permit_sasl_authenticated"
            tls += (
                "\nsmtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_tls_auth_only = yes\n"
                f"smtpd_sasl_path = inet:127.0.0.1:{auth}\nsmtpd_sasl_mechanism_filter = cram-md5"
            )
        transport = f"lmtp:inet:127.0.0.1:{lmtp}" if lmtp else "virtual"
        self.write(
            "etc/postfix/main.cf",
            MAIN % {"greylist": self._greylist.port, "transport": transport, "access": access, "tls": tls},
        )
        services = "".join(self._service(address, pem) for address, pem in others.items())
        self.write("etc/postfix/master.cf", MASTER % {"host": self.host, "port": self.port} + services)
        self.write("etc/postfix/rcpt", refusals(AT_RCPT) + "/^defer\\+/ greylist\n")
        self.write("etc/postfix/data", refusals(AT_DATA))
        self.write("etc/postfix/content", CONTENT)

    def _service(self, address: str, certificate: str) -> str:
        """A line of master.cf."""
        level = "none"
        if certificate:
            level = "may"
            self.write(f"etc/postfix/{address}.pem", certificate, mode=0o600)
        return (
            f"[{address}]:{self.port} inet n - n - - smtpd -o smtpd_tls_security_level={level} "
            f"-o smtpd_tls_chain_files={f'/etc/postfix/{address}.pem' if certificate else ''} "
            "-o smtpd_tls_received_header=yes\n"
        )

    @property
    def version(self) -> str:
        """As Postfix says it."""
        return self.ask("/usr/sbin/postconf", "mail_version")

    def command(self) -> list[str]:
        """The master in the foreground, without the shell scripts around it."""
        return ["/usr/lib/postfix/sbin/master", "-d"]

    def __enter__(self) -> Self:
        self._greylist.start()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._greylist.stop()

    def read_log(self) -> Log:
        """What it wrote down so far."""
        log = Log(Counter(), Counter(), Counter(), Counter())
        message_ids: dict[str, str] = {}
        for line in (self.root / "var/log/postfix.log").read_text(encoding="utf-8").splitlines():
            if found := _NAMED.search(line):
                message_ids[found[1]] = found[2]
            elif found := _TAKEN.search(line):
                log.taken[found[1]] += 1
            elif found := _STORED.search(line):
                log.delivered[found[1], found[2], message_ids[found[1]]] += 1
            elif found := _DONE.search(line):
                log.done[found[1]] += 1
            elif found := _REFUSED.search(line):
                log.refused[found[3], int(found[1]), found[2]] += 1
            elif found := _CONTENT_REFUSED.search(line):
                # Its reply code is not logged; REJECT has no other (header_checks(5)).
                log.refused[found[1], 550, found[2]] += 1
        return log


def refusals(kinds: tuple[str, ...]) -> str:
    """An access table that refuses recipients of these kinds."""
    return "".join(rf"/^{kind}\+/ {REFUSED[kind][0]} {REFUSED[kind][1]} {kind}" + "\n" for kind in kinds)


class Greylist(InThread, socketserver.ThreadingTCPServer):
    """A policy service: it refuses every recipient the first time it is asked about them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.port: int = self.server_address[1]
        self.known: set[str] = set()


class _Asked(socketserver.StreamRequestHandler):
    """Requests are `name=value` lines up to an empty one (SMTPD_POLICY_README)."""

    server: Greylist

    def handle(self) -> None:
        for line in self.rfile:
            name, _, value = line.decode().strip().partition("=")
            if name == "recipient":
                code, enhanced = REFUSED["defer"]
                answer = "DUNNO" if value in self.server.known else f"{code} {enhanced} defer"
                self.server.known.add(value)
            elif not name:
                self.wfile.write(f"action={answer}\n\n".encode())
