import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from campaign_cli.ledger.folder import StateFolder


def test_every_folder_that_was_made_has_its_name_on_disk_before_anything_is_in_it(tmp_path, monkeypatch) -> None:
    synced = []
    fsync = os.fsync

    def noted(file: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{file}"))
        fsync(file)

    monkeypatch.setattr(os, "fsync", noted)
    root = tmp_path / "new" / "state"

    StateFolder(root).create("spring")

    assert set(synced) == {str(folder) for folder in (tmp_path, tmp_path / "new", root, root / "campaigns")}


def test_all_who_make_the_unsubscribe_key_at_once_have_the_same(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")

    def made(_: int) -> bytes:
        folder.make_unsubscribe_key()
        return folder.unsubscribe_key.read_bytes()

    with ThreadPoolExecutor(8) as pool:
        (key,) = set(pool.map(made, range(8)))
    assert (len(key.strip()), folder.unsubscribe_key.stat().st_mode & 0o777) == (64, 0o600)
    assert [path.name for path in folder.root.iterdir()] == ["unsubscribe.key"]
