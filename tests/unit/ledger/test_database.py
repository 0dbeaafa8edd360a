import os
import signal
import threading
from pathlib import Path

import pytest

from campaign_cli.ledger.database import open_database
from campaign_cli.ledger.shared import SCHEMA


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
