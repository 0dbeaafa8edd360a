"""Starts `campaign` many times at once, as its users would, but with minutes made seconds.

A process of its own: it imports the command once, shortens the times that it waits for servers, and then forks for
each job it reads, a line of JSON with the job's folder and environment. When a job has ended it writes one
line: the job's number, exit code (negative: a signal), seconds, and kilobytes of memory at most.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections import deque
from contextlib import suppress
from typing import Any

from campaign_cli.cli import display, send
from campaign_cli.cli.main import main as command
from campaign_cli.engine import campaign, pool, preparation, route, routes, run
from campaign_cli.transport import connect, session

ANSWER = 1.5
"""Seconds that a server may take for any answer."""

AT_ONCE = 16
"""Jobs that run at the same time: nearly all they do is wait."""

LONGEST = 60.0
"""Seconds after which a job that has not ended is killed: nothing a server does may take a run that long here."""

IMPORTED = (display, send, campaign, preparation, run)
"""What the command imports when it needs it, which is now."""


def shorten() -> None:
    for phase in session.TIMEOUTS:
        session.TIMEOUTS[phase] = ANSWER
    session.CLOSING_TIMEOUT = session.QUIT_TIMEOUT = connect.CONNECT_TIMEOUT = ANSWER
    route.FIRST_COOLING, route.LONGEST_COOLING, route.CROWDED_WAIT = 0.1, 0.2, 0.1
    routes.LONGEST_COOLING, routes.CROWDED_WAIT = 0.2, 0.1
    routes.NEVER_WORKED = routes.HAD_WORKED = 2 * ANSWER
    pool.FIRST_BACKOFF, pool.LONGEST_BACKOFF = 0.1, 0.2


def start(job: dict[str, Any]) -> int:
    """Fork, and be the command; the child's number."""
    if child := os.fork():
        return child
    code = 1
    try:
        os.chdir(job["folder"])
        os.environ.update(job["environment"])
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        for descriptor, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT, 0o600), descriptor)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(n, "r" if n == 0 else "w") for n in range(3))
        sys.argv = ["campaign", "send", "list.csv"]
        command()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def main() -> None:
    shorten()
    jobs = deque(json.loads(line) for line in sys.stdin)
    running: dict[int, tuple[int, float]] = {}
    # Nothing but its descriptor tells that a child has ended, or that it is time to end one.
    watched: dict[int, int] = {}
    while jobs or running:
        while jobs and len(running) < AT_ONCE:
            job = jobs.popleft()
            child = start(job)
            running[child] = job["number"], time.monotonic()
            watched[os.pidfd_open(child)] = child
        oldest = min(began for _, began in running.values())
        ended, _, _ = select.select(watched, [], [], max(oldest + LONGEST - time.monotonic(), 0))
        for child in [] if ended else [child for child, (_, began) in running.items() if began <= oldest]:
            os.kill(child, signal.SIGKILL)
        for descriptor in ended:
            os.close(descriptor)
            child, status, usage = os.wait4(watched.pop(descriptor), 0)
            number, began = running.pop(child)
            code = os.waitstatus_to_exitcode(status)
            print(json.dumps([number, code, time.monotonic() - began, usage.ru_maxrss]), flush=True)


if __name__ == "__main__":
    main()
