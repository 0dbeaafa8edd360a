"""A process that asks DNS, so that the one that sends has its hands free: an answer costs it as much as ten messages.

It is given how to ask, and domains; it answers with what DNS says of them, in any order, some at a time, then with how
it ended: "", or why nobody can be asked. It ends when nobody is at the other end any more.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import time
from collections.abc import Iterator

from campaign_cli.model.dns import Dns, MailHosts, Unresolved
from campaign_cli.model.frames import framed, next_frame
from campaign_cli.transport.resolver import Resolver

TOLD_AFTER = 0.25
"""Seconds for which answers gather before they are told: each time costs the ledger a commit."""

Said = tuple[str, MailHosts | Unresolved]
"""A domain, and what DNS says of it."""


def main(descriptor: int) -> None:
    """Ask what comes through the socket `descriptor`."""
    with socket.socket(fileno=descriptor) as connection:
        with connection.makefile("rb") as frames:
            dns, domains = pickle.loads(next_frame(frames))  # noqa: S301 (from our own process)
        asyncio.run(_Enquiry(connection, dns, domains).make())


class _Enquiry:
    def __init__(self, connection: socket.socket, dns: Dns, domains: list[str]) -> None:
        self._connection = connection
        self._most = dns.concurrency
        self._resolver = Resolver(dns)
        self._left: Iterator[str] = iter(domains)
        self._said: list[Said] = []
        self._told_at = time.monotonic()
        self._unresolved = 0
        self._trouble = ""

    async def make(self) -> None:
        self._trouble = await self._resolver.trouble()
        await asyncio.gather(*(self._ask() for _ in range(self._most)))
        self._tell(self._said)
        self._tell(self._trouble)

    async def _ask(self) -> None:
        """One domain after the other, as long as anybody answers."""
        while not self._trouble and (domain := next(self._left, None)) is not None:
            answer = await self._resolver.mail_hosts(domain)
            self._said.append((domain, answer))
            if isinstance(answer, Unresolved):
                self._unresolved += 1
                # As many in a row as are asked at once: it may not be the domains.
                if self._unresolved % self._most == 0:
                    self._trouble = await self._resolver.trouble()
            else:
                self._unresolved = 0
            if time.monotonic() - self._told_at > TOLD_AFTER:
                self._tell(self._said)
                self._said, self._told_at = [], time.monotonic()

    def _tell(self, what: list[Said] | str) -> None:
        self._connection.sendall(framed(pickle.dumps(what)))
