import os
import signal
import threading
from pathlib import Path

import apsw
import pytest

from campaign_cli.ledger.database import check_release, open_database, translated
from campaign_cli.ledger.shared import SCHEMA
from campaign_cli.model.errors import CampaignError, ResourceError, StateError


class HeardError(Exception):
    pass


def test_a_statement_that_takes_long_and_a_wait_for_another_process_hear_signals(tmp_path: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    first, second = (open_database(tmp_path / "shared.db", SCHEMA) for _ in range(2))
    first.execute("BEGIN IMMEDIATE")

    def hear(number: int, frame: object) -> None:
        raise HeardError

    before = signal.signal(signal.SIGUSR1, hear)
    try:
        for connection, statement in ((first, endless), (second, "BEGIN IMMEDIATE")):
            timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGUSR1))
            timer.start()
            with pytest.raises(HeardError):
                connection.execute(statement).fetchall()
            timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    first.close()
    second.close()


@pytest.mark.parametrize("release", ["3.7.0", "3.40.1", "3.50.7", "3.51.2", "3.51"])
def test_an_sqlite_that_can_lose_commits_opens_nothing_for_writing(
    release: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apsw.sqlite_lib_version", lambda: release)
    with pytest.raises(StateError, match=f"SQLite {release} can lose .* needs 3.51.3 or later"):
        open_database(tmp_path / "shared.db", SCHEMA)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("release", ["3.51.3", "3.52.0", "3.100.0", "4.0"])
def test_an_sqlite_with_the_fix_is_used(release: str) -> None:
    check_release(release)


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (apsw.IOError("disk I/O error"), StateError, "look at what the system's log says of the disk"),
        (apsw.SQLITE_IOERR_FSYNC, StateError, "look at what the system's log says of the disk"),
        (apsw.SQLITE_IOERR_NOMEM, ResourceError, "memory is short"),
        (apsw.SQLITE_IOERR_SHMMAP, ResourceError, "memory is short"),
        (apsw.NoMemError("out of memory"), ResourceError, "memory is short"),
    ],
)
def test_an_error_of_the_disk_that_is_one_of_memory_is_told_as_that(
    error: Exception | int, kind: type[CampaignError], said: str
) -> None:
    raised = apsw.exception_for(error) if isinstance(error, int) else error
    with pytest.raises(kind, match=said), translated(Path("ledger.db")):
        raise raised
