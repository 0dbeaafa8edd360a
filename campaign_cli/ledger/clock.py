"""The budget clock: seconds that no jump of the wall clock can turn forward or back.

Within one boot of the machine it runs with the boot clock, which counts suspended time and which nobody sets.
Across boots there is only the wall clock to ask; the time between is taken as what it says, but never as less than
nothing, nor as less than the machine has been up.
"""

from __future__ import annotations

import time
from pathlib import Path

import apsw

from campaign_cli.ledger.database import transaction

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """What names this boot of the machine; "" where the system has no such name."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def boot_seconds() -> float:
    """Seconds since boot, suspended ones included where the system counts them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class BudgetClock:
    """The one clock by which every process on this machine charges budgets."""

    def __init__(self, offset: float) -> None:
        self._offset = offset

    def now(self) -> float:
        """Seconds, never decreasing within a boot, comparable with those of other processes and earlier boots."""
        return boot_seconds() + self._offset

    @classmethod
    def open(cls, connection: apsw.Connection) -> BudgetClock:
        """The clock as `shared.db` has it. Where it stands now is written there, to go on from after a boot."""
        with transaction(connection):
            clock = cls.read(connection)
            connection.execute(
                "REPLACE INTO clock VALUES (1, ?, ?, ?, ?)", (boot_id(), clock._offset, boot_seconds(), time.time())
            )
        return clock

    @classmethod
    def read(cls, connection: apsw.Connection) -> BudgetClock:
        """The same, for a reader: nothing is written."""
        row = connection.execute("SELECT boot_id, offset, boot_at, wall_at FROM clock").fetchone()
        if row is None:
            return cls(time.time() - boot_seconds())
        seen_in, offset, boot_at, wall_at = row
        if seen_in and seen_in == boot_id():
            return cls(offset)
        up = boot_seconds()
        return cls(boot_at + offset + time_between_boots(time.time() - wall_at, up if seen_in else 0.0) - up)


def time_between_boots(wall_passed: float, up: float) -> float:
    """Seconds since another boot's reading, by the wall clock, but no less than the machine has been up."""
    return max(wall_passed, up, 0.0)
