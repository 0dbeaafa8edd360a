"""Other processes of ours, each at the other end of a socket that tells it when nobody is here any more."""

from __future__ import annotations

import socket
import subprocess
import sys


def program(module: str) -> str:
    """What such a process runs: `main` of `module`. It finds what we find, and nothing in the current folder.

    Ctrl-C goes to the whole group of processes; the one that has started it says when it ends.
    """
    return (
        "import signal, sys; "
        "[signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]; "
        f"sys.path[:] = {{path!r}}; from {module} import main; main({{descriptor}})"
    )


def spawned(text: str) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """A new process that runs the program `text`, and our end of its socket. Raises OSError."""
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-c", text.format(path=sys.path, descriptor=theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            ours.close()
            raise
    return process, ours
