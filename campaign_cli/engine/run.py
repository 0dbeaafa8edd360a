"""The run: one process working on an open campaign until nothing is left to do, or until it is stopped."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from signal import Signals
from typing import Any

from campaign_cli.config.replies import replies_of
from campaign_cli.config.settings import Settings
from campaign_cli.config.shaping import shaping_of
from campaign_cli.engine.budgets import Budgets
from campaign_cli.engine.campaign import OpenCampaign
from campaign_cli.engine.composers import MOST_IN_HAND, Composers, workers_for
from campaign_cli.engine.enrolment import asks_dns
from campaign_cli.engine.exchanges import Exchanges, direct_routes
from campaign_cli.engine.grouping import Grouping, Joined
from campaign_cli.engine.lane import LONGEST_REST, Lane
from campaign_cli.engine.open_files import sessions_allowed
from campaign_cli.engine.passwords import Passwords
from campaign_cli.engine.preparation import Prepared
from campaign_cli.engine.progress import LaneProgress, Progress
from campaign_cli.engine.rooms import Allotment, Rooms
from campaign_cli.engine.routes import Routes, check_served
from campaign_cli.engine.schedule import Schedule
from campaign_cli.engine.signals import heard_by
from campaign_cli.engine.suppressions import Suppressions
from campaign_cli.ledger.committer import Committer
from campaign_cli.ledger.shared import SharedState
from campaign_cli.ledger.view import Work
from campaign_cli.model.duration import format_duration
from campaign_cli.model.errors import CampaignError, ExitCode, StateError
from campaign_cli.model.lifecycle import UNFINISHED, State
from campaign_cli.model.relay import Relay, Tls
from campaign_cli.model.result import Result
from campaign_cli.policy.limits import UNLIMITED, expected_duration
from campaign_cli.policy.retry import RetrySchedule
from campaign_cli.report.csv import write_report

log = logging.getLogger(__name__)

GARBAGE_AFTER = 50_000
"""Objects made and not yet let go before cycles are looked for among them: a megabyte or two. Python's own 700 makes it
look thousands of times a second."""

LOOKS_AGAIN = 0.5
"""Seconds after which a run that waits for its window sees whether it is to stop."""

TO_BE_GROUPED = "other domains"
"""What stands in the display for the domains whose MX hosts are not known yet."""

SANDBOX_RETRY = RetrySchedule(base=1.0, factor=2.0, longest=4.0, lifetime=12.0)
"""Seconds: in the sandbox nobody wants to wait, and the server there takes no offence."""


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended. `states` counts the rows of the list by state: their sum is the number of rows."""

    name: str
    exit_code: ExitCode
    states: dict[str, int]
    attempts: int
    seconds: float
    report: str
    stopped: str
    next_due: float | None

    @property
    def rows(self) -> int:
        """Rows in the list."""
        return sum(self.states.values())

    @property
    def remaining(self) -> int:
        """Recipients that have no final result yet."""
        return sum(self.states.get(state, 0) for state in UNFINISHED)


