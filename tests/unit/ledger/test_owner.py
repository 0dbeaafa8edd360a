import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from campaign_cli.config.providers import shipped_providers
from campaign_cli.ledger import changes, owner
from campaign_cli.ledger.folder import StateFolder
from campaign_cli.ledger.ledger import Ledger
from campaign_cli.ledger.owner import Owner, network_type, noticed, owner_here
from campaign_cli.ledger.shared import SharedState
from campaign_cli.ledger.view import Place
from campaign_cli.model.address import Address
from campaign_cli.model.contact import Contact
from campaign_cli.model.errors import StateError
from campaign_cli.policy.providers import Providers
from tests.listed import batches

PROVIDERS = Providers.of(shipped_providers().values())
ANN = Contact(2, Address("ann", "gmail.com"), '{"email":"ann@gmail.com"}')
HERE = Owner("m", 7, 9, 0)


@pytest.mark.parametrize(
    ("recorded", "runs", "empty", "words"),
    [
        (Owner(), 0, True, None),
        (Owner(), 0, False, None),
        (Owner("m", 7, 9, 3), 3, False, None),
        # The run that raised it died before shared.db knew.
        (Owner("m", 7, 9, 4), 3, False, None),
        (Owner("m", 7, 0, 3), 3, False, None),
        (Owner("other", 7, 9, 3), 3, False, "another machine"),
        (Owner("m", 8, 9, 3), 3, False, "not the file"),
        (Owner("m", 7, 8, 3), 3, False, "not the file"),
        (Owner("m", 7, 9, 1), 3, False, "knows of 1 run and there have been 3"),
        (Owner(), 3, True, "this campaign has had 3 runs before"),
    ],
)
def test_a_ledger_that_is_not_the_one_last_sent_from_is_noticed(
    recorded: Owner, runs: int, empty: bool, words: str | None
) -> None:
    found = noticed(recorded, HERE, runs, empty=empty)
    assert found is None if words is None else found is not None and words in found


@contextmanager
def opened(root: Path, name: str = "test") -> Iterator[tuple[Ledger, SharedState]]:
    with ExitStack() as stack:
        folder = StateFolder(root)
        folder.create(name)
        shared = SharedState.open(folder.shared)
        stack.callback(shared.close)
        ledger = Ledger.open(folder.ledger(name), name=name, shared=shared, now=0.0)
        stack.callback(ledger.close)
        yield ledger, shared


def sent_from(root: Path, name: str = "test", *, adopt: bool = False) -> str | None:
    """What a run would do with the ledger first: what is noticed, or its refusal."""
    with opened(root, name) as (ledger, shared):
        try:
            found = ledger.own(shared, name, adopt=adopt)
        except StateError as error:
            return f"refused: {error}"
        ledger.enrol(batches([ANN], PROVIDERS), source="list.csv", template="hello.txt")
        return found


def test_a_ledger_that_stays_where_it_is_or_is_moved_with_its_folder_is_sent_from_again(tmp_path: Path) -> None:
    assert [sent_from(tmp_path / "state") for _ in range(3)] == [None, None, None]
    (tmp_path / "state").rename(tmp_path / "moved")
    assert sent_from(tmp_path / "moved") is None


def test_a_copied_folder_is_refused_until_it_is_adopted_and_the_old_one_goes_on(tmp_path: Path) -> None:
    sent_from(tmp_path / "state")
    shutil.copytree(tmp_path / "state", tmp_path / "copy")
    for _ in range(2):
        refused = sent_from(tmp_path / "copy")
        assert refused is not None
        assert refused.startswith(f"refused: {tmp_path}/copy/campaigns/test/ledger.db is not the file that was last")
        assert refused.endswith("take this one as it is with --adopt")
    assert "it was copied" in (sent_from(tmp_path / "copy", adopt=True) or "")
    assert (sent_from(tmp_path / "copy"), sent_from(tmp_path / "state")) == (None, None)


def test_a_ledger_that_was_restored_is_refused_also_when_it_gets_its_inode_again(tmp_path: Path) -> None:
    sent_from(tmp_path / "state")
    shutil.copytree(tmp_path / "state", tmp_path / "backup")
    sent_from(tmp_path / "state")
    ledger = "campaigns/test/ledger.db"
    # Over the file that is there: no other inode tells.
    (tmp_path / "state" / ledger).write_bytes((tmp_path / "backup" / ledger).read_bytes())
    assert "knows of 1 run and there have been 2" in (sent_from(tmp_path / "state") or "")
    before = owner_here(tmp_path / "state" / ledger)
    shutil.rmtree(tmp_path / "state")
    shutil.copytree(tmp_path / "backup", tmp_path / "state")
    if owner_here(tmp_path / "state" / ledger) == before:
        pytest.skip("this file system gives the same inode again and has no generations")
    assert "is not the file" in (sent_from(tmp_path / "state") or "")


