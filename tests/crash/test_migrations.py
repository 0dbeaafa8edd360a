"""Something happens in the middle of the migrations from schema 1 to the one there is: it is the old or the new."""

import os
import signal
from contextlib import closing

import apsw
import pytest

from campaign_cli.ledger.database import SCHEMA_VERSIONS
from tests.crash.migrating import age
from tests.crash.scene import HERE, Run, Scene

BEFORE, ROWS = 30, 60
"""Recipients that the release before has sent to, and all of them."""

NEW = [SCHEMA_VERSIONS["shared-schema"], SCHEMA_VERSIONS["ledger-schema"]]

INTERRUPTED = 130


@pytest.fixture
def migrate(make_scene, figures):
    """Starts the release of today on what release 1 has left, half sent; something happens to it in a migration."""

    def migrate(statement: int, what: str) -> tuple[Scene, Run]:
        scene = make_scene("pipelining", 2, workers="0")
        scene.write_list([f"p{n}@example.org" for n in range(ROWS)])
        assert scene.start("--limit", str(BEFORE)).end().code == 75
        assert scene.taken().total() == BEFORE
        for path in databases(scene):
            age(path)
        assert versions(scene) == [1, 1]
        figures("migrations")[what] += 1
        return scene, scene.start(by=(str(HERE / "migrating.py"), str(statement), what))

    return migrate


def databases(scene: Scene):
    return scene.state / "shared.db", scene.state / "campaigns" / scene.name / "ledger.db"


def versions(scene: Scene) -> list[int]:
    """Each database's schema; each is whole."""
    found = []
    for path in databases(scene):
        with closing(apsw.Connection(str(path))) as connection:
            assert connection.pragma("integrity_check") == "ok"
            found.append(connection.pragma("user_version"))
    return found


def goes_on(scene: Scene) -> None:
    """Each database is of the old or of the new schema, and the next run brings the campaign to its end."""
    assert not scene.broken_at_rest()
    assert all(version in (1, new) for version, new in zip(versions(scene), NEW, strict=True))
    assert not scene.broken_at_the_end(scene.finish())
    assert versions(scene) == NEW
    assert scene.taken().total() == ROWS


def test_killed_in_a_migration(migrate, statement) -> None:
    scene, run = migrate(statement, "SIGKILL")
    assert run.end().code == -signal.SIGKILL
    assert scene.taken().total() == BEFORE
    goes_on(scene)


@pytest.mark.parametrize("what", ["SIGTERM", "SIGINT"])
def test_told_to_stop_in_a_migration(migrate, statement, what) -> None:
    """SIGINT comes twice."""
    scene, run = migrate(statement, what)
    if what == "SIGINT":
        run.send_signal(signal.SIGINT)
    ended = run.end()
    assert ended.code in (INTERRUPTED, -signal.SIGINT), ended
    assert "Traceback" not in ended.err, ended
    goes_on(scene)


def test_standing_still_in_a_migration(migrate, statement) -> None:
    scene, run = migrate(statement, "SIGSTOP")
    stopped = os.waitid(os.P_PID, run.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    assert stopped is not None
    assert stopped.si_status == signal.SIGSTOP
    other = scene.start().end()
    assert (other.code, str(run.pid) in other.err) == (75, True)
    run.send_signal(signal.SIGCONT)
    ended = run.end()
    scene.oracle.settle()
    assert not scene.broken_at_the_end(ended)
    goes_on(scene)
