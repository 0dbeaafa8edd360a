"""Values on their way between two processes of ours: each with its length before it."""

from __future__ import annotations

import struct
from typing import BinaryIO

HEAD = struct.Struct("!I")
"""Before each frame, its length in bytes."""


def framed(body: bytes) -> bytes:
    """`body` as it goes through the socket."""
    return HEAD.pack(len(body)) + body


def next_frame(frames: BinaryIO) -> bytes:
    """The next frame's body; empty when there is none, or only a part of it."""
    head = frames.read(HEAD.size)
    if len(head) < HEAD.size:
        return b""
    (length,) = HEAD.unpack(head)
    body = frames.read(length)
    return body if len(body) == length else b""
