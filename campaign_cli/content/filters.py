"""Filters that templates need and Jinja2 has not: dates, numbers and money as a locale writes them, and parts of URLs.

They take a contact's text as it stands in a list, and give text. What they cannot read is a ValueError that says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Undefined

from campaign_cli.content.locales import parse_locale

if TYPE_CHECKING:
    from babel import Locale

LOCALE = "en"
"""Where neither campaign nor contact has one: the machine's own is not asked, for another machine has another."""

COLUMN = "locale"
"""The contact's own."""

LENGTHS = ("short", "medium", "long", "full")

MOST_DECIMALS = 20

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_DOTTED = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})\b")
_SLASHED = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})\b")
_DAY_FIRST = re.compile(r"(\d{1,2})(?:st|nd|rd|th)? ([A-Za-z]{3,9})\.?,? (\d{4})\b")
_MONTH_FIRST = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})\b")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?")
_TWO_WAYS = re.compile(r"\d{1,2}/\d{1,2}/\d{2,4}\b")


class Filters:
    """The filters of one template. `locale` is its own, `fields` are those of the contact whose message is made."""

    def __init__(self) -> None:
        self.locale: str | None = None
        self.fields: Mapping[str, str] = {}

    def named(self) -> dict[str, Callable[..., Any]]:
        """Each by the name that templates call it by."""
        own = (self.date, self.time, self.datetime, self.number, self.percent, self.money, url, default)
        return {each.__name__: each for each in own} | {"d": default}

    def date(self, value: object, form: str = "medium", *, given: str | None = None, locale: str | None = None) -> str:
        """`{{ due | date("long") }}`: short, medium, long, full, or a pattern such as "d MMMM yyyy"."""
        from babel.dates import format_date

        return _formatted("date", format_date, _moment(value, given), form, self._found(locale))

    def time(self, value: object, form: str = "short", *, given: str | None = None, locale: str | None = None) -> str:
        """`{{ starts | time }}`: of a value that has one."""
        from babel.dates import format_time

        return _formatted("time", format_time, _with_time(value, given), form, self._found(locale))

    def datetime(
        self, value: object, form: str = "medium", *, given: str | None = None, locale: str | None = None
    ) -> str:
        """`{{ starts | datetime("long") }}`: both."""
        from babel.dates import format_datetime

        return _formatted("datetime", format_datetime, _with_time(value, given), form, self._found(locale))

    def number(self, value: object, decimals: int | None = None, *, locale: str | None = None) -> str:
        """`{{ points | number }}`, `{{ height | number(2) }}`: with at most three decimals, or with so many."""
        from babel.numbers import format_decimal

        found = self._found(locale)
        return format_decimal(_number(value), _pattern(found, "decimal", decimals), locale=found)

    def percent(self, value: object, decimals: int | None = None, *, locale: str | None = None) -> str:
        """`{{ share | percent }}`: 0.25 is 25%."""
        from babel.numbers import format_percent

        found = self._found(locale)
        return format_percent(_number(value), _pattern(found, "percent", decimals), locale=found)

    def money(self, value: object, currency: object, *, locale: str | None = None) -> str:
        """`{{ amount | money("EUR") }}`: with the decimals that the currency has (ISO 4217)."""
        from babel.numbers import format_currency, is_currency

        code = str(currency).strip().upper()
        if not is_currency(code):
            raise ValueError(f"{str(currency)!r} is not a currency: write EUR, USD, GBP (ISO 4217)")
        return format_currency(_number(value), code, locale=self._found(locale))

    def _found(self, given: str | None) -> Locale:
        return parse_locale(given or self.fields.get(COLUMN, "").strip() or self.locale or LOCALE)


def url(value: object) -> str:
    """`https://example.org/?name={{ name | url }}`: a part of a URL, in which it has no meaning of its own."""
    return quote(str(value), safe="")


