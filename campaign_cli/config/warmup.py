"""How a sender warms up: `{start: 50/d, growth: 1.5, until: 20000/d}`."""

from __future__ import annotations

import re
from functools import partial

from campaign_cli.config.given import Given
from campaign_cli.config.values import each_of
from campaign_cli.policy.budgets import Warmup

GROWTH = (1.01, 10.0)
"""What `growth` may be: less is none, and more is no warming up."""


def warmup_plan(given: Given) -> Warmup:
    """Raises ValueError, EntriesError."""
    wanted = "{start: 50/d, growth: 1.5, until: 20000/d}"
    if not isinstance(given.value, dict):
        raise ValueError(f"must be keys and values: {wanted}")
    found = dict(each_of((entry, partial(_entry, key)) for key, entry in given.value.items()))
    if missing := {"start", "growth", "until"} - found.keys():
        raise ValueError(f"has no {min(missing)}: write it as {wanted}")
    if found["start"] >= found["until"]:
        raise ValueError("starts with as many as it ends with: it would never be a warm-up")
    return Warmup(int(found["start"]), found["growth"], int(found["until"]))


def _entry(key: str, given: Given) -> tuple[str, float]:
    if key == "growth":
        value = given.value
        if isinstance(value, int | float) and not isinstance(value, bool) and GROWTH[0] <= value <= GROWTH[1]:
            return key, float(value)
        raise ValueError(f"growth must be a number from {GROWTH[0]} to {GROWTH[1]:.0f}, not {value!r}")
    if key not in ("start", "until"):
        raise ValueError(f"{key!r} is not understood: there are start, growth and until")
    found = re.fullmatch(r"\s*([1-9]\d{0,8})\s*(?:/\s*d)?\s*", str(given.value))
    if found is None:
        raise ValueError(f"{key} must be so many a day, such as 50/d, not {given.value!r}")
    return key, float(found[1])
