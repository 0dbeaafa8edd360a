"""Enrolling a list: a long one is read in another process, while this one writes it down."""

from __future__ import annotations

import marshal
import os
import pickle
import time
from collections.abc import Generator
from contextlib import closing, suppress

from campaign_cli.audience.lists import ContactList
from campaign_cli.config.settings import Settings
from campaign_cli.engine.preparation import Prepared
from campaign_cli.engine.process import program, spawned
from campaign_cli.ledger.entries import Batch, batch_of
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.errors import ListError, ResourceError
from campaign_cli.model.frames import framed, next_frame
from campaign_cli.policy.providers import Providers

LONG = 1_000_000
"""Octets of a list that takes longer to read than a process takes to start."""

READER = program("campaign_cli.engine.reader")


DNS_VARIABLE = "CAMPAIGN_DNS"
"""The environment variable that, being `off`, keeps from asking DNS where campaign.yaml says nothing about it."""


def asks_dns(settings: Settings) -> bool:
    """Whether a run with these settings asks DNS. One in the sandbox touches no network."""
    off = settings.dns.off if settings.dns else os.environ.get(DNS_VARIABLE) == "off"
    return not (off or settings.sandbox)


def known_groups(settings: Settings, shared: SharedState) -> Providers:
    """The providers, and the domains whose MX hosts are remembered in their groups. Asks nobody."""
    if not asks_dns(settings):
        return settings.providers
    found = shared.mail_hosts(time.time())
    return settings.providers.with_hosts({domain: each.hosts for domain, each in found.items() if each.hosts})


def enrol(ledger: Ledger, shared: SharedState, settings: Settings, prepared: Prepared) -> None:
    """Make the prepared list the campaign's: all of it, or nothing when it raises."""
    source, template = prepared.contacts.source, str(prepared.template.path)
    digest = prepared.contacts.digest()
    with closing(_batches(prepared.contacts, known_groups(settings, shared))) as found:
        ledger.enrol(found, source=source, template=template, digest=digest, now=time.time())


def pays(contacts: ContactList) -> bool:
    """Whether a process of its own reads this list sooner than this one would, with a core to run on."""
    return contacts.octets > LONG and len(os.sched_getaffinity(0)) > 1


def _batches(contacts: ContactList, providers: Providers) -> Generator[Batch]:
    """The rows of `contacts`. A process that reads them is gone when this is closed."""
    process = None
    if pays(contacts):
        with suppress(OSError):
            process, connection = spawned(READER)
    if process is None:
        for rows in contacts.together():
            yield batch_of(rows, providers)
        return
    try:
        with connection, connection.makefile("rb") as frames:
            connection.sendall(framed(pickle.dumps((contacts, providers))))
            while frame := next_frame(frames):
                batch: Batch | str = marshal.loads(frame)  # noqa: S302
                if not isinstance(batch, str):
                    yield batch
                elif batch:
                    raise ListError(batch)
                else:
                    return
    except OSError:
        # What is said when it ends in the middle of a frame holds for the middle of a write, too.
        pass
    finally:
        process.kill()
        process.wait()
    raise ResourceError("the process that reads the list has died; nothing of it is enrolled: is memory short?")
