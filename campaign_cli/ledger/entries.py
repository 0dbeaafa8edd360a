"""The rows of a list as the ledger takes them in: plain values, which may come from another process as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from campaign_cli.model.contact import BadRow, Row
from campaign_cli.policy.providers import Providers

BATCH = 1000
"""Rows that are put into the ledger together, inside the one transaction that enrols the list."""

LONGEST_BATCH = 1_000_000
"""Characters of fields after which a batch has no more rows: memory has a bound whatever stands in the cells."""

Entry = tuple[str, str, str, str, int, str]
"""A contact: key, local part, domain, provider, line, fields as JSON."""

InvalidRow = tuple[int, str, str]
"""A bad row: line, what stands for an address, what is wrong with it."""

Batch = tuple[list[Entry], list[InvalidRow]]


def batches(rows: Iterable[Row], providers: Providers) -> Iterator[Batch]:
    """`rows` in their order, at most `BATCH` at a time."""
    entries: list[Entry] = []
    invalid: list[InvalidRow] = []
    length = 0
    for row in rows:
        if isinstance(row, BadRow):
            invalid.append((row.line, row.email, row.reason))
        else:
            line, address, fields = row
            local, domain = address
            entries.append((address.key, local, domain, providers.provider_of(domain), line, fields))
            length += len(fields)
        if len(entries) + len(invalid) == BATCH or length > LONGEST_BATCH:
            yield entries, invalid
            entries, invalid, length = [], [], 0
    if entries or invalid:
        yield entries, invalid
