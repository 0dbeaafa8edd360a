"""Domains by what their names alone say."""

from __future__ import annotations

from collections.abc import Iterator

SPECIAL_USE = frozenset(
    {
        "example",
        "example.com",
        "example.net",
        "example.org",
        "invalid",
        "localhost",
        "test",  # RFC 2606 and RFC 6761: for documentation and tests
        "local",  # RFC 6762
        "onion",  # RFC 7686
        "home.arpa",  # RFC 8375
        "alt",  # RFC 9476
        "internal",  # reserved by ICANN for private use, 2024-07-29
    }
)
"""Names that the DNS everybody shares says nothing about, or nothing that is meant: example.com has a null MX."""


def suffixes(domain: str) -> Iterator[str]:
    """The domain and what is above it, the longest first: `a.b.c`, `b.c`, `c`."""
    while domain:
        yield domain
        domain = domain.partition(".")[2]


def is_public(domain: str) -> bool:
    """Whether DNS is to be asked about `domain`: one with a dot, no address literal, and not of special use."""
    return "." in domain and not domain.startswith("[") and SPECIAL_USE.isdisjoint(suffixes(domain))
