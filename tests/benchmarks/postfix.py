"""Postfix's smtp-source and smtp-sink, those on PATH or those of Debian's package, unpacked and not installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from figures import BenchmarkError, UnavailableError
from processes import run

TOOLS = ("smtp-source", "smtp-sink")

NOT_WITH_ITS_LIBRARIES = ("libc6", "libgcc-s1", "libstdc++6")
"""A loader takes those of its own system or none."""


@dataclass(frozen=True, slots=True)
class Postfix:
    """Where the tools are, what they need to run, and their version."""

    source: str
    sink: str
    env: dict[str, str]
    version: str

    def source_command(self, port: int, messages: int, *, sessions: int, octets: int) -> list[str]:
        """smtp-source as fast as it can: sessions are kept (`-d`)."""
        counts = ["-s", str(sessions), "-m", str(messages), "-l", str(octets)]
        return [self.source, "-d", *counts, f"127.0.0.1:{port}"]

    def sink_command(self, port: int) -> list[str]:
        """smtp-sink, which counts what it takes (`-c`); as root it must become somebody else."""
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        return [self.sink, "-c", *user, f"inet:127.0.0.1:{port}", "1000"]


def find_postfix(cache: Path) -> Postfix:
    """The tools, unpacked into `cache` when they are not there. Raises UnavailableError."""
    # Debian has them in sbin, which is not on every user's PATH.
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    source, sink = (shutil.which(tool, path=path) for tool in TOOLS)
    if source and sink:
        return Postfix(source, sink, {}, _version_on(path))
    root = cache / "postfix"
    archives = root / "archives"
    if not (root / "version").exists():
        _unpack(["postfix"], root, archives)
    if trouble := _trouble(root):
        _unpack(_libraries("postfix"), root, archives)
        trouble = _trouble(root)
        if trouble:
            raise UnavailableError(f"Debian's smtp-source does not run here: {trouble}")
    binaries = root / "usr/sbin"
    version = (root / "version").read_text("utf-8")
    return Postfix(str(binaries / TOOLS[0]), str(binaries / TOOLS[1]), _environment(root), version)


def _environment(root: Path) -> dict[str, str]:
    folders = [root / "usr/lib/postfix", *sorted((root / "usr/lib").glob("*-linux-gnu"))]
    return {"LD_LIBRARY_PATH": ":".join(map(str, folders))}


def _trouble(root: Path) -> str:
    """Why smtp-source cannot be run; "" when it can: then, without arguments, it tells its usage."""
    ran = subprocess.run(
        [root / "usr/sbin/smtp-source"],
        env=os.environ | _environment(root),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    said = ran.stdout + ran.stderr
    return "" if "usage:" in said else said.strip() or f"it ended with {ran.returncode}"


def _unpack(packages: list[str], root: Path, archives: Path) -> None:
    for needed in ("apt-get", "dpkg-deb", "tar"):
        if shutil.which(needed) is None:
            raise UnavailableError(f"smtp-source is not on PATH, and there is no {needed} to get it with")
    archives.mkdir(parents=True, exist_ok=True)
    try:
        run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages], cwd=archives, timeout=120)
        for archive in sorted(archives.glob("*.deb")):
            contents = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE)
            # No owner: one who is not root cannot give files away. Debian's merged /usr: some files come by /lib.
            options = ["--no-same-owner", "--transform", "s,^\\./lib/,./usr/lib/,"]
            subprocess.run(["tar", "-x", *options, "-C", root], stdin=contents.stdout, check=True, timeout=60)
            if contents.wait(60):
                raise UnavailableError(f"{archive.name} cannot be unpacked")
            if archive.name.startswith("postfix_"):
                (root / "version").write_text(archive.name.split("_")[1], "utf-8")
            archive.unlink()
    except (BenchmarkError, subprocess.SubprocessError) as error:
        raise UnavailableError(f"{packages[0]} cannot be had ({error}); try apt-get update") from None


def _libraries(package: str) -> list[str]:
    """The libraries that the package and they depend on."""
    wanted = [package]
    for name in wanted:
        try:
            said = run(["apt-cache", "depends", "--important", name], timeout=60).out
        except BenchmarkError as error:
            raise UnavailableError(str(error)) from None
        found = re.findall(r"^ *\|?(?:Pre)?Depends: (lib[^\s<>]+)$", said, re.MULTILINE)
        wanted += [each for each in dict.fromkeys(found) if each not in (*wanted, *NOT_WITH_ITS_LIBRARIES)]
    return wanted[1:]


def _version_on(path: str) -> str:
    postconf = shutil.which("postconf", path=path)
    try:
        return run([postconf, "-d", "-h", "mail_version"]).out.strip() if postconf else "on PATH"
    except BenchmarkError:
        return "on PATH"
