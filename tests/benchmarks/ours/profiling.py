"""Where a message's time goes: one `campaign send` in this process under cProfile, its time by our modules.

`python profiling.py` and the command line after `campaign send`; in the folder of its campaign.yaml. Only the process
that sends is under the profile, which makes it slower, and small functions more so. Composing is timed by itself.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import sys
import time
from collections import Counter
from datetime import datetime
from itertools import islice
from pathlib import Path

from campaign_cli.cli.main import run
from campaign_cli.config.load import load_settings
from campaign_cli.engine.preparation import prepare
from campaign_cli.model.contact import Contact

Function = tuple[str, int, str]

SHOWN = 24
"""Modules that are listed."""

NATIVE = "~"
"""What pstats calls the file of a function written in C."""


def home(function: Function) -> str:
    """Our module, or the library, in which a function is; "" for one in C that does not say."""
    file, _, name = function
    if file == NATIVE:
        return "apsw (SQLite, and the disk)" if "apsw" in name else ""
    if "/campaign_cli/" in file:
        return f"campaign_cli/{file.rpartition('/campaign_cli/')[2]}"
    if "/site-packages/" in file:
        return file.rpartition("/site-packages/")[2].partition("/")[0]
    folder = Path(file).parent.name
    if folder == "asyncio":
        return "asyncio, with uvloop in it, and waiting"
    return f"Python's {Path(file).stem if folder.startswith('python') else folder or file}"


def by_module(profile: cProfile.Profile) -> Counter[str]:
    """Seconds in each module; those of nameless functions in C are their callers'."""
    seconds: Counter[str] = Counter()
    for function, (_, _, own, _, callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        if place := home(function):
            seconds[place] += own
            continue
        for caller, (_, _, share, _) in callers.items():
            seconds[home(caller) or "Python itself"] += share
    return seconds


def composing(contacts: str) -> list[float]:
    """Microseconds that composing took, for each contact of the list: what a worker does."""
    prepared = prepare(load_settings(None, {}), contacts, now=datetime.now().astimezone())
    rows = [row for row in prepared.contacts if isinstance(row, Contact)]
    now, taken = time.time(), []
    for row in rows:
        before, fields = time.perf_counter(), json.loads(row.fields)
        prepared.composer.compose(row.address, fields, message_id=f"<{row.line}@benchmark.test>", date=now)
        taken.append((time.perf_counter() - before) * 1e6)
    return taken


def main(arguments: list[str]) -> None:
    """Send, and print the table."""
    profile = cProfile.Profile()
    started, used = time.monotonic(), time.process_time()
    code = profile.runcall(run, ["send", *arguments])
    wall, busy = time.monotonic() - started, time.process_time() - used
    if code:
        sys.exit(f"it ended with {code}")
    composed = sorted(composing(arguments[0]))
    count = len(composed)
    print(f"{count:,} messages under the profile, from the list to the report: {wall / count * 1e6:.0f} us each,")
    print(f"{busy / count * 1e6:.0f} us of them on the processor of the process that sends. Each, by module:\n")
    for place, seconds in islice(by_module(profile).most_common(), SHOWN):
        print(f"{seconds / count * 1e6:8.1f} us  {place}")
    mean = sum(composed) / count
    print(f"\nComposing, without the profile: {mean:.1f} us each, half of them at most {composed[count // 2]:.1f} us,")
    print("in the workers, and so beside the above where there is a core for it.")


if __name__ == "__main__":
    main(sys.argv[1:])
