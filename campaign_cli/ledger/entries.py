"""The rows of a list as the ledger takes them in: plain values, which may come from another process as they are."""

from __future__ import annotations

from campaign_cli.model.address import key_of
from campaign_cli.model.contact import Rows
from campaign_cli.policy.providers import Providers

Entry = tuple[str, str, str, str, int, str]
"""A contact: key, local part, domain, provider, line, fields as JSON."""

InvalidRow = tuple[int, str, str]
"""A bad row: line, what stands for an address, what is wrong with it."""

Batch = tuple[list[Entry], list[InvalidRow]]


def batch_of(rows: Rows, providers: Providers) -> Batch:
    """The same rows, in their order."""
    pairs = zip(rows.local_parts, rows.domains, strict=True)
    keys = [key_of(f"{local}@{domain}") for local, domain in pairs]
    groups = map(providers.provider_of, rows.domains)
    entries = [*zip(keys, rows.local_parts, rows.domains, groups, rows.lines, rows.fields, strict=True)]
    return entries, [(row.line, row.email, row.reason) for row in rows.bad]
