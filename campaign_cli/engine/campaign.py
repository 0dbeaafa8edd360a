"""A campaign, open: its lock, its ledger, and what it shares with others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from campaign_cli.config.settings import Settings
from campaign_cli.engine.enrolment import enrol
from campaign_cli.engine.preparation import Prepared
from campaign_cli.ledger.folder import StateFolder
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.lock import CampaignLock
from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.errors import UsageError
from campaign_cli.model.lifecycle import UNFINISHED

LONGEST_SHOWN = 100
"""Characters of a name that an error repeats: no campaign's is longer."""


@dataclass(frozen=True, slots=True)
class OpenCampaign:
    """What a run works on. Held by this process alone until it is closed."""

    shared: SharedState
    ledger: Ledger


@contextmanager
def open_campaign(settings: Settings, prepared: Prepared, tell: Callable[[str], None]) -> Iterator[OpenCampaign]:
    """Take the lock, bring what a dead run left to a true state, and enrol the list.

    Raises HeldError when another process holds the campaign, StateError when its state cannot be used, ListError
    when the list turns out to be unreadable half-way: then nothing of it is enrolled.
    """
    folder, name = prepared.folder, prepared.name
    folder.create(name)
    lock = CampaignLock(folder.campaign(name), name)
    try:
        if prepared.sandbox:
            _start_afresh(prepared.sandbox, folder, name)
        shared = SharedState.open(folder.shared)
        try:
            shared.forget_old_charges()
            ledger = Ledger.open(folder.ledger(name), name=name, shared=shared, now=time.time())
            try:
                _bring_up_to_date(ledger, settings, prepared, tell)
                yield OpenCampaign(shared, ledger)
            finally:
                ledger.close()
        finally:
            shared.close()
    finally:
        lock.release()


def _bring_up_to_date(ledger: Ledger, settings: Settings, prepared: Prepared, tell: Callable[[str], None]) -> None:
    if uncertain := ledger.recover():
        tell(
            f"the last run of {prepared.name!r} died with {uncertain} messages in flight: these are "
            "uncertain and not sent again without --resend-uncertain"
        )
    enrol(ledger, settings, prepared)
    if settings.resend_uncertain:
        tell(f"{ledger.resend_uncertain()} uncertain recipients are sent to again, as asked")
    if withdrawn := ledger.withdrawn():
        tell(f"{withdrawn} recipients of an earlier list are not in this one: they are not sent to")


def _start_afresh(sandbox: Path, folder: StateFolder, name: str) -> None:
    """A sandbox campaign that came to its end has been looked at: sending again starts a new one.

    An interrupted one is resumed, as a real one would be. Only files the sandbox itself makes are removed.
    """
    ledger = folder.ledger(name)
    if not ledger.exists():
        return
    finished = Ledger.read(ledger)
    try:
        states = finished.states()
    finally:
        finished.close()
    if any(states.get(state) for state in UNFINISHED):
        return
    for path in (*sandbox.glob("*.eml"), *folder.root.glob("shared.db*"), *ledger.parent.glob("ledger.db*")):
        path.unlink()


def read_ledger(folder: StateFolder, name: str) -> Ledger:
    """The ledger of the campaign `name`, for reading, also while it runs. Raises UsageError when there is none."""
    names = folder.names()
    if name not in names:
        there = f"there are: {', '.join(names[:10])}" if names else f"there is none in {folder.root}"
        raise UsageError(f"no campaign is named {name[:LONGEST_SHOWN]!r}; {there}")
    return Ledger.read(folder.ledger(name))


def read_shared(folder: StateFolder) -> SharedState | None:
    """What campaigns share, for reading; None when nothing was ever shared here."""
    return SharedState.read(folder.shared) if folder.shared.exists() else None


def write_shared(folder: StateFolder) -> SharedState:
    """What campaigns share, for writing."""
    folder.create()
    return SharedState.open(folder.shared)
