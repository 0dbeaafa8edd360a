"""Rows of a list as a test has them, one by one, and as the product has them, many together."""

from collections.abc import Iterable

from campaign_cli.ledger.entries import Batch, batch_of
from campaign_cli.model.contact import BadRow, Contact, Row, Rows
from campaign_cli.policy.providers import Providers


def together(rows: Iterable[Row]) -> Rows:
    """The same rows."""
    rows = list(rows)
    good = [row for row in rows if isinstance(row, Contact)]
    return Rows(
        [row.line for row in good],
        [row.address.local for row in good],
        [row.address.domain for row in good],
        [row.fields for row in good],
        [row for row in rows if isinstance(row, BadRow)],
    )


def batches(rows: Iterable[Row], providers: Providers) -> list[Batch]:
    """The same rows, all in one batch."""
    return [batch_of(together(rows), providers)]
