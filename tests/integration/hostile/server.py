"""A scripted SMTP server on loopback: polite, until the one point at which a behaviour has it do something else.

It works on blocking sockets, one thread a connection, so that a script can say exactly which octets go out in which
segment, when it reads, and how a connection ends. It shares no code with the product.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

BANNER = b"220 scripted.test ESMTP\r\n"
OFFERS = ("scripted.test", "SIZE 10000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
EXTRA = {"one by one": (), "pipelining": ("PIPELINING",), "chunking": ("PIPELINING", "CHUNKING")}
"""What each way of speaking needs besides."""

POINTS = ("banner", "ehlo", "helo", "starttls", "ehlo again", "auth", "mail", "rcpt", "data", "content", "dot")
"""Where a script may do something else than what is polite, in their order; `content` is in the middle of it."""

LONGEST = 30.0
"""Seconds after which the server gives a connection up: the client is to have done so long before."""


class Over(Exception):  # noqa: N818 (it is no error)
    """The connection has ended, by whomever."""


@dataclass
class Seen:
    """What a server saw and did. Times are monotonic seconds."""

    taken: list[tuple[float, int, str]] = field(default_factory=list)
    """Whole contents: when, on which connection, for whom. Whatever was answered."""
    strikes: list[tuple[float, int]] = field(default_factory=list)
    """When, and on which connection, it did what it was scripted to do."""
    ended: dict[int, float] = field(default_factory=dict)
    """When each connection ended."""
    connections: int = 0
    hurried: bool = False
    """Whether a client that was offered no PIPELINING wrote ahead all the same."""


class Connection:
    """One connection, as scripts see it.

    `manner` is how it says things: each reply in a segment of its own; all that are due in one, `gathered`; or
    `bytewise`, each octet in one.
    """

    def __init__(self, sock: socket.socket, number: int, manner: str = "") -> None:
        self.sock = sock
        self.number = number
        self.manner = manner
        self.context: ssl.SSLContext | None = None
        self.said = b""
        """What was said last."""
        self.victims = 0
        """How many recipients it has had of the domain that the server is hostile to."""
        self._buffer = b""
        self._unsaid = b""
        sock.settimeout(LONGEST)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def hurried(self) -> bool:
        """Whether more has come than the line that was read."""
        return bool(self._buffer)

    def read(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._receive()
        octets, self._buffer = self._buffer[:count], self._buffer[count:]
        return octets

    def line(self) -> bytes:
        while b"\n" not in self._buffer:
            self._receive()
        return self.read(self._buffer.index(b"\n") + 1)

    def _receive(self) -> None:
        self._send(self._unsaid)
        self._unsaid = b""
        with self._over_on_error():
            octets = self.sock.recv(1 << 16)
        if not octets:
            raise Over
        self._buffer += octets

    def say(self, octets: bytes) -> None:
        self.said = octets
        if self.manner == "gathered":
            self._unsaid += octets
            return
        step = 1 if self.manner == "bytewise" else len(octets)
        for start in range(0, len(octets), step):
            self._send(octets[start : start + step])

    def _send(self, octets: bytes) -> None:
        with self._over_on_error():
            self.sock.sendall(octets)

    def start_tls(self) -> None:
        assert self.context
        with self._over_on_error():
            self.sock = self.context.wrap_socket(self.sock, server_side=True)
            self.sock.settimeout(LONGEST)

    def reset(self) -> None:
        """End it with RST, when the client has had time to read what was said: it may lose what it has not."""
        self.deaf(0.1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Over

    def deaf(self, seconds: float) -> bool:
        """Read nothing until the client ends it, or this time has passed; whether it ended."""
        poll = select.poll()
        poll.register(self.sock.fileno(), select.POLLRDHUP)
        return bool(poll.poll(seconds * 1000))

    @contextmanager
    def _over_on_error(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError):
            raise Over from None


Action = Callable[[Connection], None]
"""One thing that a script does."""


# ---- what scripts are made of ----


def say(*pieces: bytes) -> Action:
    """Each piece in a segment of its own."""

    def act(connection: Connection) -> None:
        for piece in pieces:
            connection.say(piece)
        connection.said = b"".join(pieces)

    return act


def drip(octets: bytes, every: float) -> Action:
    """A byte at a time, over and over, until the client has had enough."""

    def act(connection: Connection) -> None:
        deadline = time.monotonic() + LONGEST
        while time.monotonic() < deadline:
            for byte in octets:
                connection.say(bytes([byte]))
                if connection.deaf(every):
                    raise Over

    return act


def endless(octets: bytes) -> Action:
    """As fast as it goes, until the client has had enough."""

    def act(connection: Connection) -> None:
        block = octets * (1 + (1 << 16) // len(octets))
        while True:
            connection.say(block)

    return act


def wait(seconds: float) -> Action:
    """Read nothing and say nothing for this long."""

    def act(connection: Connection) -> None:
        if connection.deaf(seconds):
            raise Over

    return act


def silent(connection: Connection) -> None:
    """Read everything, and never say anything again."""
    while True:
        connection.read(1)


deaf: Action = wait(LONGEST)
"""Read nothing more, and say nothing."""


def close(connection: Connection) -> None:
    """FIN; within TLS, without its close_notify (RFC 8446 6.1)."""
    raise Over


def leave(connection: Connection) -> None:
    """FIN, and hear the client out, or the system would answer what it still says with RST and spoil the last reply."""
    connection.sock.shutdown(socket.SHUT_WR)
    silent(connection)


def reset(connection: Connection) -> None:
    connection.reset()


def start_tls(connection: Connection) -> None:
    connection.start_tls()


def always(octets: bytes) -> Action:
    """The same answer to everything, until the client has had enough."""

    def act(connection: Connection) -> None:
        while True:
            connection.say(octets)
            connection.line()

    return act


# ---- the server ----


@dataclass(frozen=True)
class Face:
    """What a connection is offered, before and within TLS, and the certificate."""

    offers: Sequence[str]
    offers_within: Sequence[str]
    context: ssl.SSLContext | None


Script = Mapping[str, Sequence[Action]]
"""What to do at a point instead of what is polite there."""


class Server:
    """Listens until it is closed.

    At the points before a login is done, the script is played on the connections that `hostile` names; from then on
    to the recipient `victim` alone. MAIL does not name one: there, it is played once, on a connection that has had
    one of the victim's neighbours.
    """

    def __init__(
        self,
        script: Script,
        *,
        victim: str = "",
        hostile: Callable[[int], bool] = lambda number: True,
        offers: Sequence[str] = OFFERS,
        offers_within: Sequence[str] | None = None,
        context: ssl.SSLContext | None = None,
        polite: Face | None = None,
        manner: str = "",
    ) -> None:
        self.seen = Seen()
        self._script = script
        self._victim = victim
        self._domain = victim.partition("@")[2]
        self._hostile = hostile
        self._hostile_face = Face(offers, offers if offers_within is None else offers_within, context)
        self._polite_face = polite or self._hostile_face
        self._manner = manner
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        # Wakes the thread that accepts, which closing alone would not.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            self.seen.connections += 1
            connection = Connection(sock, self.seen.connections, self._manner)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Connection) -> None:
        try:
            self._converse(connection)
        except Over:
            pass
        finally:
            self.seen.ended[connection.number] = time.monotonic()
            connection.sock.close()

    def _do(self, point: str, connection: Connection, polite: Action, strike: bool) -> None:
        """Play the script at `point` where it is to `strike`, else do what is polite."""
        actions = self._script.get(point, ()) if strike else ()
        if actions:
            self.seen.strikes.append((time.monotonic(), connection.number))
        for action in actions or (polite,):
            action(connection)

    def _converse(self, connection: Connection) -> None:
        hostile = self._hostile(connection.number)
        face = self._hostile_face if hostile else self._polite_face
        connection.context = face.context
        self._do("banner", connection, say(BANNER), hostile)
        secure, sender, recipient = False, False, ""
        offers: Sequence[str] = ()
        while True:
            words = connection.line().split()
            verb = words[0].upper() if words else b""
            if verb in (b"MAIL", b"RCPT", b"DATA") and "PIPELINING" not in offers and connection.hurried:
                self.seen.hurried = True
            match verb:
                case b"EHLO":
                    offers = face.offers_within if secure else face.offers
                    self._do("ehlo again" if secure else "ehlo", connection, say(_lines(offers)), hostile)
                case b"HELO":
                    offers = ()
                    self._do("helo", connection, say(b"250 scripted.test\r\n"), hostile)
                case b"STARTTLS":
                    self._do("starttls", connection, _go_ahead, hostile)
                    secure = True
                case b"AUTH":
                    self._do("auth", connection, _let_in, hostile)
                case b"MAIL":
                    self._do("mail", connection, say(b"250 2.1.0 ok\r\n"), self._strikes_mail(connection))
                    sender, recipient = connection.said.startswith(b"2"), ""
                case b"RCPT" if not sender:
                    connection.say(b"503 5.5.1 no sender\r\n")
                case b"RCPT":
                    address = words[1][len(b"TO:<") : -1].decode()
                    connection.victims += address.endswith(f"@{self._domain}")
                    self._do("rcpt", connection, say(b"250 2.1.5 ok\r\n"), address == self._victim)
                    recipient = address if connection.said.startswith(b"2") else ""
                case b"DATA" if not recipient:
                    connection.say(b"503 5.5.1 no recipient\r\n")
                case b"DATA":
                    self._do("data", connection, say(b"354 go on\r\n"), recipient == self._victim)
                    if connection.said.startswith(b"354"):
                        self._content(connection, recipient)
                case b"BDAT" if not recipient:
                    connection.read(int(words[1]))
                    connection.say(b"503 5.5.1 no recipient\r\n")
                case b"BDAT":
                    self._content(connection, recipient, int(words[1]))
                case b"QUIT":
                    connection.say(b"221 2.0.0 bye\r\n")
                    raise Over
                case b"":
                    connection.say(b"500 5.5.2 what?\r\n")
                case _:
                    connection.say(b"250 2.0.0 ok\r\n")

    def _strikes_mail(self, connection: Connection) -> bool:
        with self._lock:
            return connection.victims > 0 and not self.seen.strikes

    def _content(self, connection: Connection, address: str, size: int | None = None) -> None:
        """Read it, `size` octets or until the final dot, and answer it unless that was done in the middle of it."""
        struck = address == self._victim
        head = connection.line()
        self._do("content", connection, lambda each: None, struck)
        if size is not None:
            connection.read(size - len(head))
        while size is None and connection.line() != b".\r\n":
            pass
        if struck and "content" in self._script:
            return
        self.seen.taken.append((time.monotonic(), connection.number, address))
        self._do("dot", connection, say(b"250 2.0.0 taken\r\n"), struck)


def _go_ahead(connection: Connection) -> None:
    connection.say(b"220 go ahead\r\n")
    connection.start_tls()


def _let_in(connection: Connection) -> None:
    connection.say(b"235 2.7.0 welcome\r\n")


def _lines(offers: Sequence[str]) -> bytes:
    return "".join([*(f"250-{each}\r\n" for each in offers[:-1]), f"250 {offers[-1]}\r\n"]).encode()


@contextmanager
def nobody_listening() -> Iterator[int]:
    """A port that refuses connections as long as the block runs."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


@contextmanager
def full_backlog() -> Iterator[int]:
    """A port whose queue of connections is full: whoever knocks gets no answer at all."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        address = sock.getsockname()
        knocking: list[socket.socket] = []
        try:
            while not knocking or select.select([], knocking[-1:], [], 0.2)[1]:
                knocking.append(socket.socket())
                knocking[-1].setblocking(False)
                knocking[-1].connect_ex(address)
            yield address[1]
        finally:
            for each in knocking:
                each.close()
