"""Enrolling a list on a fresh state, without the rest of a run.

`python enrolment.py LIST STATE_FOLDER` prints as JSON how many recipients are enrolled, and in how many seconds.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from campaign_cli.audience.lists import open_list
from campaign_cli.config.providers import shipped_providers
from campaign_cli.ledger.folder import StateFolder
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.shared import SharedState
from campaign_cli.policy.providers import Providers

NAME = "enrolment"


def main(source: str, state: str) -> None:
    """Read the list and enrol it, durably."""
    folder = StateFolder(Path(state))
    folder.create(NAME)
    shared = SharedState.open(folder.shared)
    ledger = Ledger.open(folder.ledger(NAME), name=NAME, shared=shared, now=time.time())
    providers = Providers.of(shipped_providers().values())
    started = time.monotonic()
    ledger.enrol(open_list(source), providers, source=source, template="none")
    seconds = time.monotonic() - started
    enrolled = sum(work.count for work in ledger.work())
    ledger.close()
    shared.close()
    print(json.dumps({"enrolled": enrolled, "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
