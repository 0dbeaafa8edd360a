"""How many files a run may have open: the limit is raised where it may be, and kept where it may not.

A process that meets it somewhere is refused a session here, a worker there, and the report in the end. So what it
allows is known before anything is opened, and a run has fewer sessions instead.
"""

from __future__ import annotations

from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit, setrlimit

from campaign_cli.model.errors import ResourceError

BESIDE_SESSIONS = 64
"""Files that a run has open besides its sessions: databases, workers, the event loop, lists, logs, reports. Some 30."""

EACH_SESSION = 2
"""Files that a session may need: its own, and another while its host is looked up; in the sandbox, its other end."""


def sessions_allowed(wanted: int) -> int:
    """How many of `wanted` sessions may be open at once, at least one. Raises ResourceError when not even a run may."""
    needed = BESIDE_SESSIONS + EACH_SESSION * wanted
    soft, hard = getrlimit(RLIMIT_NOFILE)
    if soft == RLIM_INFINITY:
        return wanted
    if soft < needed:
        soft = needed if hard == RLIM_INFINITY else max(soft, min(needed, hard))
        setrlimit(RLIMIT_NOFILE, (soft, hard))
    most = (soft - BESIDE_SESSIONS) // EACH_SESSION
    if most < 1:
        raise ResourceError(
            f"only {soft} files may be open at once, and sending needs {BESIDE_SESSIONS + EACH_SESSION}: "
            "raise the limit (ulimit -n, LimitNOFILE= of systemd)"
        )
    return min(wanted, most)
