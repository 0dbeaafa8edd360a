"""The machine that the figures are of."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

from figures import BenchmarkError
from processes import PYTHON, run


def describe() -> dict[str, str]:
    """Its cores, kernel and Python."""
    try:
        cpu = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
    except OSError:
        cpu = None
    try:
        asked = "import platform as p, sys; print(p.python_implementation(), p.python_version(), sys.base_prefix)"
        python = run([PYTHON, "-c", asked])
        said = python.out.strip()
    except BenchmarkError as error:
        said = str(error)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "cpu": cpu[1] if cpu else platform.machine(),
        "memory": f"{memory / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": said,
    }
