"""Samples made worse: byte by byte, and line by line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

LONGEST = 1 << 14
"""Bytes of an input: what is longer has tests of its own."""

RUNS = (2, 10, 100, 1000, 5000)
"""How often something stands in a row."""


def mutated(octets: bytes, random: Random, samples: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """`octets` after one to four changes; `tokens` are what means something in its format."""
    for _ in range(random.randint(1, 4)):
        change = random.choice((_byte, _cut, _repeat, _token, _lines, _splice))
        octets = change(octets, random, samples, tokens)
    return octets[:LONGEST]


def _span(octets: bytes, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(octets))
    return start, min(start + random.choice((0, 1, 2, 8, 64)), len(octets))


def _byte(octets: bytes, random: Random, samples: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    start, _ = _span(octets, random)
    return octets[:start] + bytes([random.randrange(256)]) + octets[start + 1 :]


def _cut(octets: bytes, random: Random, samples: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    start, end = _span(octets, random)
    return octets[:start] + octets[end:]


def _repeat(octets: bytes, random: Random, samples: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    start, end = _span(octets, random)
    return octets[:start] + octets[start:end] * random.choice(RUNS) + octets[end:]


def _token(octets: bytes, random: Random, samples: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    start, end = _span(octets, random)
    return octets[:start] + random.choice(tokens) + octets[random.choice((start, end)) :]


def _lines(octets: bytes, random: Random, samples: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    lines = octets.splitlines(keepends=True) or [b""]
    place, other = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(3):
        case 0:
            lines[place], lines[other] = lines[other], lines[place]
        case 1:
            lines.insert(place, lines[other])
        case _:
            del lines[place]
    return b"".join(lines)


def _splice(octets: bytes, random: Random, samples: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    other = random.choice(samples)
    return octets[: random.randint(0, len(octets))] + other[random.randint(0, len(other)) :]


def smallest(octets: bytes, broken: Callable[[bytes], bool]) -> bytes:
    """`octets` without all that need not be there for it to be `broken`."""
    length = len(octets)
    while length := length // 2:
        place = 0
        while place < len(octets):
            without = octets[:place] + octets[place + length :]
            if broken(without):
                octets = without
            else:
                place += length
    return octets
