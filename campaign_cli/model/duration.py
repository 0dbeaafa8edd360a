"""Lengths of time as people write them: `90s`, `55m`, `2h`, `4d`."""

from __future__ import annotations

import re

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}

_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|min|s|m|h|d|w)", re.IGNORECASE)


def parse_duration(text: str) -> float:
    """Seconds in a text such as `55m`, `1h30m` or `10 s`.

    Raises ValueError, with a text fit for the user, for anything else.
    """
    compact = text.strip()
    parts = _PART.findall(compact)
    if not parts or _PART.sub("", compact).strip():
        raise ValueError(f"{text!r} is not a length of time: write it as 90s, 55m, 2h or 4d")
    return sum(float(number) * SECONDS[unit.lower()] for number, unit in parts)


def format_duration(seconds: float) -> str:
    """The same the other way, in at most two units: `45 s`, `12 min`, `3 h 05 min`, `2 d 4 h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"
