"""The Python that campaign and aiosmtplib are measured on: Debian's, as smtp-source, smtp-sink and Node are Debian's.

A Python that was built without its optimizations, as pyenv does unless it is told otherwise, takes about a tenth
longer; distributions build theirs with them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from figures import BenchmarkError
from processes import CHECKOUT, MEASURED_ON, PYTHON, run

SYSTEM = Path("/usr/bin/python3")

OLDEST = (3, 11)


def system_python(cache: Path) -> Path | None:
    """The system's Python with this checkout installed, in an environment in `cache`; None where it has none for us."""
    new_enough = f"import sys; sys.exit(sys.version_info < {OLDEST})"
    environment = cache / "python"
    python = environment / "bin/python"
    try:
        run([SYSTEM, "-c", new_enough])
        if not python.exists():
            run([SYSTEM, "-m", "venv", "--without-pip", environment])
        run([PYTHON, "-m", "pip", "--python", python, "install", "-q", "-e", CHECKOUT])
    except BenchmarkError:
        return None
    return python


def measure_on(python: Path) -> None:
    """Begin anew, with everything measured on `python`."""
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {MEASURED_ON: str(python.absolute())})
