"""Processes: every one has a time limit, and is ended by the one that started it and by nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from figures import BenchmarkError

CHECKOUT = Path(__file__).resolve().parents[2]

HERE = Path(__file__).resolve().parent

_VENV = CHECKOUT / ".venv/bin/python"

MEASURED_ON = "CAMPAIGN_MEASURED_ON"
"""The variable that says which Python is measured; run.py sets it."""

PYTHON = os.environ.get(MEASURED_ON) or str(_VENV if _VENV.exists() else sys.executable)
"""The Python that has campaign and its libraries."""

# What is installed has its bytecode beside it; a checkout gets it in the first run, unless that is forbidden.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

TIMEOUT = 600.0
"""Seconds that anything may take."""

GRACE = 10.0
"""Seconds from SIGTERM to SIGKILL."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, when it was started (monotonic clock), and how many seconds it took."""

    code: int
    out: str
    started: float
    seconds: float


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
    expect: Sequence[int] = (0,),
) -> Ran:
    """Run `command` to its end. Raises BenchmarkError when it ends otherwise than `expect`, or not in time."""
    with Running(command, cwd=cwd, env=env) as running:
        return running.wait(timeout, expect)


class Running:
    """A command that runs; killed when it is left."""

    def __init__(
        self, command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        self._name = " ".join(Path(part).name for part in command[:3])
        self.started = time.monotonic()
        try:
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env=os.environ | (env or {}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        except OSError as error:
            raise BenchmarkError(f"{command[0]} cannot be started: {error.strerror}") from None
        self.pid = self._process.pid

    def wait(self, timeout: float, expect: Sequence[int]) -> Ran:
        """Its end. Raises BenchmarkError."""
        try:
            out, _ = self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise BenchmarkError(f"{self._name} did not end within {timeout:g} s") from None
        seconds = time.monotonic() - self.started
        if self._process.returncode not in expect:
            said = " / ".join(out.strip().splitlines()[-3:])
            raise BenchmarkError(f"{self._name} ended with {self._process.returncode}: {said}")
        return Ran(self._process.returncode, out, self.started, seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


class Daemon:
    """A server that runs until it is stopped; what it writes goes to the file `out`."""

    def __init__(self, command: Sequence[str | Path], out: Path, env: Mapping[str, str] | None = None) -> None:
        self._out = out
        with out.open("wb") as file:
            self._process = subprocess.Popen(
                command, env=os.environ | (env or {}), stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )

    def said(self) -> str:
        """What it has written so far."""
        return self._out.read_text("utf-8", errors="replace")

    def first_line(self) -> str:
        """What it says when it is ready. Raises BenchmarkError."""
        deadline = time.monotonic() + GRACE
        while "\n" not in (said := self.said()):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise BenchmarkError(f"a server did not start: {said.strip()}")
            time.sleep(0.01)
        return said.partition("\n")[0]

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def stop(self) -> str:
        """End it; all that it has written."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(GRACE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        return self.said()
