"""Campaigns to start from: each a folder with a template, a few contacts and a campaign.yaml, in `templates/`."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from campaign_cli.model.errors import StateError, UsageError

SHIPPED = Path(__file__).parents[1] / "templates"

STARTERS = ("newsletter", "announcement", "receipt", "letter")


NAME_IS_WRONG = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.ENOENT, errno.ENAMETOOLONG)
"""What another name for the folder would mend."""


def start(name: str, folder: Path) -> list[str]:
    """Make `folder`, a copy of the starter `name`, and tell its files' names. Whole or not at all.

    Raises UsageError where there is something already, or can be nothing of that name; StateError where it cannot be
    written.
    """
    # Only who starts one needs them, not who asks what commands there are.
    import shutil
    import tempfile

    try:
        with tempfile.TemporaryDirectory(prefix=".campaign-", dir=folder.parent) as place:
            made = Path(place, name)
            made.mkdir()
            for file in (SHIPPED / name).iterdir():
                shutil.copyfile(file, made / file.name)
            os.rename(made, folder)
    except OSError as error:
        why = f"{folder} cannot be made: {error.strerror}"
        if error.errno in NAME_IS_WRONG:
            raise UsageError(f"{why}; name a folder that is not there yet") from None
        raise StateError(f"{why}; make room, or name a folder elsewhere") from None
    return sorted(file.name for file in folder.iterdir())
