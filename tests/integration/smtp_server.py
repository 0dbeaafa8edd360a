"""A real SMTP server on loopback whose failures are scripted by the recipient's local part, and which logs what it saw.

Run as a process of its own, it is the oracle of the integration tests: it shares no code with the product. Its
first line on standard output is its port. Every line of its log is one JSON object: when (monotonic seconds, the
same clock for every process of the machine), what, and about whom.
"""

import argparse
import asyncio
import json
import signal
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

AT_RCPT = {
    "bounce": b"550 5.1.1 no such user\r\n",
    "full": b"552 5.2.2 mailbox full\r\n",
    "busy": b"450 4.2.1 mailbox busy\r\n",
}
AT_CONTENT = {"blocked": b"550 5.0.0 not this\r\n", "moody": b"451 4.3.0 not now\r\n"}
FIRST_TIME_ONLY = {"defer": b"451 4.7.1 greylisted\r\n"}

AFTER_REFUSAL = {
    "over": "BDAT LAST ends every transaction, as with Postfix",
    "exim": "a transaction without recipients stays open; more than three nested MAILs or ten resets are abuse",
    "kept": "a transaction stays open whatever of it was refused, and keeps the recipients that it has",
    "stuck": "nothing is taken until RSET",
    "commands": "a chunk that is not wanted is read as commands, as go-smtp does",
}
"""What a refusal leaves behind with CHUNKING."""


class Transaction:
    """What a session knows of the transaction that it is in, and of those before it."""

    def __init__(self, after_refusal):
        self.after_refusal = after_refusal
        self.open = False
        self.recipients, self.chunks = [], b""
        self.stuck = False
        self.nested = self.resets = 0
        self.message_since_reset = True

    def begin(self):
        """The answer to MAIL."""
        if self.stuck or (self.open and self.after_refusal in ("exim", "kept")):
            self.nested += 1
            return b"503 5.5.1 nested MAIL\r\n"
        self.end()
        self.open = True
        return b"250 2.1.0 ok\r\n"

    def end(self):
        self.open, self.recipients, self.chunks = False, [], b""

    def reset(self):
        """The answer to RSET."""
        self.end()
        self.stuck = False
        self.resets += not self.message_since_reset
        self.message_since_reset = False
        if self.after_refusal == "exim" and self.resets > 10:
            return b"554 Too many nonmail commands\r\n"
        return b"250 2.0.0 ok\r\n"

    def chunk_refused(self):
        """There were no recipients, or the content was not wanted."""
        self.stuck = self.after_refusal == "stuck"
        self.chunks = b""
        if self.after_refusal != "kept" and not (self.after_refusal == "exim" and not self.recipients):
            self.end()

    @property
    def abused(self):
        """Whether Exim would end the session."""
        return self.after_refusal == "exim" and (self.nested > 3 or self.resets > 10)


def digest(lines):
    return sha256(b"".join(lines)).hexdigest()


