"""aiosmtplib: `sendmail` on each of some connections, the messages made by replacing placeholders, on uvloop.

`python aiosmtplib_peer.py PORT CONNECTIONS COUNT LIST MESSAGE SENDER` prints how many were sent.
"""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import aiosmtplib
import uvloop

Mail = tuple[str, bytes]


def mails(source: Path, message: Path, count: int) -> Iterator[Mail]:
    """The first `count` contacts' addresses and messages."""
    template = message.read_bytes().replace(b"\n", b"\r\n")
    with source.open(encoding="utf-8", newline="") as file:
        for row in islice(csv.DictReader(file), count):
            content = template
            for name, value in row.items():
                content = content.replace(b"{{ %s }}" % name.encode(), value.encode())
            yield row["email"], content


async def connection(port: int, waiting: Iterator[Mail], sender: str) -> int:
    """Send what waits on one connection; how many that were."""
    sent = 0
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, use_tls=False, start_tls=False, timeout=60) as smtp:
        for address, content in waiting:
            await smtp.sendmail(sender, [address], content)
            sent += 1
    return sent


async def main(port: str, connections: str, count: str, source: str, message: str, sender: str) -> None:
    """Send on all connections at once."""
    waiting = mails(Path(source), Path(message), int(count))
    print(sum(await asyncio.gather(*(connection(int(port), waiting, sender) for _ in range(int(connections))))))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:]))
