"""`campaign send`, as its users start it, in a folder of its own; its report is checked row by row."""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from figures import BenchmarkError
from material import PROVIDERS
from processes import PYTHON, TIMEOUT, Ran, Running

REMAINING = 75
"""The exit code of a run that leaves recipients for the next."""

CONFIG = """template: {template}
relay: smtp://127.0.0.1:{port}?tls=off
state: state
report: report.csv
name: benchmark
providers:
"""


@dataclass(frozen=True, slots=True)
class Order:
    """What to send: a list, to a port, on so many connections to each provider; `limit` as `--limit`."""

    contacts: Path
    template: Path
    port: int
    connections: int = 5
    limit: int | None = None
    dkim: tuple[str, Path] | None = None
    """A domain and its key, to sign with."""

    def config(self) -> str:
        """campaign.yaml: no limits."""
        lines = "".join(
            f"  {name}: {{rate: none, connections: {self.connections}, messages_per_connection: 1000000}}\n"
            for name in PROVIDERS
        )
        signed = "dkim: {{domain: {}, selector: s1, key: {}}}\n".format(*self.dkim) if self.dkim else ""
        return CONFIG.format(template=self.template, port=self.port) + lines + signed

    def options(self) -> list[str]:
        """The command line after `send`."""
        limit = [] if self.limit is None else ["--limit", str(self.limit)]
        return [str(self.contacts), "--config", "campaign.yaml", "--yes", "--quiet", *limit]


class Sending:
    """A folder with a configuration, in which a campaign is sent; on a disk, and gone when it is left."""

    def __init__(self, work: Path, order: Order) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="campaign-", dir=work))
        self.order = order
        (self.folder / "campaign.yaml").write_text(order.config(), "utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)

    def start(self, *options: str) -> Running:
        """Start it."""
        command = [PYTHON, "-m", "campaign_cli", "send", *self.order.options(), *options]
        # Our scratch files are on disk too; nobody's settings are ours; and nobody's nameserver is asked.
        clean = {"CAMPAIGN_STATE": str(self.folder / "state"), "TMPDIR": str(self.folder), "CAMPAIGN_DNS": "off"}
        return Running(command, cwd=self.folder, env=os.environ | clean)

    def send(self, count: int) -> Ran:
        """Send to the end, and check that `count` are delivered. Raises BenchmarkError."""
        with self.start() as running:
            ran = running.wait(TIMEOUT, (0, REMAINING))
        self.check(count)
        return ran

    def check(self, count: int) -> None:
        """That the report says `count` are delivered, and all others pending. Raises BenchmarkError."""
        with (self.folder / "report.csv").open(encoding="utf-8", newline="") as file:
            states = Counter(row["status"] for row in csv.DictReader(file))
        if states["delivered"] != count or set(states) - {"delivered", "pending"}:
            raise BenchmarkError(f"{count} were to be delivered, and the report says {dict(states)}")