class Run:
    """Drains every lane of an open campaign and writes the report.

    `progress` may be read at any time; `tell` is given the few lines that a person should see, `answer`
    those that say what a signal has led to.
    """

    def __init__(
        self,
        settings: Settings,
        prepared: Prepared,
        campaign: OpenCampaign,
        *,
        tell: Callable[[str], None],
        answer: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._prepared = prepared
        self._campaign = campaign
        self._tell = tell
        self._answer = answer
        self._passwords = Passwords(settings)
        self._schedule = Schedule(settings)
        self._work = campaign.ledger.work()
        self._to_group = self._domains_to_group()
        if prepared.sandbox is None and not settings.direct:
            known = [work.provider for work in self._work if work.provider not in self._to_group]
            check_served(prepared.relays, known)
        self._lanes: dict[str, Lane] = {}
        self._draining: set[str] = set()
        self._joined: set[str] = set()
        self._grouping: asyncio.Task[None] | None = None
        self._error: CampaignError | None = None
        self._stopped = ""
        self._signals = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        """While it sends."""
        self._sending: asyncio.Task[None] | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._unexpected: Exception | None = None
        """What a callback raised, which nobody waits for."""
        self._leaving = False
        self.progress = self._expected_progress()

    def execute(self) -> Summary:
        """Send until nothing is left to do, write the report, and only then raise what stopped the run, if anything.

        SIGINT, SIGTERM or SIGHUP stops the sending in good order; the next one stops it at once. One more while the
        report is written, or a second one if none has come before, raises KeyboardInterrupt: the report is as it was.
        """
        with heard_by(self._signalled):
            return self._execute()

    def _execute(self) -> Summary:
        started = time.monotonic()
        if self._work and self._may_send():
            # What is there now stays, and what a message leaves behind has no cycles: to look seldom is enough.
            gc.freeze()
            gc.set_threshold(GARBAGE_AFTER)
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                try:
                    runner.run(self._send())
                except asyncio.CancelledError:
                    if not self._unexpected:
                        raise
        ledger = self._campaign.ledger
        try:
            ledger.recover()
        except CampaignError as error:
            self._error = self._error or error
        try:
            write_report(self._prepared.report, self._until_told_to_leave(ledger.results()))
        except StateError as error:
            raise StateError(f"{self._error}\n{error}" if self._error else str(error)) from error
        if stopped_by := self._unexpected or self._error:
            raise stopped_by
        states = ledger.states()
        left = ledger.work()
        return Summary(
            name=self._prepared.name,
            exit_code=self._exit_code(states),
            states=states,
            attempts=sum(lane.attempts for lane in self.progress.lanes),
            seconds=time.monotonic() - started,
            report=str(self._prepared.report),
            stopped=self._stopped,
            next_due=self._schedule.opens(min(map(self._due_at, left))) if left else None,
        )

    def _due_at(self, work: Work) -> float:
        """When the next of a group may be sent to (UTC seconds)."""
        shared = self._campaign.shared
        backoff = shared.backoffs.get(work.provider)
        return max(work.due_at, time.time() + backoff.until - shared.now()) if backoff else work.due_at

    def _exit_code(self, states: dict[str, int]) -> ExitCode:
        if self._signals:
            return ExitCode.INTERRUPTED
        if any(states.get(state) for state in UNFINISHED):
            return ExitCode.REMAINING
        if states.get(State.FAILED) or states.get(State.UNCERTAIN):
            return ExitCode.INCOMPLETE
        return ExitCode.DONE

    def _expected_progress(self) -> Progress:
        now = time.time()
        progress = Progress(started_at=now, expected_end=now)
        for work in self._work:
            if work.provider not in self._to_group:
                lane = LaneProgress(work.provider, work.count, self._settings.providers.get(work.provider).pace.text)
                progress.lanes.append(lane)
                self._expect(lane, progress)
        if self._to_group:
            count = sum(work.count for work in self._to_group.values())
            progress.lanes.append(LaneProgress(TO_BE_GROUPED, count, ""))
        return progress

    def _expect(self, lane: LaneProgress, progress: Progress) -> None:
        """How long the lane's limit makes the run."""
        budget = self._campaign.shared.today(self._settings.providers.get(lane.provider).budget)
        charges = self._campaign.shared.charges(budget)
        left, now = lane.total - lane.settled, self._campaign.shared.now()
        seconds = expected_duration(budget.pace, charges, left, now)
        if backoff := self._campaign.shared.backoffs.get(lane.provider):
            seconds = max(seconds, backoff.seconds(left, now))
        progress.expected_end = max(progress.expected_end, time.time() + seconds)

    def _domains_to_group(self) -> dict[str, Work]:
        """What is left of single domains, if their MX hosts are to be asked for and it comes due in this run."""
        if not asks_dns(self._settings):
            return {}
        until, providers = time.time() + self._settings.patience, self._settings.providers
        return {
            work.provider: work for work in self._work if work.due_at <= until and providers.to_be_found(work.provider)
        }

    # ---- while it sends ----

    async def _send(self) -> None:
        committer = Committer(self._campaign.ledger, self._halt)
        budgets = Budgets(self._campaign.shared, self._halt)
        workers = self._settings.workers
        signed = self._prepared.composer.signer is not None
        suppressions = Suppressions(self._campaign.shared, tell=self._tell, failed=self._halt)
        composers = Composers(
            self._prepared.composer,
            self._campaign.ledger,
            workers=workers_for(self.progress.total, signed=signed) if workers is None else workers,
            clock=time.time,
            failed=self._halt,
            most_in_hand=MOST_IN_HAND,
        )
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(partial(self._raised, committer))
        self._sending = asyncio.current_task()
        deadline = self._stop_after(self._settings.max_runtime)
        try:
            if self._prepared.sandbox is None:
                await self._until_open()
                if ends := self._schedule.ends(time.time()):
                    self._stop_at(*ends)
            async with relays_of(self._prepared) as relays:
                most = sessions_allowed(self._settings.max_connections)
                routes = routes_of(self._settings, relays, self._passwords, self._campaign.shared, max_sessions=most)
                rooms = self._rooms(committer, budgets, composers, routes, suppressions)
                async with asyncio.TaskGroup() as group:
                    self._start_lanes(group, rooms)
                await routes.close_idle()
        finally:
            self._loop = None
            committer.close()
            budgets.flush()
            suppressions.flush()
            composers.close()
            for timer in (deadline, self._closing):
                if timer:
                    timer.cancel()

    def _rooms(
        self,
        committer: Committer,
        budgets: Budgets,
        composers: Composers,
        routes: Routes | Exchanges,
        suppressions: Suppressions,
    ) -> Rooms:
        sandbox = self._prepared.sandbox is not None
        return Rooms(
            ledger=self._campaign.ledger,
            committer=committer,
            budgets=budgets,
            routes=routes,
            composers=composers,
            envelope_sender=self._prepared.envelope_sender,
            retry=SANDBOX_RETRY if sandbox else self._settings.retry,
            patience=self._settings.patience,
            allotment=Allotment(self._settings.limit),
            replies=replies_of(self._settings),
            shaping=shaping_of(self._settings),
            shared=self._campaign.shared,
            suppressions=suppressions,
            opens_for=self._schedule.opens_for if self._schedule.by_contact and not sandbox else None,
            halt=self._halt,
        )

    def _start_lanes(self, tasks: asyncio.TaskGroup, rooms: Rooms) -> None:
        """A lane for each group; those of domains that are still to be grouped as soon as they are."""
        progress = {lane.provider: lane for lane in self.progress.lanes}

        def joined(group: str, count: int) -> None:
            if group not in progress:
                progress[group] = LaneProgress(group, 0, self._settings.providers.get(group).pace.text)
                self.progress.lanes.append(progress[group])
            lane = progress[group]
            lane.total += count
            self._expect(lane, self.progress)
            start(lane)

        def start(lane: LaneProgress) -> None:
            if lane.provider in self._draining:
                self._joined.add(lane.provider)
            else:
                self._draining.add(lane.provider)
                tasks.create_task(self._drain(lane, rooms))

        for work in self._work:
            if work.provider not in self._to_group:
                start(progress[work.provider])
        if self._to_group:
            self._grouping = tasks.create_task(self._group(rooms, progress[TO_BE_GROUPED], joined))

    async def _drain(self, progress: LaneProgress, rooms: Rooms) -> None:
        """Drain a group's lane; then again, if others have joined the group, for a lane at work may pass them over."""
        group = progress.provider
        while not self._ending:
            self._joined.discard(group)
            # What the lane before has settled must not look to this one as if it had not.
            rooms.committer.commit()
            progress.finished = False
            provider = self._settings.providers.get(group)
            if self._prepared.sandbox:
                provider = replace(provider, retry=None, connection_rate=UNLIMITED)
            self._lanes[group] = Lane(provider, rooms, progress)
            await self._lanes[group].drain()
            if group not in self._joined:
                break
        self._lanes.pop(group, None)
        self._draining.discard(group)

    async def _group(self, rooms: Rooms, progress: LaneProgress, joined: Joined) -> None:
        grouping = Grouping(self._settings, self._campaign, rooms.retry, progress, joined=joined, tell=self._tell)
        try:
            await grouping.group(list(self._to_group.values()))
        except CampaignError as error:
            self._halt(error)
        finally:
            progress.finished = True

    @property
    def _ending(self) -> bool:
        return bool(self._stopped or self._error)

    # ---- when it may be sent ----

    def _may_send(self) -> bool:
        """Whether sending can begin within the run's patience. When it may not begin now, it is said."""
        if self._prepared.sandbox:
            return True
        now = time.time()
        opens, ends = self._schedule.opens(now), self._schedule.ends(now)
        when = f"its window opens at {datetime.fromtimestamp(opens).astimezone().isoformat(timespec='minutes')}"
        if ends and ends[0] <= now:
            self._stop(ends[1])
        elif opens - now > self._settings.patience:
            self._stop(when)
        elif opens > now:
            self._tell(f"waiting: {when}")
        return not self._stopped

    async def _until_open(self) -> None:
        """Wait for the window. The clock on the wall decides: it may be set, and goes on while the machine sleeps."""
        while (wait := self._schedule.opens(time.time()) - time.time()) > 0 and not self._ending:
            for lane in self.progress.lanes:
                lane.waiting_until, lane.waiting_for = time.time() + wait, "its window"
            await asyncio.sleep(min(wait, LOOKS_AGAIN))

    def _stop_at(self, moment: float, why: str) -> None:
        """Stop at that moment (UTC seconds)."""
        wait = moment - time.time()
        if wait <= 0:
            self._stop(why)
        else:
            loop = asyncio.get_running_loop()
            self._closing = loop.call_later(min(wait, LONGEST_REST), self._stop_at, moment, why)

    # ---- stopping ----

    def _stop_after(self, seconds: float | None) -> asyncio.TimerHandle | None:
        if seconds is None:
            return None
        why = f"its {format_duration(seconds)} are over"
        return asyncio.get_running_loop().call_later(seconds, self._stop, why)

    def _signalled(self, number: Signals) -> None:
        """Called between any two steps, in the midst of whatever there is: the lanes are stopped between theirs."""
        if self._loop:
            self._loop.call_soon_threadsafe(self._heard, number)
        else:
            self._heard(number)

    def _heard(self, number: Signals) -> None:
        self._signals += 1
        report = self._prepared.report
        if self._loop is None:
            self._leaving = self._signals > 1
            if not self._leaving:
                self._stopped = f"{number.name} received"
                self._answer(f"stopping: {self._stopped}; writing the report {report}; again to leave it as it was")
        elif self._signals == 1:
            self._stop(f"{number.name} received")
        elif self._signals == 2:
            self._answer(f"stopping at once: what is in flight is uncertain; writing the report {report}")
            for lane in self._lanes.values():
                lane.abandon()

    def _until_told_to_leave(self, results: Iterator[Result]) -> Iterator[Result]:
        for result in results:
            if self._leaving:
                report, name = self._prepared.report, self._prepared.name
                self._answer(f"the report {report} is left as it was: `campaign report {name}` writes it")
                raise KeyboardInterrupt
            yield result

    def _raised(self, committer: Committer, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A callback has raised what nobody expects: what it has left undone is not known, so all ends at once, and
        nothing that comes of it is written down. What is in flight is uncertain.

        What befalls a connection is told to its session, and what a task raises to who waits for it.
        """
        error = context.get("exception")
        connections = "transport" in context and isinstance(error, OSError)
        if not isinstance(error, Exception) or connections or {"future", "task"} & context.keys():
            loop.default_exception_handler(context)
        elif self._unexpected is None:
            self._unexpected = error
            committer.abandon()
            assert self._sending
            self._sending.cancel()

    def _halt(self, error: CampaignError) -> None:
        """A lane met an error that stops the run."""
        if self._error is None:
            self._error = error
            self._stop("")

    def _stop(self, why: str) -> None:
        """Start nothing new; wait for what has been handed over."""
        if not self._stopped:
            self._stopped = why
        for lane in self._lanes.values():
            lane.stop()
        if self._grouping:
            self._grouping.cancel()
        awaiting = sum(lane.awaiting for lane in self._lanes.values())
        if why:
            replies = "1 reply" if awaiting == 1 else f"{awaiting} replies"
            what = f"waiting for {replies}, then " if awaiting else ""
            at_once = "; again to stop at once" if awaiting else ""
            say = self._answer if self._signals else self._tell
            say(f"stopping: {why}; {what}writing the report {self._prepared.report}{at_once}")
            self.progress.stopping = why


def routes_of(
    settings: Settings, relays: tuple[Relay, ...], passwords: Passwords, shared: SharedState, *, max_sessions: int
) -> Routes | Exchanges:
    """The ways to hand mail over: by `relays`, which the sandbox is one of; or without any."""
    if settings.direct and not relays:
        return direct_routes(settings, settings.direct, shared, max_sessions=max_sessions)
    return Routes(relays, passwords, max_sessions=max_sessions, budgets=settings.relay_budgets)


@asynccontextmanager
async def relays_of(prepared: Prepared) -> AsyncIterator[tuple[Relay, ...]]:
    """The relays of the campaign; for the sandbox its own server, while the block runs."""
    if prepared.sandbox is None:
        yield prepared.relays
        return
    from campaign_cli.transport.sandbox import Sandbox

    async with Sandbox(prepared.sandbox) as sandbox:
        yield (Relay(sandbox.host, sandbox.port, Tls.OFF),)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop's event loop where there is one: it halves what a message costs."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
