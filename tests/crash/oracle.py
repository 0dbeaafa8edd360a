"""The oracle of the crash tests: an SMTP server that knows what it took, whatever becomes of who sent it.

A process of its own, which shares no code with the product and is never killed with it. Before it answers the final
dot it has (recipient, hash of the body, time) on disk. Its journal is one JSON object a line; times are monotonic
seconds, the same for every process of the machine. Its first line on standard output is its port; then it answers
each line on standard input with one line:

    taken N     when it has taken N messages
    held N      when N contents wait for an answer that does not come
    settled     when nobody is connected any more, so that nothing more can arrive
    forget      gives up the question before, which is answered with "no"
    hold        from now on contents are neither taken nor answered
    release     those that are held are taken and answered, and so is what comes
    drop        those that are held are lost with their connections, as if the server had died before it took them

Failures are played by the beginning of the recipient's local part.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from hashlib import sha256

AT_RCPT = {b"bounce": b"550 5.1.1 no such user\r\n"}
AT_RCPT_ONCE = {b"defer": b"451 4.7.1 greylisted\r\n"}
AT_CONTENT = {b"blocked": b"550 5.0.0 not this\r\n"}
AT_CONTENT_ONCE = {b"moody": b"451 4.3.0 not now\r\n", b"closing": b"421 4.3.2 going down\r\n"}
"""Also: `drop` is taken and never answered; `lost` is neither; `reset` ends its session at RCPT the first time."""


class Journal:
    """What was taken, on disk before anybody is told."""

    def __init__(self, path):
        self.file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self.lines = []
        self.waiting = []

    def note(self, **entry):
        """On disk with the next that is kept."""
        self.lines.append(json.dumps(entry) + "\n")

    def keep(self, then, **entry):
        """Call `then` when it is on disk; all of one turn of the event loop together."""
        self.note(**entry)
        if not self.waiting:
            asyncio.get_running_loop().call_soon(self.sync)
        self.waiting.append(then)

    def sync(self):
        waiting, self.waiting = self.waiting, []
        self.flush()
        os.fdatasync(self.file)
        for then in waiting:
            then()

    def flush(self):
        octets = "".join(self.lines).encode()
        self.lines = []
        assert os.write(self.file, octets) == len(octets)


class Oracle:
    """What all sessions know."""

    def __init__(self, options):
        self.options = options
        self.journal = Journal(options.journal)
        self.sessions = set()
        self.seen = Counter()
        self.taken = 0
        self.holding = False
        self.held = []
        self.question = None

    def ask(self, line):
        match line.split():
            case ["taken" | "held" | "settled" as what, *count]:
                self.question = (what, int(count[0]) if count else 0)
                self.look()
            case ["forget"]:
                if self.question:
                    self.answer("no")
                self.answer("forgotten")
            case ["hold"]:
                self.holding = True
                self.answer("holding")
            case ["release" | "drop" as what]:
                self.holding = False
                held, self.held = self.held, []
                for session in held:
                    session.take() if what == "release" else session.end()
                self.answer(what)
            case _:
                self.answer("what?")

    def look(self):
        """Whether the question can be answered now."""
        if self.question is None:
            return
        what, count = self.question
        if {"taken": self.taken, "held": len(self.held), "settled": -len(self.sessions)}[what] >= count:
            self.answer("yes")

    def answer(self, text):
        if text in ("yes", "no"):
            self.question = None
        print(text, flush=True)


class Session(asyncio.Protocol):
    """One connection. What comes while a content waits to be on disk is read when that is answered."""

    def __init__(self, oracle):
        self.oracle = oracle
        self.buffer = bytearray()
        self.reading = self.command
        self.recipient = b""
        self.content = b""
        self.size = 0
        self.busy = False
        self.gone = False
        self.out = []

    def connection_made(self, transport):
        self.transport = transport
        self.oracle.sessions.add(self)
        transport.write(b"220 oracle.test ESMTP\r\n")

    def data_received(self, data):
        self.buffer += data
        self.go_on()

    def connection_lost(self, exc):
        self.gone = True
        if self in self.oracle.held:
            self.oracle.held.remove(self)
            self.busy = False
        self.leave()

    def leave(self):
        """It is over when nobody is there any more and nothing of it waits for the disk."""
        if self.gone and not self.busy:
            self.oracle.sessions.discard(self)
            self.oracle.look()

    def end(self):
        self.gone = True
        self.busy = False
        self.transport.abort()

    def go_on(self):
        while not self.busy and not self.gone and self.reading():
            pass
        if self.out and not self.gone:
            self.transport.write(b"".join(self.out))
        self.out.clear()

    def say(self, octets):
        self.out.append(octets)

    # ---- what is read: each says whether there was enough of it ----

    def command(self):
        end = self.buffer.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self.buffer[:end])
        del self.buffer[: end + 2]
        verb = line[:4].upper()
        if verb == b"MAIL":
            self.recipient = b""
            if self.oracle.options.mails:
                self.oracle.journal.note(at=time.monotonic(), what="mail")
            self.say(b"250 2.1.0 ok\r\n")
        elif verb == b"RCPT":
            self.rcpt(line[line.index(b"<") + 1 : line.rindex(b">")])
        elif verb == b"DATA":
            if self.recipient:
                self.reading = self.dotted
                self.say(b"354 go on\r\n")
            else:
                self.say(b"503 5.5.1 no recipient\r\n")
        elif verb == b"BDAT":
            self.size = int(line.split()[1])
            self.reading = self.chunk
        elif verb == b"EHLO":
            options = self.oracle.options
            offers = [b"oracle.test", b"SIZE 10000000", b"8BITMIME", b"ENHANCEDSTATUSCODES"]
            offers += [] if options.no_pipelining else [b"PIPELINING"]
            offers += [b"CHUNKING"] if options.chunking else []
            self.say(b"250-" + b"\r\n250-".join(offers[:-1]) + b"\r\n250 " + offers[-1] + b"\r\n")
        elif verb == b"QUIT":
            self.transport.write(b"221 2.0.0 bye\r\n")
            self.transport.close()
            return False
        else:
            self.say(b"250 2.0.0 ok\r\n")
        return True

    def dotted(self):
        if self.buffer.startswith(b".\r\n"):
            content, end = b"", 3
        else:
            found = self.buffer.find(b"\r\n.\r\n")
            if found < 0:
                return False
            content, end = bytes(self.buffer[: found + 2]), found + 5
        del self.buffer[:end]
        self.arrived((b"\r\n" + content).replace(b"\r\n.", b"\r\n")[2:])
        return True

    def chunk(self):
        """Only whole messages: no chunk but the last."""
        if len(self.buffer) < self.size:
            return False
        content = bytes(self.buffer[: self.size])
        del self.buffer[: self.size]
        if self.recipient:
            self.arrived(content)
        else:
            self.reading = self.command
            self.say(b"503 5.5.1 no recipient\r\n")
        return True

    # ---- what becomes of it ----

    def kind(self):
        return self.recipient.partition(b"@")[0].partition(b"+")[0]

    def first(self):
        """Whether it is the first time that this recipient comes so far."""
        key = self.recipient, self.reading == self.command
        self.oracle.seen[key] += 1
        return self.oracle.seen[key] == 1

    def rcpt(self, address):
        self.recipient = address
        kind = self.kind()
        answer = AT_RCPT.get(kind)
        if kind in AT_RCPT_ONCE and self.first():
            answer = AT_RCPT_ONCE[kind]
        elif kind == b"reset" and self.first():
            self.transport.abort()
            self.gone = True
            return
        if answer:
            self.recipient = b""
        self.say(answer or b"250 2.1.5 ok\r\n")

    def arrived(self, content):
        """The whole of a content."""
        kind = self.kind()
        answer = AT_CONTENT.get(kind)
        if kind in AT_CONTENT_ONCE and self.first():
            answer = AT_CONTENT_ONCE[kind]
        self.reading = self.command
        if answer:
            self.say(answer)
        elif kind == b"lost":
            self.end()
        else:
            self.content = content
            self.busy = True
            if self.oracle.holding:
                self.oracle.held.append(self)
                self.oracle.look()
            else:
                self.take()

    def take(self):
        head, _, body = self.content.partition(b"\r\n\r\n")
        headers = dict(line.partition(b": ")[::2] for line in head.split(b"\r\n"))
        self.oracle.journal.keep(
            self.took,
            at=time.monotonic(),
            what="taken",
            recipient=self.recipient.decode(),
            body=sha256(body).hexdigest(),
            to=headers.get(b"To", b"").decode(),
            message_id=headers.get(b"Message-ID", b"").decode(),
        )

    def took(self):
        """It is on disk."""
        self.oracle.taken += 1
        self.busy = False
        if self.kind() == b"drop":
            self.end()
        elif not self.gone:
            self.say(b"250 2.0.0 taken\r\n")
            self.go_on()
        self.oracle.look()
        self.leave()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--journal", required=True)
    parser.add_argument("--no-pipelining", action="store_true")
    parser.add_argument("--chunking", action="store_true", help="offer CHUNKING")
    parser.add_argument("--mails", action="store_true", help="note when each transaction starts")
    oracle = Oracle(parser.parse_args())
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Session(oracle), "127.0.0.1", 0, backlog=1000)
    questions = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(questions), sys.stdin)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await questions.readline():
        oracle.ask(line.decode())
    oracle.journal.flush()


if __name__ == "__main__":
    asyncio.run(main())
