"""Enrolling a list on a fresh state, as `campaign send` does it, without the rest of a run.

`python enrolment.py LIST TEMPLATE STATE_FOLDER` prints as JSON how many recipients are enrolled, and in how many
seconds: from looking at the list's header to the last row's being durable.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime

from campaign_cli.config.load import load_settings
from campaign_cli.engine.campaign import open_campaign
from campaign_cli.engine.preparation import prepare


def main(source: str, template: str, state: str) -> None:
    """Read the list and enrol it, durably."""
    settings = load_settings(None, {"template": template, "state": state, "relay": ("smtp://127.0.0.1:9",)})
    started = time.monotonic()
    prepared = prepare(settings, source, now=datetime.now().astimezone())
    with open_campaign(settings, prepared, print) as campaign:
        seconds = time.monotonic() - started
        enrolled = sum(work.count for work in campaign.ledger.work())
    print(json.dumps({"enrolled": enrolled, "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
