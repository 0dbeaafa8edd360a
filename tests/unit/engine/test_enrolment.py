"""Enrolling with and without a process that reads: nobody can tell the difference, and none is left behind."""

import io
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from campaign_cli.audience.lists import ContactList, open_list
from campaign_cli.config.providers import shipped_providers
from campaign_cli.config.settings import Settings
from campaign_cli.engine import enrolment as module
from campaign_cli.engine.enrolment import LONG, enrol, pays
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.shared import SharedState
from campaign_cli.model.errors import ListError, ResourceError
from campaign_cli.policy.providers import Providers
from tests.listed import batches

PROVIDERS = Providers.of(shipped_providers().values())
DIED = "the process that reads the list has died; nothing of it is enrolled: is memory short?"

MIXED = "email,First Name\n" + "".join(
    f'p{number % 7000}@{("gmail.com", "x.org")[number % 2]},"Zoë, ""{number}""\n  "\n' if number % 9 else "nobody,\n"
    for number in range(9000)
)
"""Some come twice, in the same batch and in another; some are nobody's; rows have more than one line."""

KILLED = (
    "import sys; sys.path[:] = {path!r}\n"
    "import os, signal\n"
    "from campaign_cli.engine import reader\n"
    "made, given = reader.batch_of, []\n"
    "def batch_of(rows, providers):\n"
    "    if len(given) == 2: os.kill(os.getpid(), signal.SIGKILL)\n"
    "    given.append(rows)\n"
    "    return made(rows, providers)\n"
    "reader.batch_of = batch_of\n"
    "reader.main({descriptor})\n"
)
"""A reader that is killed in the middle of its list."""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    before = children()
    yield
    assert children() <= before


@pytest.fixture(params=[False, True], ids=["here", "in a process"])
def elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(module, "pays", lambda contacts: request.param)
    return bool(request.param)


@pytest.fixture
def in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "pays", lambda contacts: True)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    shared = SharedState.open(tmp_path / "shared.db")
    opened = Ledger.open(tmp_path / "ledger.db", name="test", shared=shared, now=0.0)
    yield opened
    opened.close()
    shared.close()


def children() -> set[int]:
    """The processes that this one has started: zombies, too."""
    own = Path(f"/proc/{os.getpid()}/task")
    return {int(pid) for thread in own.iterdir() for pid in (thread / "children").read_text().split()}


def written(content: str, name: str = "list.csv") -> ContactList:
    Path(name).write_text(content, "utf-8")
    return open_list(name)


def enrolled(ledger: Ledger, contacts: ContactList) -> None:
    prepared: Any = SimpleNamespace(contacts=contacts, template=SimpleNamespace(path="hello.txt"))
    with closing(SharedState.open(Path("shared.db"))) as shared:
        enrol(ledger, shared, Settings(PROVIDERS), prepared)


def everything(ledger: Ledger) -> list[object]:
    """What stands in the ledger, also about those that a later list does not name."""
    return [ledger.states(), [*ledger.results(withdrawn=True)], ledger.samples(9999), ledger.work(), ledger.listing]


def until(what: Callable[[], object]) -> None:
    """Wait for something in another process, which can only be asked for."""
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.usefixtures("elsewhere")
def test_the_ledger_is_the_same_and_so_it_is_after_another_list(ledger: Ledger, tmp_path: Path) -> None:
    first, second = written(MIXED), written("email\np3@x.org\nP7@X.org\nnew@x.org\nnew@x.org\nno\n", "other.csv")
    shared = SharedState.open(tmp_path / "shared.db")
    beside = Ledger.open(tmp_path / "beside.db", name="beside", shared=shared, now=0.0)
    for contacts in (first, second):
        enrolled(ledger, contacts)
        beside.enrol(batches(contacts, PROVIDERS), source=contacts.source, template="hello.txt")
        assert everything(ledger) == everything(beside)
    beside.close()
    shared.close()
    assert (ledger.list, ledger.states()) == ("other.csv", {"pending": 3, "duplicate": 1, "invalid": 1})


