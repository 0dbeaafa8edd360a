"""opendkim, as Debian has it, and keys that it can look up."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import Campaign


class Opendkim:
    """opendkim in its root folder, as Debian has it."""

    def __init__(self, root: Path, records: dict[str, str]) -> None:
        self._root = root
        lines = "".join(f"{name} {value}\n" for name, value in records.items())
        (root / "records").write_text(lines)
        (root / "opendkim.conf").write_text("Mode v\nTestDNSData file:/records\nOn-BadSignature accept\nSyslog no\n")

    def verdicts(self, content: bytes) -> list[str]:
        """What it says of each signature: `pass`, or something else."""
        (self._root / "message").write_bytes(content)
        command = ["chroot", self._root, "/usr/sbin/opendkim", "-x", "/opendkim.conf", "-v", "-v", "-t", "/message"]
        said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return re.findall(r"\bdkim=(\w+)", said.stdout + said.stderr)


def find_opendkim(records: dict[str, str]) -> Opendkim:
    """The one that `tests/judges/run` has unpacked."""
    unpacked = os.environ.get("JUDGES_OPENDKIM")
    if not unpacked:
        pytest.skip("there is no opendkim: start these tests with tests/judges/run")
    return Opendkim(Path(unpacked), records)


def new_keys(campaign: Campaign) -> dict[str, str]:
    """Two keys in the campaign's folder, r1.pem and e1.pem, and what DNS would say of them."""
    new = ("dkim", "new", "sender.example.org", "--json")
    said = [
        json.loads(campaign(*new, "--selector", "r1", "--output", "r1.pem").out),
        json.loads(campaign(*new, "--selector", "e1", "--output", "e1.pem", "--ed25519").out),
    ]
    return {each["name"]: each["value"] for each in said}
