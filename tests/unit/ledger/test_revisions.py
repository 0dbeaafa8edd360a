from collections.abc import Iterator
from pathlib import Path

import pytest

from campaign_cli.config.providers import shipped_providers
from campaign_cli.ledger import changes
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.revisions import Revision
from campaign_cli.ledger.shared import SharedState
from campaign_cli.ledger.view import Place
from campaign_cli.model.address import Address
from campaign_cli.model.contact import Contact
from campaign_cli.model.lifecycle import State
from campaign_cli.policy.providers import Providers
from tests.listed import batches

PROVIDERS = Providers.of(shipped_providers().values())


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    shared = SharedState.open(tmp_path / "shared.db")
    opened = Ledger.open(tmp_path / "ledger.db", name="test", shared=shared, now=0.0)
    rows = [Contact(line, Address(f"a{line}", "gmail.com"), "{}") for line in range(2, 6)]
    opened.enrol(batches(rows, PROVIDERS), source="list.csv", template="hello.txt")
    yield opened
    opened.close()
    shared.close()


def use(ledger: Ledger, digest: str, now: float) -> None:
    ledger.revisions.use(digest, template=f"{digest}.txt", sender="ada@x.example", now=now)


def test_who_is_marked_is_recorded_with_the_revision_of_that_moment(ledger: Ledger) -> None:
    assert (ledger.revisions.current(), ledger.revisions.all()) == (None, [])
    claimed, _ = ledger.claim("gmail", 9, 1.0, Place())
    marks = [changes.mark(each, message_id="<1@x>", route="r", dated_at=1.0, now=1.0) for each in claimed]
    for revision, mark in zip(("a", "b", "a", "b"), marks, strict=True):
        use(ledger, revision, 10.0)
        ledger.commit([mark])
    a, b = Revision(1, "a", "a.txt", "ada@x.example", 10.0), Revision(2, "b", "b.txt", "ada@x.example", 10.0)
    assert (ledger.revisions.all(), ledger.revisions.current()) == ([a, b], b)
    assert ledger.revisions.sent_to() == {1: 2, 2: 2}
    assert [result.revision for result in ledger.results()] == [1, 2, 1, 2]
    # What came to nothing was sent to nobody; a second time is with what there is then.
    ledger.commit([changes.unmark(claimed[0])])
    later = changes.record(claimed[2], State.DEFERRED, reply=None, reason="later", due_at=0.0)
    ledger.commit([later, marks[2]])
    assert ledger.revisions.sent_to() == {2: 3}
    assert [result.revision for result in ledger.results()] == [None, 2, 2, 2]


def test_a_revision_that_comes_back_is_the_same_and_keeps_when_it_was_first_used(ledger: Ledger) -> None:
    for number, digest in enumerate("aba"):
        use(ledger, digest, float(number))
    current = ledger.revisions.current()
    assert current is not None
    assert (current.number, current.first_used_at, len(ledger.revisions.all())) == (1, 0.0, 2)
