"""The table that a run prints, and its JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from figures import Aim, Result, Row, Series

WIDTH = 100

COLUMNS = (("what", 46), ("campaign", 12), ("peer", 12), ("ratio", 9), ("aim", 15))
"""The headings and widths; the first is text, the others are figures."""


def shown(results: Iterable[Result]) -> str:
    """The table."""
    lines = [_line(*(heading for heading, _ in COLUMNS)), "-" * WIDTH]
    last = ""
    for row in (row for result in results for row in result.rows):
        if row.what != last:
            lines.append(_line(row.what, *([""] * 4 if row.peer else _figures(row))))
        last = row.what
        if row.peer:
            lines.append(_line(f"  against {row.peer.who}", *_figures(row)))
        troubles = [row.ours.trouble, row.peer.trouble if row.peer else ""]
        for remark in filter(None, troubles) if any(troubles) else filter(None, [row.note]):
            lines += textwrap.wrap(remark, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def _line(*cells: str) -> str:
    widths = [width for _, width in COLUMNS]
    return " ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])]).rstrip()


def _figures(row: Row) -> tuple[str, str, str, str]:
    compared = ""
    if row.unit == "MB" and row.difference is not None:
        compared = f"{row.difference:+.1f} MB"
    elif row.ratio is not None:
        compared = f"{row.ratio:.2f}x"
    theirs = _value(row.peer, row.unit) if row.peer else ""
    return _value(row.ours, row.unit), theirs, compared, _aim(row.aim, row)


def _value(series: Series, unit: str) -> str:
    if series.value is None:
        return "-"
    decimals = 0 if unit == "us" or series.value >= 1000 else 1
    return f"{series.value:,.{decimals}f}{unit if unit.startswith('/') else f' {unit}'}"


def _aim(aim: Aim | None, row: Row) -> str:
    if aim is None:
        return ""
    unit = "x" if aim.of == "ratio" else f" {row.unit}"
    sign = "+" if aim.of == "difference" else ""
    verdict = {True: "met", False: "MISSED", None: "?"}[row.met]
    return f"{'<=' if aim.at_most else '>='} {sign}{aim.bound:g}{unit} {verdict}"


def as_json(
    results: Mapping[str, Result],
    machine: Mapping[str, str],
    versions: Mapping[str, str],
    settings: Mapping[str, object],
) -> dict[str, object]:
    """Everything, with every round."""
    return {
        "machine": dict(machine),
        "versions": dict(versions),
        "settings": dict(settings),
        "benchmarks": {
            name: {"rows": [_row(row) for row in result.rows], "details": result.details}
            for name, result in results.items()
        },
    }


def _row(row: Row) -> dict[str, object]:
    return {
        "what": row.what,
        "unit": row.unit,
        "campaign": _series(row.ours),
        "peer": _series(row.peer) if row.peer else None,
        "ratio": row.ratio,
        "difference": row.difference,
        "aim": asdict(row.aim) if row.aim else None,
        "met": row.met,
        "note": row.note,
    }


def _series(series: Series) -> dict[str, object]:
    return {
        "who": series.who,
        "median": series.value,
        "rounds": list(series.rounds),
        "trouble": series.trouble,
    }
