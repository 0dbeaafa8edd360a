"""What a disk may hold after the power fails, by a trace of `recording`.

What a sync was asked for and returned is there. Of everything written since, any part may be there and any part may
be missing, in any order: whole writes, or some of the sectors of one. The same is true of the names in a folder that
was not synced. Nothing is assumed of the file system beyond POSIX, but that a write damages no other bytes.
"""

from __future__ import annotations

import marshal
import random
import struct
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HEAD = struct.Struct("!I")

SECTOR = 512
"""Bytes that are written whole or not at all."""

Record = tuple[Any, ...]


def records(trace: Path) -> list[Record]:
    """The trace's; one that was cut off by the kill is none."""
    octets, place, found = trace.read_bytes(), 0, []
    while place + HEAD.size <= len(octets):
        (length,) = HEAD.unpack_from(octets, place)
        place += HEAD.size
        if place + length <= len(octets):
            found.append(marshal.loads(octets[place : place + length]))
        place += length
    return found


@dataclass(slots=True)
class File:
    """`synced` is on disk for certain; `unsynced` are the writes and truncations since, oldest first."""

    synced: bytearray = field(default_factory=bytearray)
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)
    done: int = 0
    """How many changes are in `synced`."""

    def change(self, offset: int, octets: bytes | None) -> None:
        self.unsynced.append((offset, octets))

    def settle(self, until: int) -> None:
        """The first `until` changes are on disk."""
        for offset, octets in self.unsynced[: until - self.done]:
            apply(self.synced, offset, octets)
        del self.unsynced[: max(until - self.done, 0)]
        self.done = max(self.done, until)

    def after_power_loss(self, chance: random.Random, kept: float) -> bytes:
        """Each unsynced change is there with the probability `kept`, and maybe torn."""
        content = bytearray(self.synced)
        for offset, octets in self.unsynced:
            if chance.random() >= kept:
                continue
            if octets is None or kept == 1.0 or chance.random() < 0.5:
                apply(content, offset, octets)
                continue
            for start in range(0, len(octets), SECTOR):
                if chance.random() < 0.5:
                    apply(content, offset + start, octets[start : start + SECTOR])
        return bytes(content)


def apply(content: bytearray, offset: int, octets: bytes | None) -> None:
    """A write, or a truncation to `offset`."""
    if octets is None:
        if offset < len(content):
            del content[offset:]
        return
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(octets)] = octets


class Disk:
    """Folders and files as they are, and as they are for certain, while records are played."""

    def __init__(self) -> None:
        self._names: dict[str, File | None] = {}
        self._synced_names: dict[str, File | None] = {}
        """Without a file: a folder."""
        self._syncing: dict[tuple[int, int], tuple[File, int]] = {}
        self._run = 0

    @classmethod
    def holding(cls, folder: Path) -> Disk:
        """One on which everything in `folder` is for certain."""
        disk = cls()
        for path in (folder, *folder.rglob("*")):
            disk._names[str(path)] = None if path.is_dir() else File(bytearray(path.read_bytes()))
        disk._synced_names = dict(disk._names)
        return disk

    def moved(self, old: Path, new: Path) -> Disk:
        """A copy, in which what was under `old` is under `new`."""
        copy = deepcopy(self)
        for names in (copy._names, copy._synced_names):
            for path in list(names):
                names[str(new / Path(path).relative_to(old))] = names.pop(path)
        copy._syncing.clear()
        return copy

    def play(self, record: Record) -> None:
        match record:
            case ("run",):
                # What a dead process had begun to sync is not synced.
                self._run += 1
            case ("create", path):
                self._names[path] = File()
            case ("create folder", path):
                self._names[path] = None
            case ("delete", path):
                del self._names[path]
            case ("write", path, offset, octets):
                self._file(path).change(offset, octets)
            case ("truncate", path, size):
                self._file(path).change(size, None)
            case ("sync", path, token):
                if file := self._names.get(path):
                    self._syncing[self._run, token] = file, file.done + len(file.unsynced)
            case ("synced", token):
                if begun := self._syncing.pop((self._run, token), None):
                    begun[0].settle(begun[1])
            case ("folder synced", folder):
                within = {path: file for path, file in self._names.items() if str(Path(path).parent) == folder}
                others = {path: file for path, file in self._synced_names.items() if str(Path(path).parent) != folder}
                self._synced_names = others | within

    def _file(self, path: str) -> File:
        file = self._names[path]
        assert file is not None
        return file

    def after_power_loss(self, above: Path, chance: random.Random, place: Path) -> None:
        """Write to the folder `place` what may be left of what was in the folder `above`."""
        kept = chance.choice((0.0, 0.5, 0.9, 1.0))
        for path in sorted(self._names.keys() | self._synced_names.keys()):
            names = self._names if chance.random() < kept else self._synced_names
            there = place / Path(path).relative_to(above)
            if path not in names or not there.parent.is_dir():
                continue
            file = names[path]
            if file is None:
                there.mkdir()
            else:
                there.write_bytes(file.after_power_loss(chance, kept))
