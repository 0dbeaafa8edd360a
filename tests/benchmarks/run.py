#!/usr/bin/env python3
"""Measure campaign against its peers, in turns and on this machine's loopback, and print a table.

    python tests/benchmarks/run.py [--quick] [--only NAME ...] [--json FILE] [--rounds N] [--profile]

It unpacks and installs the peers by itself, into a cache folder; docs/benchmarks.md says what each row means. It ends
with 1 when a figure is missing because something failed, and with 0 otherwise, whether or not the aims are met.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import machine
import table
from distance import chunking, distance
from figures import BenchmarkError, Result
from processes import HERE, MEASURED_ON, PYTHON, run
from pythons import measure_on, system_python
from scale import dry_run, enrol, size
from sending import Order, Sending
from signing import signing
from throughput import send, transactions
from workshop import Workshop, checked

BENCHMARKS: dict[str, Callable[[Workshop], Result]] = {
    "transactions": transactions,
    "send": send,
    "signing": signing,
    "distance": distance,
    "chunking": chunking,
    "size": size,
    "dry-run": dry_run,
    "enrol": enrol,
}

PROFILED = 20_000
"""Messages."""


def main() -> int:
    """Run what the command line asks for."""
    options = _options()
    for number in (signal.SIGTERM, signal.SIGHUP):
        # What was started is ended, and the work folder goes, as with Ctrl-C.
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    cache: Path = options.cache
    cache.mkdir(parents=True, exist_ok=True)
    if MEASURED_ON not in os.environ and (python := options.python or system_python(cache)):
        measure_on(python)
    rounds = options.rounds or (1 if options.quick else 3)
    # Not in /tmp, which may be memory: the ledgers are to be on a disk.
    with tempfile.TemporaryDirectory(prefix="work-", dir=cache) as work:
        shop = Workshop(cache, Path(work), quick=options.quick, rounds=rounds, tell=_tell)
        if options.profile:
            print(_profile(shop))
            return 0
        described = machine.describe()
        results: dict[str, Result] = {}
        started = time.monotonic()
        for name in options.only or BENCHMARKS:
            _tell(f"{name} ({time.monotonic() - started:.0f} s)")
            results[name] = BENCHMARKS[name](shop)
    print(table.shown(results.values()))
    print("\n" + ", ".join(f"{key} {value}" for key, value in described.items()))
    for name, version in shop.versions.items():
        print(name, version)
    print(f"{rounds} rounds{', --quick' if options.quick else ''}, {time.monotonic() - started:.0f} s")
    if options.json:
        settings = {"quick": options.quick, "rounds": rounds, "at": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        found = table.as_json(results, described, shop.versions, settings)
        options.json.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return int(any(row.failed for result in results.values() for row in result.rows))


def _options() -> argparse.Namespace:
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, one round: does it work at all?")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=BENCHMARKS, help=", ".join(BENCHMARKS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round there")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often everything is measured; 3, quick 1")
    parser.add_argument(
        "--python", type=Path, metavar="PYTHON", help="measure on this one, which has campaign; Debian's, else .venv's"
    )
    parser.add_argument("--profile", action="store_true", help="show where a message's time goes, and nothing else")
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", default=caches / "campaign-benchmarks", help="where downloads are kept"
    )
    return parser.parse_args()


def _profile(shop: Workshop) -> str:
    with shop.smtp_sink() as sink:
        order = Order(shop.contacts(PROFILED), shop.template, sink.port)
        with Sending(shop.work, order) as sending:
            said = run([PYTHON, HERE / "ours/profiling.py", *order.options()], cwd=sending.folder).out
            sending.check(PROFILED)
        checked(sink, PROFILED)
    return said


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchmarkError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
