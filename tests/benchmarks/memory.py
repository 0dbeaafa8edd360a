"""The memory of a process and of all that descend from it, sampled."""

from __future__ import annotations

import threading
from collections import defaultdict
from pathlib import Path
from typing import Self

EVERY = 0.05
"""Seconds from one sample to the next."""

MB = 1e6


class Peak:
    """The largest sum of a process tree's memory, in bytes, while it is entered.

    PSS where the kernel tells it: what processes share is counted once. RSS otherwise.
    """

    def __init__(self, pid: int) -> None:
        self.octets = 0
        self.kind = "PSS" if Path("/proc/self/smaps_rollup").exists() else "RSS"
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(EVERY):
            self.octets = max(self.octets, sum(self._memory(pid) for pid in family(self._pid)))

    def _memory(self, pid: int) -> int:
        file, field = ("smaps_rollup", "Pss:") if self.kind == "PSS" else ("status", "VmRSS:")
        try:
            for line in Path(f"/proc/{pid}/{file}").read_text("ascii").splitlines():
                if line.startswith(field):
                    return int(line.split()[1]) * 1024
        except (OSError, UnicodeDecodeError):
            # It has just ended.
            pass
        return 0


def family(pid: int) -> list[int]:
    """`pid` and all that descend from it."""
    children = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text("utf-8", errors="replace").rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            children[parent].append(int(entry.name))
    found = [pid]
    for each in found:
        found += children[each]
    return found