def default(value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    """Jinja2's own, for which a cell that is empty is missing as well."""
    if isinstance(value, str):
        return value if value and not value.isspace() else default_value
    return default_value if isinstance(value, Undefined) or (boolean and not value) else value


def _formatted(name: str, formatter: Callable[..., str], moment: date, form: str, locale: Locale) -> str:
    wrong = f"{form!r} is no form of a {name}: write {', '.join(LENGTHS)}, or a pattern such as 'd MMMM yyyy'"
    if not isinstance(form, str) or "%" in form or not form.strip():
        raise ValueError(wrong)
    try:
        return formatter(moment, form, locale=locale)
    except (AttributeError, KeyError, ValueError):
        raise ValueError(wrong) from None


def _with_time(value: object, given: str | None) -> datetime:
    moment = _moment(value, given)
    if not isinstance(moment, datetime):
        raise ValueError(f"{str(value)!r} has no time of day: write 2026-11-27 18:30")
    return moment


def _moment(value: object, given: str | None) -> date:
    """A date, or where there is a time of day, both. `given` is how it is written, as Python's `strptime` has it."""
    text = " ".join(str(value).split())
    try:
        if given:
            moment = datetime.strptime(text, given)
            return moment if re.search(r"%[HIcXT]", given) else moment.date()
        if re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", text):
            return date.fromisoformat(text)
        if text[:4].isdecimal() and "/" not in text:
            return datetime.fromisoformat(text)
        return _spelled(text)
    except (ValueError, IndexError):
        if _TWO_WAYS.match(text) and not given:
            what = "may be read in two ways: write 2026-11-27, or say how it is written, as given='%d/%m/%Y'"
        else:
            what = f"is not a date that is written as {given!r}" if given else "is not a date: write 2026-11-27"
        raise ValueError(f"{str(value)!r} {what}") from None


def _spelled(text: str) -> date:
    """27.11.2026, 2026/11/27, 27 November 2026, Nov 27, 2026; with a time of day behind it. Raises ValueError."""
    if found := _DOTTED.match(text):
        day, month, year = found[1], int(found[2]), found[3]
    elif found := _SLASHED.match(text):
        year, month, day = found[1], int(found[2]), found[3]
    elif found := _DAY_FIRST.match(text):
        day, month, year = found[1], _month(found[2]), found[3]
    elif found := _MONTH_FIRST.match(text):
        month, day, year = _month(found[1]), found[2], found[3]
    else:
        raise ValueError(text)
    rest = text[found.end() :].lstrip(" ,T")
    if not rest:
        return date(int(year), month, int(day))
    clock = _CLOCK.fullmatch(rest)
    if clock is None:
        raise ValueError(text)
    hour, minute, second = [int(part or 0) for part in clock.groups()]
    return datetime(int(year), month, int(day), hour, minute, second)


def _month(name: str) -> int:
    """The number of a month by its English name or the beginning of that. Raises ValueError."""
    found = [number for number, full in enumerate(_MONTHS, 1) if full.startswith(name.lower())]
    if len(found) != 1:
        raise ValueError(name)
    return found[0]


def _number(value: object) -> Decimal:
    """1234.5, -3, 1,234.50, 1.234,50, 1234,5. Raises ValueError for what may be read in two ways."""
    text = str(value).strip().replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")
    if isinstance(value, float | int) and not isinstance(value, bool):
        text = repr(value)
    elif re.fullmatch(r"-?\d{1,3}(?:,\d{3})+\.\d+|-?\d{1,3}(?:,\d{3}){2,}", text):
        text = text.replace(",", "")
    elif re.fullmatch(r"-?\d{1,3}(?:\.\d{3})+,\d+|-?\d{1,3}(?:\.\d{3}){2,}", text):
        text = text.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"-?\d{1,3},\d{3}", text):
        raise ValueError(f"{text!r} may be read in two ways: write {text.replace(',', '')} or {text.replace(',', '.')}")
    elif re.fullmatch(r"-?\d+,\d+", text):
        text = text.replace(",", ".")
    elif re.fullmatch(r"-?\d{1,3}(?: \d{3})+(?:[.,]\d+)?", text):
        text = text.replace(" ", "").replace(",", ".")
    if not re.fullmatch(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d{1,2})?", text, re.IGNORECASE) or len(text) > 40:
        raise ValueError(f"{str(value)!r} is not a number: write 1234.50")
    return Decimal(text)


def _pattern(locale: Locale, kind: str, decimals: int | None) -> Any:
    """The locale's own pattern, with so many decimals."""
    from babel.numbers import parse_pattern

    if decimals is None:
        return None
    if not isinstance(decimals, int) or not 0 <= decimals <= MOST_DECIMALS:
        raise ValueError(f"{decimals!r} decimals cannot be had: 0 to {MOST_DECIMALS}")
    pattern = parse_pattern({"decimal": locale.decimal_formats, "percent": locale.percent_formats}[kind][None].pattern)
    pattern.frac_prec = (decimals, decimals)
    return pattern
