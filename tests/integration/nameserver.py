"""NSD, a real authoritative nameserver, on loopback: the one on PATH or Debian's, unpacked and not installed."""

import fcntl
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import dns.message
import dns.query
import pytest

PACKAGES = ["nsd", "libevent-2.1-7", "libfstrm0", "libprotobuf-c1"]
"""Debian's, with the libraries that are not on every system."""

ZONE = """
$TTL 600
@  SOA ns hostmaster 1 3600 600 86400 300
@  NS  ns
ns A   127.0.0.1
"""
"""What every zone begins with: it says no for 300 seconds."""


def start_nsd(folder: Path, zones: dict[str, str]) -> tuple[subprocess.Popen[bytes], int]:
    """NSD with these zones, each a text of records, and its port. Skips the test where it cannot be had."""
    binary, environment = _find()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lines = [
        "server:",
        f"  ip-address: 127.0.0.1@{port}",
        "  server-count: 1",
        '  username: ""',
        '  chroot: ""',
        *(f'  {key}: "{folder / name}"' for key, name in FILES.items()),
        f'  zonesdir: "{folder}"',
        '  database: ""',
        "remote-control:",
        "  control-enable: no",
    ]
    for number, (name, records) in enumerate(zones.items()):
        file = folder / f"zone-{number}"
        file.write_text(f"$ORIGIN {name}.{ZONE}{records}\n")
        lines += ["zone:", f"  name: {name}", f"  zonefile: {file}"]
    (folder / "nsd.conf").write_text("\n".join(lines) + "\n")
    command = [binary, "-d", "-c", str(folder / "nsd.conf")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    query = dns.message.make_query(next(iter(zones)), "SOA")
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            dns.query.udp(query, "127.0.0.1", port=port, timeout=0.2)
        except (dns.exception.Timeout, OSError):
            continue
        return process, port
    process.kill()
    raise AssertionError(f"NSD does not answer: {process.communicate()[1].decode()}")


FILES = {"pidfile": "nsd.pid", "xfrdfile": "xfrd.state", "zonelistfile": "zone.list", "logfile": "nsd.log"}
"""What NSD writes."""


def _find() -> tuple[str, dict[str, str]]:
    installed = shutil.which("nsd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if installed:
        return installed, dict(os.environ)
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "campaign-tests" / "nsd"
    binary = root / "usr/sbin/nsd"
    try:
        root.mkdir(parents=True, exist_ok=True)
        with (root / "lock").open("w") as lock:
            # Tests run in several processes.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not binary.exists():
                download = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *PACKAGES]
                subprocess.run(download, cwd=root, check=True, capture_output=True, timeout=100)
                for archive in root.glob("*.deb"):
                    subprocess.run(["dpkg", "-x", archive, root], check=True, capture_output=True, timeout=30)
        libraries = ":".join(map(str, (root / "usr/lib").glob("*-linux-gnu")))
        environment = os.environ | {"LD_LIBRARY_PATH": libraries}
        subprocess.run([binary, "-v"], env=environment, check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"NSD is not installed and cannot be had from Debian: {error}")
    return str(binary), environment
