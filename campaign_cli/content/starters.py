"""Campaigns to start from: each a folder with a template, a few contacts and a campaign.yaml, in `templates/`."""

from __future__ import annotations

import os
from pathlib import Path

from campaign_cli.model.errors import UsageError

SHIPPED = Path(__file__).parents[1] / "templates"

STARTERS = ("newsletter", "announcement", "receipt", "letter")


def start(name: str, folder: Path) -> list[str]:
    """Make `folder`, a copy of the starter `name`, and tell its files' names. Whole or not at all.

    Raises UsageError where there is something already, or it cannot be written.
    """
    # Only who starts one needs them, not who asks what commands there are.
    import shutil
    import tempfile

    try:
        with tempfile.TemporaryDirectory(prefix=".campaign-", dir=folder.parent) as place:
            made = shutil.copytree(SHIPPED / name, Path(place) / name, copy_function=shutil.copyfile)
            os.rename(made, folder)
    except OSError as error:
        # Of copies that fail there is a list: what was copied, to where, and why not.
        why = error.strerror or error.args[0][0][2]
        raise UsageError(f"{folder} cannot be made: {why}; name a folder that is not there yet") from None
    return sorted(file.name for file in folder.iterdir())
