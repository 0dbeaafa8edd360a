"""Dovecot: it takes messages by LMTP, stores them in a mailbox that is everybody's, and tells of them by IMAP; and it
says whose login is right."""

from collections import Counter
from imaplib import IMAP4
from pathlib import Path

from tests.judges.server import MAILDIR, PASSWORD, USER, VMAIL, Log, Server, free_port

CONFIG = f"""
base_dir = /run/dovecot
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
log_path = /var/log/dovecot.log
default_internal_user = dovecot
default_login_user = dovenull
default_internal_group = dovecot
disable_plaintext_auth = no
auth_mechanisms = plain cram-md5
mail_location = maildir:/{MAILDIR}
first_valid_uid = {VMAIL}
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={VMAIL} gid={VMAIL} home=/{MAILDIR} allow_all_users=yes
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = %(imap)d
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service auth {{
  inet_listener {{
    address = 127.0.0.1
    port = %(auth)d
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = %(lmtp)d
  }}
}}
"""


class Dovecot(Server):
    """Its `port` is LMTP's."""

    accepted = ("250", "2.0.0")
    recipient_header = "Delivered-To"

    def __init__(self, unpacked: Path, root: Path) -> None:
        super().__init__(unpacked, root)
        self._imap = free_port()
        self.auth = free_port()
        self.folder("run/dovecot", 0)
        self.folder("var/log", 0)
        self.folder("var/lib/dovecot", 0)
        self.folder(MAILDIR, VMAIL)
        self.write("etc/dovecot/dovecot.conf", CONFIG % {"imap": self._imap, "lmtp": self.port, "auth": self.auth})

    def command(self) -> list[str]:
        """In the foreground."""
        return ["/usr/sbin/dovecot", "-F"]

    def read_log(self) -> Log:
        """What it takes it has stored when it says so."""
        return Log(Counter(), Counter(), Counter(), Counter())

    def mailbox(self) -> IMAP4:
        """The mailbox, open."""
        connection = IMAP4("127.0.0.1", self._imap, timeout=60)
        connection.login(USER, PASSWORD)
        connection.select("INBOX", readonly=True)
        return connection
