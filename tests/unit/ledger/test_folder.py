import os

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
