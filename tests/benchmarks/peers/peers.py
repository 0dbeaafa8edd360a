"""The peers: how each is had, and how it is made to send."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from figures import BenchmarkError, UnavailableError
from material import SENDER, SUBJECT
from processes import HERE, PYTHON, Ran, run

INSTALLING = 180.0
"""Seconds that npm or pip may take."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What a peer is to send: the first `count` contacts of a list, by templates in a folder, to a port."""

    port: int
    connections: int
    count: int
    contacts: Path
    templates: Path


@dataclass(frozen=True, slots=True)
class Aiosmtplib:
    """The library campaign opens its sessions with, in campaign's own environment."""

    version: str

    @classmethod
    def find(cls, cache: Path) -> Aiosmtplib:
        """It is there where campaign is."""
        try:
            said = run([PYTHON, "-c", "import aiosmtplib, uvloop; print(aiosmtplib.__version__)"]).out
        except BenchmarkError as error:
            raise UnavailableError(str(error)) from None
        return cls(said.strip())

    def send(self, errand: Errand) -> Ran:
        """Send. Raises BenchmarkError."""
        counts = [str(errand.port), str(errand.connections), str(errand.count)]
        files = [str(errand.contacts), str(errand.templates / "message.txt")]
        return _sent(run([PYTHON, HERE / "peers/aiosmtplib_peer.py", *counts, *files, SENDER]), errand)


@dataclass(frozen=True, slots=True)
class Nodemailer:
    """nodemailer's pool, on Node."""

    node: str
    module: Path
    version: str

    @classmethod
    def find(cls, cache: Path) -> Nodemailer:
        """It, installed into `cache` by npm when it is not there. Raises UnavailableError."""
        node, npm = shutil.which("node"), shutil.which("npm")
        if node is None or npm is None:
            raise UnavailableError("there is no node or no npm on PATH")
        folder = cache / "nodemailer"
        module = folder / "node_modules/nodemailer"
        if not (module / "package.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            options = ["--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts"]
            _install([npm, "install", *options, "nodemailer"])
        version = json.loads((module / "package.json").read_text("utf-8"))["version"]
        return cls(node, module, f"{version} on Node {run([node, '--version']).out.strip()}")

    def send(self, errand: Errand) -> Ran:
        """Send. Raises BenchmarkError."""
        counts = [str(errand.port), str(errand.connections), str(errand.count)]
        command = [self.node, str(HERE / "peers/nodemailer.js"), str(self.module), *counts]
        return _sent(run([*command, str(errand.contacts), str(errand.templates), SUBJECT, SENDER]), errand)


@dataclass(frozen=True, slots=True)
class Mailmerge:
    """mailmerge: a connection for each message, one after the other."""

    command: Path
    version: str

    @classmethod
    def find(cls, cache: Path) -> Mailmerge:
        """It, installed by pip into an environment of its own in `cache`. Raises UnavailableError."""
        folder = cache / "mailmerge"
        command = folder / "bin/mailmerge"
        if not command.exists():
            _install([sys.executable, "-m", "venv", folder])
            _install([folder / "bin/python", "-m", "pip", "install", "-q", "mailmerge"])
        found = re.search(r"[\d.]+\d", run([command, "--version"]).out)
        return cls(command, found[0] if found else "of unknown version")

    def send(self, errand: Errand) -> Ran:
        """Send. Raises BenchmarkError."""
        server = errand.templates / f"mailmerge-{errand.port}.conf"
        server.write_text(f"[smtp_server]\nhost = 127.0.0.1\nport = {errand.port}\nratelimit = 0\n", "utf-8")
        message, contacts = str(errand.templates / "message.txt"), str(errand.contacts)
        files = ["--template", message, "--database", contacts, "--config", str(server)]
        amount = ["--no-dry-run", "--limit", str(errand.count), "--output-format", "text"]
        return run([self.command, *files, *amount], env={"PYTHONIOENCODING": "utf-8"})


Peer = Aiosmtplib | Nodemailer | Mailmerge


def _install(command: Sequence[str | Path]) -> None:
    try:
        run(command, timeout=INSTALLING, env={"PATH": os.environ.get("PATH", os.defpath)})
    except BenchmarkError as error:
        raise UnavailableError(str(error)) from None


def _sent(ran: Ran, errand: Errand) -> Ran:
    """`ran`, which ends its output with how many messages it has sent."""
    if ran.out.split()[-1:] != [str(errand.count)]:
        raise BenchmarkError(f"{errand.count} were to be sent, and it says: {ran.out.strip()[-200:]}")
    return ran