def test_a_ledger_that_is_gone_is_noticed_and_so_is_another_campaigns(tmp_path: Path) -> None:
    sent_from(tmp_path / "state")
    campaigns = tmp_path / "state" / "campaigns"
    (campaigns / "test").rename(campaigns / "other")
    assert "is that of the campaign 'test'" in (sent_from(tmp_path / "state", "other") or "")
    assert "has had 1 run before" in (sent_from(tmp_path / "state") or "")
    assert sent_from(tmp_path / "state", "other", adopt=True)
    assert sent_from(tmp_path / "state", "other") is None


def test_another_machine_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent_from(tmp_path)
    number = tmp_path / "machine-id"
    number.write_text("0123456789abcdef0123456789abcdef\n")
    monkeypatch.setattr(owner, "MACHINE_ID", number)
    assert "another machine" in (sent_from(tmp_path) or "")
    assert "01234567" not in owner.machine()


@pytest.mark.parametrize("text", [None, "", "uninitialized\n"])
def test_a_machine_without_a_number_is_known_by_its_name_and_card(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text is not None:
        (tmp_path / "machine-id").write_text(text)
    monkeypatch.setattr(owner, "MACHINE_ID", tmp_path / "machine-id")
    names = []
    for host, card in (("a", 5), ("a", 5), ("b", 5), ("a", 6), ("a", 1 << 40 | 8), ("a", 1 << 40 | 9)):
        monkeypatch.setattr("socket.gethostname", lambda host=host: host)
        monkeypatch.setattr("uuid.getnode", lambda card=card: card)
        names.append(owner.machine())
    # A card's number that was made up is another in each process.
    assert (names[0] == names[1], names[4] == names[5], len(set(names))) == (True, True, 4)


def test_a_run_that_another_has_taken_the_campaign_from_changes_nothing_any_more(tmp_path: Path) -> None:
    with ExitStack() as stack:
        first, shared = stack.enter_context(opened(tmp_path))
        first.own(shared, "test", adopt=False)
        first.enrol(batches([ANN], PROVIDERS), source="list.csv", template="hello.txt")
        ((ann,), _) = first.claim("gmail", 1, 1.0, Place())
        mark = changes.mark(ann, message_id="<1@x>", route="r", dated_at=1.0, now=1.0)
        first.commit([mark])
        second, _ = stack.enter_context(opened(tmp_path))
        second.own(shared, "test", adopt=False)
        assert second.recover() == 1
        shared.suppress([ANN.address], reason="x", now=0.0)
        attempts = (
            lambda: first.commit([changes.unmark(ann)]),
            first.recover,
            first.resend_uncertain,
            lambda: first.enrol(batches([ANN], PROVIDERS), source="other.csv", template="hello.txt"),
        )
        before = list(second.results())
        for attempt in attempts:
            with pytest.raises(StateError, match="another process has taken this campaign over"):
                attempt()
            assert list(second.results()) == before
        assert second.resend_uncertain() == 1
        with pytest.raises(StateError, match="taken this campaign over"):
            first.claim("gmail", 1, 1.0, Place())


MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:40 / /home rw - nfs4 server:/home rw,vers=4.2
31 30 0:41 / /home/ada/local rw - xfs /dev/vdb rw
32 22 0:42 / /mnt/my\\040share rw,relatime shared:9 master:3 - fuse.sshfs ada@h:/ rw
33 22 0:43 / /srv rw - cifs //h/srv rw
34 33 0:44 / /srv rw - tmpfs tmpfs rw
35 22 0:45 / /homeless rw - ext4 /dev/vdc rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/state", None),
        ("/home/ada/state", "nfs4"),
        ("/home", "nfs4"),
        ("/home/ada/local/state", None),
        ("/mnt/my share/state", "fuse.sshfs"),
        ("/srv/state", None),
        ("/homeless/x", None),
    ],
)
def test_a_folder_on_a_network_file_system_is_known_by_its_mount(
    folder: str, kind: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS)
    monkeypatch.setattr(owner, "MOUNTS", tmp_path / "mountinfo")
    monkeypatch.setattr("os.path.realpath", str)
    assert network_type(Path(folder)) == kind
    if kind:
        with pytest.raises(StateError, match=rf"on a network file system \({kind}\).*--state"):
            StateFolder(Path(folder)).check_local()


def test_a_system_that_says_nothing_of_its_mounts_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, "MOUNTS", tmp_path / "no such file")
    assert network_type(tmp_path) is None
