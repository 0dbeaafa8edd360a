"""The run: one process working on an open campaign until nothing is left to do, or until it is stopped."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from datetime import datetime

from campaign_cli.config.replies import replies_of
from campaign_cli.config.settings import Settings
from campaign_cli.config.shaping import shaping_of
from campaign_cli.engine.budgets import Budgets
from campaign_cli.engine.campaign import OpenCampaign
from campaign_cli.engine.composers import MOST_IN_HAND, Composers, workers_for
from campaign_cli.engine.exchanges import Exchanges
from campaign_cli.engine.lanes import Lanes
from campaign_cli.engine.open_files import sessions_allowed
from campaign_cli.engine.passwords import Passwords
from campaign_cli.engine.preparation import Prepared
from campaign_cli.engine.progress import Progress
from campaign_cli.engine.rooms import Allotment, Rooms
from campaign_cli.engine.routes import Routes
from campaign_cli.engine.routing import relays_of, routes_of
from campaign_cli.engine.schedule import Schedule
from campaign_cli.engine.signals import heard_by
from campaign_cli.engine.stop import Stop
from campaign_cli.engine.summary import Summary, exit_code
from campaign_cli.engine.suppressions import Suppressions
from campaign_cli.ledger.committer import Committer
from campaign_cli.ledger.view import Work
from campaign_cli.model.errors import CampaignError, StateError
from campaign_cli.model.shortage import NO_THREAD
from campaign_cli.policy.retry import RetrySchedule
from campaign_cli.report.csv import write_report

GARBAGE_AFTER = 50_000
"""Objects made and not yet let go before cycles are looked for among them: a megabyte or two. Python's own 700 makes it
look thousands of times a second."""

LOOKS_AGAIN = 0.5
"""Seconds after which a run that waits for its window sees whether it is to stop."""

SANDBOX_RETRY = RetrySchedule(base=1.0, factor=2.0, longest=4.0, lifetime=12.0)
"""Seconds: in the sandbox nobody wants to wait, and the server there takes no offence."""


class Run:
    """Drains every lane of an open campaign and writes the report.

    `progress` may be read at any time; `tell` is given the few lines that a person should see, `answer`
    those that say what a signal has led to. Raises ConfigError where no relay serves a provider.
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
        self._passwords = Passwords(settings)
        self._schedule = Schedule(settings)
        now = time.time()
        self.progress = Progress(started_at=now)
        self._lanes = Lanes(settings, prepared, campaign, self.progress, tell=tell)
        self._stop = Stop(prepared, self._lanes, self.progress, tell=tell, answer=answer)

    def execute(self) -> Summary:
        """Send until nothing is left to do, write the report, and only then raise what stopped the run, if anything.

        SIGINT, SIGTERM or SIGHUP stops it (`Stop`): KeyboardInterrupt where the report is left as it was.
        """
        with heard_by(self._stop.by_signal):
            return self._execute()

    def _execute(self) -> Summary:
        started = time.monotonic()
        if self.progress.lanes and self._may_send():
            # What is there now stays, and what a message leaves behind has no cycles: to look seldom is enough.
            gc.freeze()
            gc.set_threshold(GARBAGE_AFTER)
            try:
                with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                    runner.run(self._send())
            except asyncio.CancelledError:
                if not self._stop.unexpected:
                    raise
            except RuntimeError as error:
                # Where there was no thread, asyncio wants one more to end with.
                if not (NO_THREAD in str(error) and self._stop.error):
                    raise
        self._report()
        if stopped_by := self._stop.unexpected or self._stop.error:
            self._tell(f"report: {self._prepared.report}")
            raise stopped_by
        return self._summary(started)

    def _report(self) -> None:
        ledger, stop = self._campaign.ledger, self._stop
        try:
            ledger.recover()
        except CampaignError as error:
            stop.error = stop.error or error
        try:
            write_report(self._prepared.report, stop.until_told_to_leave(ledger.results()))
        except StateError as error:
            raise StateError(f"{stop.error}\n{error}" if stop.error else str(error)) from error

    def _summary(self, started: float) -> Summary:
        states, left = self._campaign.ledger.states(), self._campaign.ledger.work()
        return Summary(
            name=self._prepared.name,
            exit_code=exit_code(states, interrupted=self._stop.interrupted),
            states=states,
            attempts=sum(lane.attempts for lane in self.progress.lanes),
            seconds=time.monotonic() - started,
            report=str(self._prepared.report),
            stopped=self._stop.why,
            next_due=self._schedule.opens(min(map(self._due_at, left))) if left else None,
        )

    def _due_at(self, work: Work) -> float:
        """When the next of a group may be sent to (UTC seconds)."""
        shared = self._campaign.shared
        backoff = shared.backoffs.get(work.provider)
        return max(work.due_at, time.time() + backoff.until - shared.now()) if backoff else work.due_at

    def _may_send(self) -> bool:
        """Whether sending can begin within the run's patience. When it may not begin now, it is said."""
        if self._prepared.sandbox:
            return True
        now = time.time()
        opens, ends = self._schedule.opens(now), self._schedule.ends(now)
        when = f"its window opens at {datetime.fromtimestamp(opens).astimezone().isoformat(timespec='minutes')}"
        if ends and ends[0] <= now:
            self._stop.now(ends[1])
        elif opens - now > self._settings.patience:
            self._stop.now(when)
        elif opens > now:
            self._tell(f"waiting: {when}")
        return not self._stop.why

    # ---- in the event loop ----

    async def _send(self) -> None:
        committer = Committer(self._campaign.ledger, self._stop.for_error)
        budgets = Budgets(self._campaign.shared, self._stop.for_error)
        workers = self._settings.workers
        signed = self._prepared.composer.signer is not None
        suppressions = Suppressions(self._campaign.shared, tell=self._tell, failed=self._stop.for_error)
        composers = Composers(
            self._prepared.composer,
            self._campaign.ledger,
            workers=workers_for(self.progress.total, signed=signed) if workers is None else workers,
            clock=time.time,
            failed=self._stop.for_error,
            most_in_hand=MOST_IN_HAND,
        )
        try:
            with self._stop.while_sending(committer):
                await self._when_it_may()
                async with relays_of(self._prepared) as relays:
                    most = sessions_allowed(self._settings.max_connections)
                    shared = self._campaign.shared
                    routes = routes_of(self._settings, relays, self._passwords, shared, max_sessions=most)
                    await self._lanes.drain(self._rooms(committer, budgets, composers, routes, suppressions))
                    await routes.close_idle()
        finally:
            committer.close()
            budgets.flush()
            suppressions.flush()
            composers.close()

    async def _when_it_may(self) -> None:
        """Wait until it may be sent, and see to it that this ends when it may not any more."""
        if self._settings.max_runtime is not None:
            self._stop.after(self._settings.max_runtime)
        if self._prepared.sandbox is None:
            await self._until_open()
            if ends := self._schedule.ends(time.time()):
                self._stop.at(*ends)

    async def _until_open(self) -> None:
        """Wait for the window. The clock on the wall decides: it may be set, and goes on while the machine sleeps."""
        while (wait := self._schedule.opens(time.time()) - time.time()) > 0 and not self._stop.decided:
            for lane in self.progress.lanes:
                lane.waiting_until, lane.waiting_for = time.time() + wait, "its window"
            await asyncio.sleep(min(wait, LOOKS_AGAIN))

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
            allotment=Allotment() if self._settings.limit is None else Allotment(self._settings.limit),
            replies=replies_of(self._settings),
            shaping=shaping_of(self._settings),
            shared=self._campaign.shared,
            suppressions=suppressions,
            opens_for=self._schedule.opens_for if self._schedule.by_contact and not sandbox else None,
            halt=self._stop.for_error,
        )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """uvloop's event loop where there is one: it halves what a message costs."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
