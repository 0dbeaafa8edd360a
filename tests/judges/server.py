"""A real mail server in a root folder of its own, and what its log says. It never delivers off this machine."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email import message_from_bytes, message_from_string
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import NamedTuple, Self

DEADLINE = 60.0
"""Seconds for a server to start, or to deliver what it took: far more than either needs."""

MAILDIR = "var/mail/taken"
"""Every message of every recipient, one file each; both servers say in it whom it was for."""

VMAIL = 5000

ACCOUNTS = """root:x:0:0:root:/:/bin/false
nobody:x:65534:65534:nobody:/:/bin/false
vmail:x:5000:5000:vmail:/:/bin/false
postfix:x:5001:5001:postfix:/:/bin/false
Debian-exim:x:5003:5003:exim:/:/bin/false
dovecot:x:5004:5004:dovecot:/:/bin/false
dovenull:x:5005:5005:dovecot:/:/bin/false
opensmtpd:x:5006:5006:opensmtpd:/var/lib/opensmtpd/empty:/bin/false
opensmtpq:x:5007:5007:opensmtpd:/var/lib/opensmtpd/empty:/bin/false
"""

GROUPS = (
    "root:x:0:\nnogroup:x:65534:\nvmail:x:5000:\npostfix:x:5001:\npostdrop:x:5002:\nDebian-exim:x:5003:\nmail:x:8:\n"
    "dovecot:x:5004:\ndovenull:x:5005:\nopensmtpd:x:5006:\nopensmtpq:x:5007:\n"
)

USER, PASSWORD = "ada", "right-one"
"""Of all servers that ask for a login."""

REFUSED = {
    "bounce": (550, "5.1.1"),
    "full": (552, "5.2.2"),
    "busy": (450, "4.2.1"),
    "early": (554, "5.0.0"),
    "blocked": (550, "5.0.0"),
    "moody": (451, "4.3.0"),
    "defer": (451, "4.7.1"),
}
"""What Exim and Postfix answer, by the beginning of the local part: four at RCPT (`defer` the first time only), `early`
at DATA (Exim with BDAT: to the content, for it asks no ACL before), `blocked` to the content, `moody` at DATA (Postfix)
or to the content (Exim)."""


_QUEUED_AS = re.compile(r"\bid ([\w-]+)")
_PROTOCOL = re.compile(r"\bwith (\w*smtp\w*)", re.IGNORECASE)
_TLS = re.compile(r"\bTLSv?(1\.\d)\b")


class Arrived(NamedTuple):
    """How a message came; without TLS its version is ""."""

    queue_id: str
    recipient: str
    message_id: str
    protocol: str
    tls: str


@dataclass(frozen=True)
class Log:
    """What a server wrote down, how often each. Addresses and Message-IDs as they were on the wire."""

    taken: Counter[str]
    """Queue identifiers of the messages it took."""
    done: Counter[str]
    """Queue identifiers of the messages it has nothing left to do for."""
    delivered: Counter[tuple[str, str, str]]
    """(queue identifier, recipient, Message-ID) of what it stored."""
    refused: Counter[tuple[str, int, str]]
    """(recipient, reply code, enhanced code) of what it refused."""


class Server(ABC):
    """Started by `with`; `root` is a folder with the server and its libraries in it, copied before it is changed."""

    accepted: tuple[str, str]
    """Code and enhanced code of its answer to a content that it takes."""
    recipient_header: str
    """Where a stored message says whom it was for."""
    queued: re.Pattern[str]
    """What its answer to a content that it takes says before the queue identifier, and that."""
    refuses: Sequence[str] = tuple(REFUSED)
    """Kinds of recipients that it refuses."""

    def __init__(self, unpacked: Path, root: Path, at: tuple[str, int] | None = None) -> None:
        subprocess.run(["cp", "-a", unpacked, root], check=True)
        self.root = root
        self.host, self.port = at or ("127.0.0.1", free_port())
        self._process: subprocess.Popen[bytes] | None = None
        self.write("etc/passwd", ACCOUNTS)
        self.write("etc/group", GROUPS)
        self.write("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n")
        self.write("etc/hosts", "127.0.0.1 localhost\n")
        self.folder("var/mail", VMAIL)
        self.folder("tmp", 0, mode=0o1777)
        self.folder("dev", 0)
        for name, minor in (("null", 3), ("urandom", 9)):
            os.mknod(root / "dev" / name, 0o020666, os.makedev(1, minor))
            (root / "dev" / name).chmod(0o666)

    @abstractmethod
    def command(self) -> list[str]:
        """What to run inside the root, in the foreground; its configuration is written."""

    @abstractmethod
    def read_log(self) -> Log:
        """What it wrote down so far."""

    def write(self, name: str, text: str, mode: int = 0o644) -> None:
        """A file in its root."""
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def folder(self, name: str, owner: int, *, group: int | None = None, mode: int = 0o755) -> None:
        """A folder in its root."""
        (self.root / name).mkdir(parents=True, exist_ok=True)
        os.chown(self.root / name, owner, owner if group is None else group)
        (self.root / name).chmod(mode)

    def ask(self, *command: str) -> str:
        """What a program of its own prints."""
        said = subprocess.run(["chroot", self.root, *command], check=True, capture_output=True, text=True)
        return said.stdout.strip()

    def __enter__(self) -> Self:
        with (self.root.parent / f"{self.root.name}.out").open("wb") as out:
            self._process = subprocess.Popen(
                ["chroot", self.root, *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            self.wait_for(self._greets, "does not greet")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process
        group = self._process.pid
        if self._process.poll() is None:
            os.killpg(group, signal.SIGTERM)
            try:
                self._process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                os.killpg(group, signal.SIGKILL)
                self._process.wait()
        shutil.rmtree(self.root / "usr")

    def _greets(self) -> bool:
        assert self._process
        if self._process.poll() is not None:
            out = (self.root.parent / f"{self.root.name}.out").read_text()
            raise AssertionError(f"it ended with {self._process.returncode}: {out}")
        try:
            with socket.create_connection((self.host, self.port), timeout=DEADLINE) as connection:
                greeting = connection.recv(3)
                connection.sendall(b"QUIT\r\n")
                return greeting == b"220"
        except OSError:
            return False

    def settled_log(self) -> Log:
        """What it wrote down, when everything that it took is done."""
        self.wait_for(lambda: (log := self.read_log()).taken == log.done, "does not finish what it took")
        return self.read_log()

    def queue_id(self, reply: str) -> str:
        """The queue identifier in its answer to a content that it took."""
        found = self.queued.search(reply)
        assert found, reply
        return found[1]

    def stored(self) -> list[EmailMessage]:
        """Every message that it delivered, as it is on disk."""
        return [parsed(file.read_bytes()) for file in sorted((self.root / MAILDIR / "new").glob("*"))]

    def arrived(self) -> Counter[Arrived]:
        """How each message on disk came, by what it wrote on top of it."""
        return Counter(
            Arrived(
                _QUEUED_AS.findall(received)[0],
                str(message[self.recipient_header]),
                str(message["Message-ID"]),
                _PROTOCOL.findall(received)[0].upper(),
                "".join(f"TLSv{version}" for version in _TLS.findall(received)[:1]),
            )
            for message in self.stored()
            if (received := str(message["Received"]))
        )

    def wait_for(self, reached: Callable[[], bool], otherwise: str) -> None:
        """Until it has come so far."""
        deadline = time.monotonic() + DEADLINE
        while not reached():
            assert time.monotonic() < deadline, f"{type(self).__name__} {otherwise}"
            time.sleep(0.05)


def parsed(raw: bytes) -> EmailMessage:
    """A message; one that came with SMTPUTF8 has UTF-8 in its header, which the parser takes as text only."""
    message = (
        message_from_bytes(raw, policy=default) if raw.isascii() else message_from_string(raw.decode(), policy=default)
    )
    assert isinstance(message, EmailMessage)
    return message


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
