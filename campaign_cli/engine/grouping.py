"""Grouping the domains that no provider claims by their MX hosts, while the lanes of all others already send."""

from __future__ import annotations

import asyncio
import logging
import pickle
import random
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from campaign_cli.config.settings import Settings
from campaign_cli.engine.campaign import OpenCampaign
from campaign_cli.engine.process import program, spawned
from campaign_cli.engine.progress import LaneProgress
from campaign_cli.ledger.view import Work
from campaign_cli.model.dns import Dns, MailHosts, Unresolved
from campaign_cli.model.frames import HEAD, framed
from campaign_cli.policy.retry import RetrySchedule, next_attempt

if TYPE_CHECKING:
    from campaign_cli.engine.enquiry import Said

log = logging.getLogger(__name__)

ENQUIRY = program("campaign_cli.engine.enquiry")

Joined = Callable[[str, int], None]
"""Told that so many recipients have come into a group."""


class Grouping:
    """Finds the groups of single domains, and tells `joined` of each that has recipients to send to.

    A domain that can have no mail bounces its recipients without an attempt; one of which DNS does not say defers them.
    Where DNS cannot be asked at all, `tell` is told so once, and each domain is the group that it was.
    """

    def __init__(
        self,
        settings: Settings,
        campaign: OpenCampaign,
        retry: RetrySchedule,
        progress: LaneProgress,
        *,
        joined: Joined,
        tell: Callable[[str], None],
    ) -> None:
        self._dns = settings.dns or Dns()
        self._providers = settings.providers
        self._patience = settings.patience
        self._retry = retry
        self._ledger = campaign.ledger
        self._shared = campaign.shared
        self._progress = progress
        self._joined = joined
        self._tell = tell

    async def group(self, works: Sequence[Work]) -> None:
        """Until every domain in `works` has its group, or will not have one within the run's patience."""
        waiting = {work.provider: work.count for work in works}
        enquiries = 0
        while reasons := await self._enquire(waiting):
            enquiries += 1
            now = time.time()
            chance = random.random()  # noqa: S311
            again = next_attempt(self._retry, attempts=enquiries, first_attempt_at=now, now=now, chance=chance)
            due_at = again or now + self._retry.longest
            self._ledger.defer_domains(reasons, due_at=due_at, now=now, lifetime=self._retry.lifetime)
            waiting = {domain: waiting[domain] for domain in reasons}
            self._progress.deferred += sum(waiting.values())
            for domain, reason in reasons.items():
                log.info("%s: deferred: %s", domain, reason)
            if due_at - now > self._patience:
                break
            self._progress.waiting_until, self._progress.waiting_for = due_at, "DNS"
            await asyncio.sleep(due_at - now)

    async def _enquire(self, waiting: Mapping[str, int]) -> dict[str, str]:
        """Ask for each domain once; those of which DNS does not say, and why."""
        now = time.time()
        remembered = self._shared.mail_hosts(now)
        self._settle({domain: remembered[domain] for domain in waiting if domain in remembered}, waiting)
        asked = [domain for domain in waiting if domain not in remembered]
        left, reasons = dict.fromkeys(asked), dict[str, str]()
        async with aclosing(_answers(self._dns, asked)) as answers:
            async for said in answers:
                if isinstance(said, str):
                    self._go_on_without(said, [*left, *reasons], waiting)
                    return {}
                found = {domain: answer for domain, answer in said if isinstance(answer, MailHosts)}
                reasons |= {domain: answer.reason for domain, answer in said if isinstance(answer, Unresolved)}
                self._shared.remember(found, time.time())
                self._settle(found, waiting)
                for domain, _ in said:
                    del left[domain]
        return reasons

    def _settle(self, found: Mapping[str, MailHosts], waiting: Mapping[str, int]) -> None:
        groups = {domain: self._providers.group_of(each.hosts) for domain, each in found.items() if each.hosts}
        lacks = {domain: each.lack for domain, each in found.items() if each.lack}
        if found:
            self._ledger.regroup(groups, lacks)
        for domain, lack in lacks.items():
            self._progress.bounced += waiting[domain]
            log.info("%s: bounced: %s", domain, lack)
        for domain, group in groups.items():
            self._join(group, waiting[domain])

    def _go_on_without(self, trouble: str, left: Sequence[str], waiting: Mapping[str, int]) -> None:
        """Nobody can be asked: what was known once is better than nothing, and a domain is a group of its own."""
        once = self._shared.mail_hosts(0.0)
        known = [domain for domain in left if domain in once and once[domain].hosts]
        self._settle({domain: once[domain] for domain in known}, waiting)
        others = [domain for domain in left if domain not in known]
        self._tell(f"DNS cannot be asked ({trouble}): {len(others)} domains are grouped by their names alone")
        for domain in others:
            self._join(domain, waiting[domain])

    def _join(self, group: str, count: int) -> None:
        self._progress.total -= count
        self._joined(group, count)


async def _answers(dns: Dns, domains: list[str]) -> AsyncGenerator[list[Said] | str]:
    """What DNS says of `domains`, some at a time; a text, which is the last, says why nobody can be asked any more.

    The process that asks is gone when this is closed.
    """
    if not domains:
        return
    try:
        process, connection = spawned(ENQUIRY)
    except OSError as error:
        yield f"no process can be started: {error.strerror}"
        return
    try:
        reader, writer = await asyncio.open_connection(sock=connection)
        try:
            writer.write(framed(pickle.dumps((dns, domains))))
            while True:
                (length,) = HEAD.unpack(await reader.readexactly(HEAD.size))
                said: list[Said] | str = pickle.loads(await reader.readexactly(length))  # noqa: S301
                if said:
                    yield said
                if isinstance(said, str):
                    return
        finally:
            writer.close()
    except (OSError, EOFError):
        yield "the process that asks has died"
    finally:
        process.kill()
        process.wait()
