"""A loopback SMTP server in a process of its own, and the command as its users start it."""

import csv
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent

TEMPLATE = """---
subject: "Hello {{ name or 'there' }}"
from: Ada <ada@sender.example.org>
---
Dear {{ name }},

this is number {{ number }}.
"""


@dataclass
class SmtpServer:
    """The running server. `log` is what it saw, oldest first."""

    port: int
    log_file: Path
    process: subprocess.Popen[str]

    @property
    def relay(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?tls=off"

    @property
    def log(self) -> list[dict[str, Any]]:
        # The last line may be half written.
        whole, _, _ = self.log_file.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    def taken(self) -> Counter[str]:
        """How many messages it took for each address."""
        return Counter(entry["recipient"] for entry in self.log if entry["what"] == "taken")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.communicate()

    def kill(self) -> None:
        """As if its machine had lost power: what is in work is lost, and nobody is told."""
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., SmtpServer]]:
    running: list[SmtpServer] = []

    def start(*options: str) -> SmtpServer:
        log = tmp_path / "server.log"
        log.touch()
        command = [sys.executable, str(HERE / "smtp_server.py"), "--log", str(log), *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout
        running.append(SmtpServer(int(process.stdout.readline()), log, process))
        return running[-1]

    yield start
    for server in running:
        server.stop()


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


class Campaign:
    """Starts `campaign` in a folder of its own, with its own state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        (folder / "hello.txt").write_text(TEMPLATE)

    def start(
        self,
        *arguments: str,
        by: tuple[str, ...] = ("-m", "campaign_cli"),
        stderr: int = subprocess.PIPE,
        **variables: str,
    ) -> subprocess.Popen[str]:
        environment = os.environ | {"CAMPAIGN_STATE": str(self.state), "PYTHONWARNINGS": "error"} | variables
        return subprocess.Popen(
            [sys.executable, *by, *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def __call__(self, *arguments: str, **variables: str) -> Ended:
        process = self.start(*arguments, **variables)
        out, err = process.communicate(timeout=100)
        assert "Traceback" not in err, err
        return Ended(process.returncode, out, err)

    def write_list(self, rows: list[list[str]], name: str = "list.csv") -> None:
        with (self.folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)

    def report(self, name: str = "list-hello") -> list[dict[str, str]]:
        with (self.folder / f"{name}-report.csv").open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


def told_end(text: str) -> datetime:
    """Until when a dry run says that its limits make it; when a run says that they let the last be sent to."""
    (end,) = re.findall(r"(?:so until|to the last about) \w{3} (\d\d \w{3}, \d\d:\d\d)", text)
    return datetime.strptime(f"{datetime.now().year} {end}", "%Y %d %b, %H:%M")


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    return Campaign(tmp_path)
