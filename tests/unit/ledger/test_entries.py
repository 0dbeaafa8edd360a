import marshal

from campaign_cli.config.providers import shipped_providers
from campaign_cli.model.address import Address
from campaign_cli.model.contact import BadRow, Contact
from campaign_cli.policy.providers import Providers
from tests.listed import batches

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
