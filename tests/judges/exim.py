"""Exim: its configuration, and how its log is read. All there is to deliver by is one Maildir."""

import re
from collections import Counter
from pathlib import Path

from tests.judges.server import MAILDIR, PASSWORD, REFUSED, USER, Log, Server

EXIM = 5003


def refusal(kind: str) -> str:
    """The message of an ACL verb, which is also what it logs."""
    code, enhanced = REFUSED[kind]
    return f"message = {code} {enhanced} {kind}"


CONFIGURATION = rf"""
primary_hostname = exim.judge.test
local_interfaces = %(host)s
daemon_smtp_ports = %(port)d
keep_environment =
disable_ipv6
smtputf8_advertise_hosts = *
print_topbitchars
log_file_path = /var/log/exim4/%%slog
log_selector = +received_recipients
smtp_accept_queue_per_connection = 0
smtp_accept_max_per_connection = 20
acl_smtp_rcpt = rcpt
acl_smtp_predata = predata
acl_smtp_data = data
auth_advertise_hosts = ${{if def:tls_in_cipher{{*}}}}
%(tls)s

begin acl
rcpt:
  %(access)s
  deny local_parts = ^bounce\\+
    {refusal("bounce")}
  deny local_parts = ^full\\+
    {refusal("full")}
  defer local_parts = ^busy\\+
    {refusal("busy")}
  defer local_parts = ^defer\\+
    !seen = 1h / key=$local_part@$domain
    {refusal("defer")}
  accept
predata:
  deny condition = ${{if match{{$recipients}}{{^early\\+}}}}
    {refusal("early")}
    log_message = {REFUSED["early"][0]} {REFUSED["early"][1]} to <$recipients>
  accept
data:
  deny condition = ${{if match{{$recipients}}{{^early\\+}}}}
    {refusal("early")}
    log_message = {REFUSED["early"][0]} {REFUSED["early"][1]} to <$recipients>
  deny condition = ${{if match{{$recipients}}{{^blocked\\+}}}}
    {refusal("blocked")}
    log_message = {REFUSED["blocked"][0]} {REFUSED["blocked"][1]} to <$recipients>
  defer condition = ${{if match{{$recipients}}{{^moody\\+}}}}
    {refusal("moody")}
    log_message = {REFUSED["moody"][0]} {REFUSED["moody"][1]} to <$recipients>
  accept

begin routers
everybody:
  driver = accept
  transport = maildir

begin transports
maildir:
  driver = appendfile
  directory = /{MAILDIR}
  maildir_format
  user = vmail
  group = vmail
  envelope_to_add
  return_path_add

begin authenticators
%(authenticator)s
"""

AUTHENTICATORS = {
    "": "",
    "PLAIN": f"""plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{USER}}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth2
""",
    "LOGIN": f"""login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${{if and{{{{eq{{$auth1}}{{{USER}}}}}{{eq{{$auth2}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth1
""",
    "CRAM-MD5": f"""cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{if eq{{$auth1}}{{{USER}}}{{{PASSWORD}}}fail}}
  server_set_id = $auth1
""",
}
"""The ways to log in, none of which it offers in plain text."""

_TAKEN = re.compile(r"^\S+ \S+ (\S+) <= .* id=(\S+) .*for (\S+)$")
_STORED = re.compile(r"^\S+ \S+ (\S+) => (?:.* <)?([^ >]+)>? R=\S+ T=maildir$")
_DONE = re.compile(r"^\S+ \S+ (\S+) Completed")
_REFUSED = re.compile(r" rejected RCPT <(?P<to>\S+)>: (?P<code>\d+) (?P<enhanced>\S+) ")
_CONTENT_REFUSED = re.compile(r" rejected (?:after )?DATA: (?P<code>\d+) (?P<enhanced>\S+) to <(?P<to>\S+)>$")


class Exim(Server):
    """With `certificate` (its chain and key in PEM) it offers STARTTLS; with `login`, one of AUTHENTICATORS, it takes
    mail from USER only, who logs in that way."""

    accepted = ("250", "")
    queued = re.compile(r"\bOK id=(\S+)")
    recipient_header = "Envelope-To"

    def __init__(
        self,
        unpacked: Path,
        root: Path,
        *,
        at: tuple[str, int] | None = None,
        certificate: str = "",
        login: str = "",
    ) -> None:
        super().__init__(unpacked, root, at)
        for name in ("var/spool/exim4", "var/log/exim4"):
            self.folder(name, EXIM)
        tls = "tls_advertise_hosts ="
        if certificate:
            self.write("etc/exim4/both.pem", certificate)
            tls = "tls_certificate = /etc/exim4/both.pem\ntls_privatekey = /etc/exim4/both.pem"
        access = "deny !authenticated = *\n    message = relay not permitted" if login else ""
        self.write(
            "etc/exim4/exim4.conf",
            CONFIGURATION
            % {
                "host": self.host,
                "port": self.port,
                "tls": tls,
                "access": access,
                "authenticator": AUTHENTICATORS[login],
            },
        )

    @property
    def version(self) -> str:
        """As Exim says it."""
        return self.ask("/usr/sbin/exim4", "-bV").splitlines()[0]

    def command(self) -> list[str]:
        """The daemon in the foreground; no queue runner is needed, it delivers at once."""
        return ["/usr/sbin/exim4", "-bdf"]

    def read_log(self) -> Log:
        """What it wrote down so far."""
        log = Log(Counter(), Counter(), Counter(), Counter())
        message_ids: dict[str, str] = {}
        for line in (self.root / "var/log/exim4/mainlog").read_text(encoding="utf-8").splitlines():
            if found := _TAKEN.search(line):
                log.taken[found[1]] += 1
                message_ids[found[1]] = f"<{found[2]}>"
            elif found := _STORED.search(line):
                log.delivered[found[1], found[2], message_ids[found[1]]] += 1
            elif found := _DONE.search(line):
                log.done[found[1]] += 1
            elif found := _REFUSED.search(line) or _CONTENT_REFUSED.search(line):
                log.refused[found["to"], int(found["code"]), found["enhanced"]] += 1
        return log
