"""A campaign, open: its lock, its ledger, and what it shares with others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from campaign_cli.config.settings import Settings
from campaign_cli.engine.enrolment import enrol
from campaign_cli.engine.open_files import sessions_allowed
from campaign_cli.engine.preparation import Prepared
from campaign_cli.engine.revision import use_revision
from campaign_cli.ledger.folder import StateFolder
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.lock import CampaignLock
from campaign_cli.ledger.shared import SharedState
from campaign_cli.ledger.view import LedgerView
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
    """Take the lock, make the ledger this process's, bring what a dead run left to a true state, and enrol the list.

    Raises HeldError when another process holds the campaign, StateError when its state cannot be used or is not the
    one last sent from, ResourceError when too few files may be open, ListError when the list turns out to be unreadable
    half-way: then nothing of it is enrolled.
    """
    sessions_allowed(settings.max_connections)
    folder, name = prepared.folder, prepared.name
    folder.create(name)
    with _locked(folder, name):
        if prepared.sandbox:
            _start_afresh(prepared.sandbox, folder, name)
        with _opened(folder, name) as campaign:
            campaign.shared.forget_old_charges()
            # What a sandbox forgets costs nobody a second message.
            strange = campaign.ledger.own(campaign.shared, name, adopt=settings.adopt or prepared.sandbox is not None)
            if strange and not prepared.sandbox:
                tell(f"the ledger {strange}; it is taken as it is, as asked")
            _bring_up_to_date(campaign, settings, prepared, tell)
            yield campaign


@contextmanager
def _locked(folder: StateFolder, name: str) -> Iterator[None]:
    lock = CampaignLock(folder.campaign(name), name)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _opened(folder: StateFolder, name: str) -> Iterator[OpenCampaign]:
    """What is on disk, for writing. The campaign's lock is held."""
    shared = SharedState.open(folder.shared)
    try:
        ledger = Ledger.open(folder.ledger(name), name=name, shared=shared, now=time.time())
        try:
            yield OpenCampaign(shared, ledger)
        finally:
            ledger.close()
    finally:
        shared.close()


def start_sending(campaign: OpenCampaign, settings: Settings, prepared: Prepared, tell: Callable[[str], None]) -> None:
    """Last of all, when nobody has anything against it: what the ledger says of everybody who is sent to from here on.

    A campaign that has nobody left stays one of what it was sent with.
    """
    ledger = campaign.ledger
    if settings.resend_uncertain:
        tell(f"{ledger.resend_uncertain()} uncertain recipients are sent to again, as asked")
    if ledger.has_work():
        use_revision(ledger, prepared)


def _bring_up_to_date(
    campaign: OpenCampaign, settings: Settings, prepared: Prepared, tell: Callable[[str], None]
) -> None:
    ledger = campaign.ledger
    if uncertain := ledger.recover():
        tell(
            f"the last run of {prepared.name!r} died with {uncertain} messages in flight: these are "
            "uncertain and not sent again without --resend-uncertain"
        )
    enrol(ledger, campaign.shared, settings, prepared)
    if withdrawn := ledger.withdrawn():
        tell(f"{withdrawn} recipients of an earlier list are not in this one: they are not sent to")


def _start_afresh(sandbox: Path, folder: StateFolder, name: str) -> None:
    """A sandbox campaign that came to its end has been looked at: sending again starts a new one.

    An interrupted one is resumed, as a real one would be. Only files the sandbox itself makes are removed.
    """
    ledger = folder.ledger(name)
    if not ledger.exists():
        return
    finished = LedgerView.read(ledger)
    try:
        states = finished.states()
    finally:
        finished.close()
    if any(states.get(state) for state in UNFINISHED):
        return
    for path in (*sandbox.glob("*.eml"), *folder.root.glob("shared.db*"), *ledger.parent.glob("ledger.db*")):
        path.unlink()


def read_ledger(folder: StateFolder, name: str) -> LedgerView:
    """The ledger of the campaign `name`, for reading, also while it runs. Raises UsageError when there is none."""
    _check_name(folder, name)
    return LedgerView.read(folder.ledger(name))


def _check_name(folder: StateFolder, name: str) -> None:
    names = folder.names()
    if name not in names:
        there = f"there are: {', '.join(names[:10])}" if names else f"there is none in {folder.root}"
        raise UsageError(f"no campaign is named {name[:LONGEST_SHOWN]!r}; {there}")


@contextmanager
def hold_campaign(folder: StateFolder, name: str) -> Iterator[Ledger]:
    """The ledger of the campaign `name`, for writing, what a dead run left in it brought to a true state.

    Raises UsageError when there is none, HeldError when another process holds it.
    """
    _check_name(folder, name)
    with _locked(folder, name), _opened(folder, name) as campaign:
        campaign.ledger.recover()
        yield campaign.ledger


def read_shared(folder: StateFolder) -> SharedState | None:
    """What campaigns share, for reading; None when nothing was ever shared here."""
    return SharedState.read(folder.shared) if folder.shared.exists() else None


def write_shared(folder: StateFolder) -> SharedState:
    """What campaigns share, for writing."""
    folder.create()
    return SharedState.open(folder.shared)
