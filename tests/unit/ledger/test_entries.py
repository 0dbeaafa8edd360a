import marshal

from campaign_cli.config.providers import shipped_providers
from campaign_cli.ledger.entries import BATCH, LONGEST_BATCH, batches
from campaign_cli.model.address import Address
from campaign_cli.model.contact import BadRow, Contact
from campaign_cli.policy.providers import Providers

PROVIDERS = Providers.of(shipped_providers().values())


def test_rows_become_plain_values_in_their_order() -> None:
    rows = [
        Contact(2, Address("Ann", "gmail.com"), '{"a":"b"}'),
        BadRow(3, "nobody", "why"),
        Contact(4, Address("STRASSE", "x.org"), "{}"),
    ]
    (found,) = batches(rows, PROVIDERS)
    assert found == (
        [
            ("ann@gmail.com", "Ann", "gmail.com", "gmail", 2, '{"a":"b"}'),
            ("strasse@x.org", "STRASSE", "x.org", "x.org", 4, "{}"),
        ],
        [(3, "nobody", "why")],
    )
    assert marshal.loads(marshal.dumps(found)) == found


def test_no_batch_is_larger_than_the_others_and_none_is_empty() -> None:
    rows = (BadRow(line, "x", "y") for line in range(2 * BATCH + 1))
    assert [len(invalid) for _, invalid in batches(rows, PROVIDERS)] == [BATCH, BATCH, 1]
    assert [*batches([], PROVIDERS)] == []


def test_long_rows_are_in_batches_of_their_own() -> None:
    long = [Contact(line, Address("ann", "x.org"), "x" * LONGEST_BATCH) for line in range(4)]
    assert [[entry[4] for entry in entries] for entries, _ in batches(long, PROVIDERS)] == [[0, 1], [2, 3]]


def test_a_row_is_not_read_before_its_batch_is_asked_for() -> None:
    rows = iter([BadRow(line, "x", "y") for line in range(2 * BATCH)])
    next(batches(rows, PROVIDERS))
    assert next(rows).line == BATCH
