"""Where a ledger belongs: so that one that was copied, or restored from a backup, is noticed before it is sent from."""

from __future__ import annotations

import array
import fcntl
import os
import re
import socket
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

MACHINE_ID = Path("/etc/machine-id")

SALT = b"campaign ledger"
"""The machine's own number is not to be shown to others (machine-id(5)): what is kept is its hash with this."""

CHOSEN_BY_CHANCE = 1 << 40
"""The bit of a hardware address that no card has; `uuid.getnode` sets it in one that it makes up, anew each time."""

GET_GENERATION = 2 << 30 | array.array("l").itemsize << 16 | ord("v") << 8 | 1
"""FS_IOC_GETVERSION of Linux: the number that tells apart the files which had the same inode one after the other."""


@dataclass(frozen=True, slots=True)
class Owner:
    """A machine, a file on it, and the epoch: how often the ledger has been opened for sending.

    `machine` is "" and a number 0 where it is not known: in a ledger that was never sent from, or that a release
    before this was recorded has made; and the generation where the file system has none.
    """

    machine: str = ""
    inode: int = 0
    generation: int = 0
    epoch: int = 0


def owner_here(path: Path) -> Owner:
    """The owner that the ledger at `path` has if it is where it belongs, the epoch aside. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return Owner(machine(), os.fstat(file).st_ino, _generation(file))
    finally:
        os.close(file)


def noticed(recorded: Owner, here: Owner, runs: int, *, empty: bool) -> str | None:
    """What is strange about a ledger that is opened for sending, in words; None: it is the one that it should be.

    `runs` is the epoch that `shared.db` knows of, `empty` that no list was ever enrolled in the ledger.
    """
    if recorded.machine and recorded.machine != here.machine:
        return "was last sent from on another machine: it was copied or moved here"
    if recorded.inode and not _same_file(recorded, here):
        return "is not the file that was last sent from: it was copied, or restored from a backup"
    if empty and runs and not recorded.epoch:
        return f"is new, though this campaign has had {_runs(runs)} before: its ledger was deleted or moved away"
    if recorded.epoch < runs:
        return f"knows of {_runs(recorded.epoch)} and there have been {runs}: an older copy was put in its place"
    return None


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _same_file(one: Owner, other: Owner) -> bool:
    both_have = one.generation and other.generation
    return one.inode == other.inode and (not both_have or one.generation == other.generation)


def machine() -> str:
    """What names this machine, and tells nothing else about it."""
    return blake2b(_own_name().encode(), key=SALT, digest_size=16).hexdigest()


def _own_name() -> str:
    try:
        name = MACHINE_ID.read_text().strip()
    except OSError:
        name = ""
    if name and name != "uninitialized":
        return name
    node = uuid.getnode()
    return f"{socket.gethostname()} {'' if node & CHOSEN_BY_CHANCE else node}"


def _generation(file: int) -> int:
    number = array.array("l", [0])
    try:
        fcntl.ioctl(file, GET_GENERATION, number)
    except OSError:
        return 0
    return number[0]


# ---- network file systems ----

MOUNTS = Path("/proc/self/mountinfo")

NETWORK = re.compile(
    r"nfs4?|cifs|smb3?|smbfs|9p|afs|ceph|lustre|glusterfs|beegfs|gpfs|gfs2|ocfs2|davfs"
    r"|fuse\.(ceph|davfs|glusterfs|rclone|s3fs|sshfs)"
)
"""File systems that more than one machine may have mounted, as Linux names them."""


def network_type(folder: Path) -> str | None:
    """The type of the network file system that `folder` is on; None: it is on none, or nobody can tell."""
    try:
        text = MOUNTS.read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    place = Path(os.path.realpath(folder))
    found, longest = "", -1
    for mount, kind in _mounts(text):
        # A later mount hides an earlier one at the same place.
        if place.is_relative_to(mount) and len(mount.parts) >= longest:
            found, longest = kind, len(mount.parts)
    return found if NETWORK.fullmatch(found) else None


def _mounts(text: str) -> Iterator[tuple[Path, str]]:
    """Where each file system is mounted, and its type (proc(5), /proc/pid/mountinfo)."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        if after:
            point = before.split(" ")[4]
            for octal, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
                point = point.replace(octal, character)
            yield Path(point), after.split(" ")[0]
