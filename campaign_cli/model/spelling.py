"""Names that were mistyped, and what may have been meant."""

from __future__ import annotations

from collections.abc import Iterable

NEAR = 0.6
"""How much of two names must be alike, by difflib's measure, which is its own default."""


def did_you_mean(name: str, known: Iterable[str], *, near: float = NEAR) -> str:
    """The question after the nearest to `name` of those that are `known`; "" where none is so near."""
    # Only who has mistyped something needs it.
    from difflib import get_close_matches

    found = get_close_matches(name, list(known), n=1, cutoff=near)
    return f"did you mean {found[0]!r}?" if found else ""