@pytest.mark.usefixtures("elsewhere")
def test_a_list_that_ends_badly_is_told_with_its_place_and_nothing_of_it_is_enrolled(ledger: Ledger) -> None:
    enrolled(ledger, written("email\nann@x.org\nnobody\n"))
    before = everything(ledger)
    rows = "".join(f"p{number}@x.org\n" for number in range(3000))
    with pytest.raises(ListError) as told:
        enrolled(ledger, written(f'email\n{rows}"bob@x.org\n', "broken.csv"))
    assert str(told.value) == "broken.csv:3002: a quote opens in this row and never closes: close it"
    assert everything(ledger) == before


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("name", ["list.csv", "list.jsonl"])
def test_a_list_that_is_gone_by_now_is_told(ledger: Ledger, name: str) -> None:
    contacts = written('{"email": "ann@x.org"}\n' if name == "list.jsonl" else "email\nann@x.org\n", name)
    Path(name).unlink()
    with pytest.raises(ListError, match=rf"^{name}: there is no such list$"):
        enrolled(ledger, contacts)
    assert ledger.listing == 0


@pytest.mark.usefixtures("elsewhere")
def test_standard_input_is_enrolled_like_another_list(ledger: Ledger) -> None:
    enrolled(ledger, open_list("-", stdin=io.BytesIO(MIXED.encode("utf-16"))))
    states, results, *rest = everything(ledger)
    assert ledger.list == "standard input"
    enrolled(ledger, written(MIXED))
    states_after, results_after, *rest_after = everything(ledger)
    assert (states_after, results_after, rest_after[:2]) == (states, results, rest[:2])


@pytest.mark.usefixtures("elsewhere")
def test_an_error_of_the_ledger_ends_the_reading(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_enrol_entries", lambda entries, listing: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        enrolled(ledger, written(MIXED))
    assert (ledger.listing, ledger.states()) == (0, {})


@pytest.mark.usefixtures("in_a_process")
@pytest.mark.parametrize(
    "reader", [KILLED, "import os; os._exit(1)", "", "raise MemoryError"], ids=["killed", "at once", "silent", "raises"]
)
def test_a_reader_that_dies_is_told_and_nothing_is_enrolled(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, reader: str
) -> None:
    enrolled(ledger, written("email\nann@x.org\n"))
    before = everything(ledger)
    monkeypatch.setattr(module, "READER", reader)
    with pytest.raises(ResourceError) as told:
        enrolled(ledger, written(MIXED))
    assert str(told.value) == DIED
    assert everything(ledger) == before


@pytest.mark.usefixtures("in_a_process")
def test_where_no_process_can_be_started_the_list_is_read_here(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(text: str) -> None:
        raise BlockingIOError

    monkeypatch.setattr(module, "spawned", refused)
    enrolled(ledger, written(MIXED))
    assert sum(ledger.states().values()) == 9000


@pytest.mark.usefixtures("in_a_process")
def test_the_reader_waits_for_the_ledger_and_hears_no_signal_for_the_whole_group() -> None:
    size = 200_000
    contacts = written("email,name\n" + "".join(f"p{number:06}@x.org,Ann\n" for number in range(size)))
    before = children()
    with closing(module._batches(contacts, PROVIDERS)) as found:
        lines = [entry[4] for entry in next(found)[0]]
        (reader,) = children() - before
        until(lambda: waits(reader))
        assert 0 < read_by(reader) < contacts.octets / 4
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(reader, number)
        for entries, _ in found:
            lines += [entry[4] for entry in entries]
    assert lines == [*range(2, size + 2)]


def waits(pid: int) -> bool:
    """Whether the process sleeps: having begun to answer, it does so in a write that the other end does not take."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def read_by(pid: int) -> int:
    """How many octets of the list the process has read."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        if descriptor.readlink().name == "list.csv":
            return int((Path(f"/proc/{pid}/fdinfo") / descriptor.name).read_text().split()[1])
    return 0


def test_a_process_is_started_for_a_long_list_only_and_where_there_is_a_core_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short, long = written("email\n" + " \n" * 9), written("email\n" + " " * LONG, "long.csv")
    for cores, expected in ({0}, (False, False)), ({0, 1}, (False, True)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, cores=cores: cores)
        assert (pays(short), pays(long)) == expected
