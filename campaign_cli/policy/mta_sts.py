"""MTA-STS (RFC 8461): what a domain demands of who sends it mail, as its record and its policy say it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

LONGEST_AGE = 31_557_600
"""Seconds: the most that a policy may be kept, one year (RFC 8461 3.2)."""

_ID = re.compile(r"id=([A-Za-z0-9]{1,32})")
_EXTENSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}=[\x21-\x3a\x3c\x3e-\x7e]+")
_FIELD = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*([^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?)[ \t]*"
)
_HOST = re.compile(r"(?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*")
_AGE = re.compile(r"[0-9]{1,10}")


class Mode(StrEnum):
    """What becomes of mail that the policy does not permit: in `TESTING` and `NONE` it goes as it would without."""

    ENFORCE = "enforce"
    TESTING = "testing"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class StsPolicy:
    """A policy: `mx` are the patterns of the hosts that take the domain's mail, `max_age` is how long it holds, in
    seconds."""

    mode: Mode
    mx: tuple[str, ...]
    max_age: int


class KnownPolicy(NamedTuple):
    """A policy, the id of the record that led to it, and when it was fetched (UTC seconds)."""

    id: str
    policy: StsPolicy
    fetched_at: float


def record_id(records: Iterable[str]) -> str | None:
    """The policy's id, by the TXT records of `_mta-sts.DOMAIN`; None: they do not say that there is one (3.1)."""
    split = [[field.strip(" \t") for field in text.split(";")] for text in records if text.startswith("v=STSv1")]
    of_sts = [fields for version, *fields in split if version == "v=STSv1" and fields]
    if len(of_sts) != 1:
        return None
    fields = of_sts[0] if of_sts[0][-1] else of_sts[0][:-1]
    ids = [found[1] for field in fields if (found := _ID.fullmatch(field))]
    if not ids or not all(_ID.fullmatch(field) or _EXTENSION.fullmatch(field) for field in fields):
        return None
    return ids[0]


def parse_policy(text: str) -> StsPolicy:
    """The policy that a text says (3.2). Raises ValueError with what is wrong.

    Of a field that stands there twice the first counts, except `mx`; those that are not known mean nothing. Empty
    lines, which the grammar does not have, are passed over.
    """
    fields: dict[str, str] = {}
    mx: list[str] = []
    for line in re.split(r"\r?\n", text):
        if not line.strip(" \t"):
            continue
        found = _FIELD.fullmatch(line)
        if not found:
            raise ValueError(f"{line[:60]!r} is no field")
        name, value = found.groups()
        if name == "mx":
            mx.append(value.lower())
        else:
            fields.setdefault(name, value)
    if fields.get("version") != "STSv1":
        raise ValueError("its version is not STSv1")
    if fields.get("mode") not in list(Mode):
        raise ValueError("its mode is not enforce, testing or none")
    if not _AGE.fullmatch(fields.get("max_age", "")):
        raise ValueError("its max_age is no number")
    mode = Mode(fields["mode"])
    if not mx and mode is not Mode.NONE:
        raise ValueError("it names no mx")
    if wrong := [pattern for pattern in mx if not _HOST.fullmatch(pattern)]:
        raise ValueError(f"mx: {wrong[0][:60]!r} is no host")
    return StsPolicy(mode, tuple(mx), min(int(fields["max_age"]), LONGEST_AGE))


def permits(mx: Collection[str], host: str) -> bool:
    """Whether one of the patterns names `host` (4.1): the same name, or `*` in the place of its first label."""
    _, _, parent = host.partition(".")
    return host in mx or f"*.{parent}" in mx
