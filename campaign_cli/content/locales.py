"""Locales by their names."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from babel import Locale


@lru_cache(maxsize=256)
def parse_locale(text: str) -> Locale:
    """The locale of that name: `de`, `pt-BR`, `zh_Hant_TW`. Raises ValueError."""
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(text.strip().replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        raise ValueError(f"{text!r} is not a locale that is known: write de, en-GB, pt-BR") from None
