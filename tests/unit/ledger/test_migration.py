"""What earlier releases have made goes on. Their schemas are kept beside this file as they were."""

from pathlib import Path

import apsw
import pytest

from campaign_cli.config.providers import shipped_providers
from campaign_cli.ledger.database import SCHEMA_VERSIONS
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.shared import SharedState
from campaign_cli.ledger.view import LedgerView
from campaign_cli.model.address import Address
from campaign_cli.model.contact import Contact
from campaign_cli.model.errors import StateError
from campaign_cli.policy.budgets import Budget
from campaign_cli.policy.limits import parse_pace
from campaign_cli.policy.providers import Providers
from tests.listed import batches

HERE = Path(__file__).parent
PROVIDERS = Providers.of(shipped_providers().values())

ROWS = """
INSERT INTO campaign VALUES (1, 'test', x'00112233445566778899aabbccddeeff', 1.0, 2, 'list.csv', 'hello.txt');
INSERT INTO recipients (key, local, domain, provider, state, listing, line, fields, attempts, dated_at) VALUES
    ('ann@gmail.com', 'ann', 'gmail.com', 'gmail', 'delivered', 2, 2, '{"email":"ann@gmail.com"}', 1, 5.0),
    ('bob@gmail.com', 'bob', 'gmail.com', 'gmail', 'submitting', 2, 3, '{"email":"bob@gmail.com"}', 1, 6.0),
    ('cy@gmail.com', 'cy', 'gmail.com', 'gmail', 'pending', 2, 4, '{"email":"cy@gmail.com"}', 0, NULL);
INSERT INTO other_rows VALUES (5, 'nobody', 'invalid', 'no @');
"""
SHARED_ROWS = """
INSERT INTO suppressions VALUES ('dee@gmail.com', 'dee@gmail.com', 'asked', 7.0);
"""


def made_by_release_1(folder: Path) -> tuple[Path, Path]:
    """A ledger and a shared.db as they were."""
    paths = folder / "ledger.db", folder / "shared.db"
    for path, schema, rows in zip(paths, ("ledger", "shared"), (ROWS, SHARED_ROWS), strict=True):
        connection = apsw.Connection(str(path))
        connection.pragma("journal_mode", "WAL")
        connection.execute((HERE / "schema_1" / f"{schema}.sql").read_text() + rows)
        connection.pragma("user_version", 1)
        connection.close()
    return paths


def schema_of(path: Path) -> tuple[int, dict[str, list[tuple[object, ...]]]]:
    """Its version, and the columns of every table and index."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    columns = {name: list(connection.execute("SELECT * FROM pragma_table_xinfo(?)", (name,))) for name in names}
    indexes = {f"of {name}": list(connection.execute("SELECT * FROM pragma_index_list(?)", (name,))) for name in names}
    version = connection.pragma("user_version")
    connection.close()
    return version, columns | indexes


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_what_release_1_made_is_read_as_it_is_and_not_touched(tmp_path: Path) -> None:
    ledger_file, shared_file = made_by_release_1(tmp_path)
    before = files(tmp_path)
    shared, ledger = SharedState.read(shared_file), LedgerView.read(ledger_file)
    assert [each.email for each in shared.suppressions()] == ["dee@gmail.com"]
    assert ledger.states() == {"delivered": 1, "submitting": 1, "pending": 1, "invalid": 1}
    assert (ledger.revisions.all(), ledger.last_listing(), ledger.noticed(shared, "test")) == ([], None, None)
    ledger.close()
    shared.close()
    assert files(tmp_path) == before


def test_what_release_1_made_goes_on_and_has_the_schema_of_a_new_one(tmp_path: Path) -> None:
    ledger_file, shared_file = made_by_release_1(tmp_path)
    for _ in range(2):
        shared = SharedState.open(shared_file)
        ledger = Ledger.open(ledger_file, name="test", shared=shared, now=9.0)
        assert ledger.own(shared, "test", adopt=False) is None
        ledger.close()
        shared.close()
    shared = SharedState.open(shared_file)
    ledger = Ledger.open(ledger_file, name="test", shared=shared, now=9.0)
    assert (shared.epoch("test"), shared.charge([((Budget("gmail", parse_pace("1/h")),), 2)])) == (2, [1])
    assert ledger.recover() == 1
    rows = [Contact(line, Address(name, "gmail.com"), "{}") for line, name in enumerate(("bob", "ann", "dee"), 2)]
    ledger.enrol(batches(rows, PROVIDERS), source="list.csv", template="hello.txt")
    ledger.revisions.use("d", template="hello.txt", sender="ada@x.example", now=9.0)
    assert [result.status for result in ledger.results()] == ["uncertain", "delivered", "suppressed"]
    # Who was sent to before revisions were recorded has none.
    assert ledger.revisions.sent_to() == {}
    ledger.close()
    shared.close()
    (tmp_path / "new").mkdir()
    shared = SharedState.open(tmp_path / "new" / "shared.db")
    Ledger.open(tmp_path / "new" / "ledger.db", name="test", shared=shared, now=9.0).close()
    shared.close()
    for old, new in ((ledger_file, "ledger.db"), (shared_file, "shared.db")):
        assert schema_of(old) == schema_of(tmp_path / "new" / new)
        assert schema_of(old)[0] == SCHEMA_VERSIONS[f"{old.stem}-schema"]


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    ledger_file, shared_file = made_by_release_1(tmp_path)
    connection = apsw.Connection(str(ledger_file))
    # The last thing that the migration makes is there already.
    connection.execute("CREATE TABLE revisions (x)")
    connection.close()
    before = schema_of(ledger_file)
    shared = SharedState.open(shared_file)
    with pytest.raises(StateError, match="revisions already exists"):
        Ledger.open(ledger_file, name="test", shared=shared, now=9.0)
    shared.close()
    assert schema_of(ledger_file) == before


def test_what_a_later_release_made_is_left_to_it(tmp_path: Path) -> None:
    ledger_file, _ = made_by_release_1(tmp_path)
    connection = apsw.Connection(str(ledger_file))
    connection.pragma("user_version", SCHEMA_VERSIONS["ledger-schema"] + 1)
    connection.close()
    with pytest.raises(StateError, match="by a later release of campaign"):
        LedgerView.read(ledger_file)