class Server:
    """Counts attempts by address, so that a failure can be played the first time only."""

    def __init__(self, options):
        self.options = options
        self.log = open(options.log, "a", buffering=1)  # noqa: SIM115
        self.seen = Counter()
        self.tasks = set()
        self.stopping = False

    def note(self, what, recipient="", **more):
        entry = {"at": time.monotonic(), "what": what, "recipient": recipient, **more}
        self.log.write(json.dumps(entry) + "\n")

    async def serve(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        try:
            await self.dialogue(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self.tasks.discard(asyncio.current_task())

    async def dialogue(self, reader, writer):
        transaction = Transaction(self.options.after_refusal)

        async def say(octets):
            if self.options.delay:
                await asyncio.sleep(self.options.delay)
            writer.write(octets)
            await writer.drain()

        self.note("connect")
        await say(b"220 scripted.test ESMTP\r\n")
        while line := await reader.readline():
            verb = line[:4].upper().strip()
            if verb == b"EHLO":
                offers = ["scripted.test", "SIZE 10000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
                if not self.options.no_pipelining:
                    offers.append("PIPELINING")
                if self.options.chunking:
                    offers.append("CHUNKING")
                last = len(offers) - 1
                await say("".join(f"250{' ' if n == last else '-'}{o}\r\n" for n, o in enumerate(offers)).encode())
            elif verb == b"MAIL" and self.stopping:
                await say(b"421 4.3.2 shutting down\r\n")
                return
            elif verb == b"MAIL":
                self.note("mail")
                await say(transaction.begin())
            elif verb == b"RCPT":
                address = line[line.index(b"<") + 1 : line.rindex(b">")].decode()
                if not transaction.open:
                    await say(b"503 5.5.1 no MAIL\r\n")
                    continue
                answer = self.recipient(address)
                if answer is None:
                    return
                if answer.startswith(b"2"):
                    transaction.recipients.append(address)
                self.note("rcpt", address, answer=answer.decode().strip())
                await say(answer)
            elif verb == b"DATA":
                if not transaction.recipients:
                    await say(b"503 5.5.1 no recipient\r\n")
                    continue
                await say(b"354 go on\r\n")
                answer = self.content(await self.dotted(reader), transaction.recipients)
                transaction.end()
                if answer is None:
                    return
                await say(answer)
            elif verb == b"BDAT" and self.options.chunking:
                if not transaction.recipients and self.options.after_refusal == "commands":
                    await say(b"502 5.5.1 no recipient\r\n")
                    continue
                _, size, *last = line.split()
                # Its octets come whatever is answered (RFC 3030 2).
                octets = await reader.readexactly(int(size))
                if not transaction.recipients:
                    transaction.chunk_refused()
                    await say(b"503 5.5.1 no recipient\r\n")
                    continue
                transaction.chunks += octets
                if not last:
                    await say(b"250 2.0.0 go on\r\n")
                    continue
                answer = self.content(transaction.chunks.splitlines(keepends=True), transaction.recipients)
                transaction.message_since_reset = True
                if answer is None:
                    return
                transaction.end() if answer.startswith(b"2") else transaction.chunk_refused()
                await say(answer)
            elif verb == b"RSET":
                await say(transaction.reset())
            elif verb == b"QUIT":
                self.note("quit")
                await say(b"221 2.0.0 bye\r\n")
                return
            else:
                await say(b"500 5.5.1 what?\r\n")
            if transaction.abused:
                self.note("abused")
                return

    def recipient(self, address):
        kind = address.partition("@")[0].partition("+")[0]
        self.seen[address] += 1
        if kind == "reset" and self.seen[address] == 1:
            self.note("reset", address)
            return None
        if kind in FIRST_TIME_ONLY and self.seen[address] == 1:
            return FIRST_TIME_ONLY[kind]
        return AT_RCPT.get(kind, b"250 2.1.5 ok\r\n")

    async def dotted(self, reader):
        """The lines of a content that a dot ends."""
        lines = []
        while (line := await reader.readline()) != b".\r\n":
            if not line:
                raise ConnectionResetError
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return lines

    def content(self, lines, recipients):
        """The answer to it, as the last of its recipients has it; None: the connection is to end without one."""
        if self.options.quota is not None:
            self.options.quota -= 1
            if self.options.quota < 0:
                self.note("over quota", recipients[-1])
                return f"{self.options.over_quota}\r\n".encode()
        kind = recipients[-1].partition("@")[0].partition("+")[0]
        message_id = next((line[11:].strip().decode() for line in lines if line[:11].lower() == b"message-id:"), "")
        what = "content refused" if kind in AT_CONTENT else "taken"
        if self.options.keep:
            Path(self.options.keep, f"{digest(lines)}.eml").write_bytes(b"".join(lines))
        for address in recipients:
            self.note(what, address, message_id=message_id, octets=sum(map(len, lines)), digest=digest(lines))
        return AT_CONTENT.get(kind, None if kind == "drop" else b"250 2.0.0 taken\r\n")


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--no-pipelining", action="store_true")
    parser.add_argument("--quota", type=int, help="messages that it takes at most")
    parser.add_argument("--over-quota", default="550 5.4.5 Daily user sending limit exceeded")
    parser.add_argument("--keep", help="a folder for every message, as it came, without the dots of SMTP")
    parser.add_argument("--chunking", action="store_true", help="offer CHUNKING, and understand BDAT")
    meanings = "; ".join(f"{name}: {what}" for name, what in AFTER_REFUSAL.items())
    parser.add_argument("--after-refusal", choices=AFTER_REFUSAL, default="over", help=meanings)
    options = parser.parse_args()
    scripted = Server(options)
    server = await asyncio.start_server(scripted.serve, options.host, options.port, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    # As a server does that is restarted: what is in work ends, and nothing new begins.
    server.close()
    scripted.stopping = True
    if scripted.tasks:
        await asyncio.wait(scripted.tasks, timeout=2.0)


if __name__ == "__main__":
    asyncio.run(main())
