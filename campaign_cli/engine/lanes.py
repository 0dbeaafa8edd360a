"""The lanes of a run: one for each group that has somebody left to send to, as soon as the group is known."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from campaign_cli.config.settings import Settings
from campaign_cli.engine.campaign import OpenCampaign
from campaign_cli.engine.enrolment import asks_dns
from campaign_cli.engine.forecast import Forecast, Length
from campaign_cli.engine.grouping import Grouping, Joined
from campaign_cli.engine.lane import Lane
from campaign_cli.engine.preparation import Prepared
from campaign_cli.engine.progress import LaneProgress, Progress
from campaign_cli.engine.rooms import Rooms
from campaign_cli.engine.routes import check_served
from campaign_cli.engine.schedule import Schedule
from campaign_cli.ledger.view import Work
from campaign_cli.model.errors import CampaignError
from campaign_cli.policy.limits import UNLIMITED

TO_BE_GROUPED = "other domains"
"""What stands in the display for the domains whose MX hosts are not known yet."""


class Lanes:
    """Drains every lane. `progress` has a line for each, and says how long the limits make it.

    Raises ConfigError where no relay serves one.
    """

    def __init__(
        self,
        settings: Settings,
        prepared: Prepared,
        campaign: OpenCampaign,
        progress: Progress,
        *,
        tell: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._campaign = campaign
        self._progress = progress
        self._tell = tell
        self._sandbox = prepared.sandbox is not None
        self._forecast = Forecast(settings, prepared, campaign.shared)
        self._schedule = Schedule(settings)
        self._groups: dict[str, LaneProgress] = {}
        """Those that are known."""
        self._lanes: dict[str, Lane] = {}
        """Those at work."""
        self._draining: set[str] = set()
        self._joined: set[str] = set()
        self._grouping: asyncio.Task[None] | None = None
        self._stopped = False
        works = campaign.ledger.work()
        self._to_group = self._domains_to_group(works)
        known = [work for work in works if work.provider not in self._to_group]
        if not (self._sandbox or settings.direct):
            check_served(prepared.relays, [work.provider for work in known])
        for work in known:
            self._add(work.provider, work.count)
        self._others = LaneProgress(TO_BE_GROUPED, sum(work.count for work in self._to_group.values()), "")
        if self._to_group:
            progress.lanes.append(self._others)
        self._expect(self._forecast.of_relay(progress.total))

    def _domains_to_group(self, works: Sequence[Work]) -> dict[str, Work]:
        """What is left of single domains, if their MX hosts are to be asked for and it comes due in this run."""
        if not asks_dns(self._settings):
            return {}
        until, providers = time.time() + self._settings.patience, self._settings.providers
        return {work.provider: work for work in works if work.due_at <= until and providers.to_be_found(work.provider)}

    def _add(self, group: str, count: int) -> LaneProgress:
        """So many recipients more are to be sent to in a group."""
        if group not in self._groups:
            self._groups[group] = LaneProgress(group, 0, self._settings.providers.get(group).pace.text)
            self._progress.lanes.append(self._groups[group])
        lane = self._groups[group]
        lane.total += count
        self._expect(self._forecast.of_group(group, lane.total - lane.settled))
        return lane

    def _expect(self, length: Length) -> None:
        now, progress = time.time(), self._progress
        whole, of_run = now + length.whole, now + length.of_run
        if length.whole and not self._sandbox:
            whole, of_run = (self._schedule.when_done(now, seconds) for seconds in length)
            ends, _ = self._schedule.ends(now) or (whole, "")
            whole, of_run = min(whole, self._schedule.not_after or whole), min(of_run, ends)
        progress.expected_end = max(progress.expected_end, of_run)
        progress.whole_end = max(progress.whole_end, whole)

    async def drain(self, rooms: Rooms) -> None:
        """Until nothing is left that comes due within the run's patience, or they are stopped."""
        if self._stopped:
            return
        async with asyncio.TaskGroup() as tasks:
            for lane in self._groups.values():
                self._start(lane, rooms, tasks)
            if self._to_group:
                self._grouping = tasks.create_task(self._group(rooms, partial(self._join, rooms, tasks)))

    def stop(self) -> None:
        """Start nothing new; wait for what has been handed over."""
        self._stopped = True
        for lane in self._lanes.values():
            lane.stop()
        if self._grouping:
            self._grouping.cancel()

    def abandon(self) -> None:
        """End at once; what has been handed over stays without an answer."""
        for lane in self._lanes.values():
            lane.abandon()

    @property
    def awaiting(self) -> int:
        """How many messages have been handed over and not yet been answered."""
        return sum(lane.awaiting for lane in self._lanes.values())

    def _start(self, lane: LaneProgress, rooms: Rooms, tasks: asyncio.TaskGroup) -> None:
        if lane.provider in self._draining:
            self._joined.add(lane.provider)
        else:
            self._draining.add(lane.provider)
            tasks.create_task(self._drain(lane, rooms))

    async def _drain(self, progress: LaneProgress, rooms: Rooms) -> None:
        """Drain a group's lane; then again, if others have joined the group, for a lane at work may pass them over."""
        group = progress.provider
        while not self._stopped:
            self._joined.discard(group)
            # What the lane before has settled must not look to this one as if it had not.
            rooms.committer.commit()
            progress.finished = False
            provider = self._settings.providers.get(group)
            if self._sandbox:
                provider = replace(provider, retry=None, connection_rate=UNLIMITED)
            self._lanes[group] = Lane(provider, rooms, progress)
            await self._lanes[group].drain()
            if group not in self._joined:
                break
        self._lanes.pop(group, None)
        self._draining.discard(group)

    async def _group(self, rooms: Rooms, joined: Joined) -> None:
        grouping = Grouping(self._settings, self._campaign, rooms.retry, self._others, joined=joined, tell=self._tell)
        try:
            await grouping.group(list(self._to_group.values()))
        except CampaignError as error:
            rooms.halt(error)
        finally:
            self._others.finished = True

    def _join(self, rooms: Rooms, tasks: asyncio.TaskGroup, group: str, count: int) -> None:
        self._start(self._add(group, count), rooms, tasks)
