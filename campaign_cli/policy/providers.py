"""Which provider hosts a mailbox, and how that provider is treated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from campaign_cli.policy.limits import Pace

DEFAULT = "default"
"""The name under which every domain that belongs to no provider is configured."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's domains (A-labels) and how a lane to it behaves.

    `connections` is how many sessions at once; `messages_per_connection` how many transactions before a
    session is closed.
    """

    name: str
    domains: tuple[str, ...]
    pace: Pace
    connections: int
    messages_per_connection: int


@dataclass(frozen=True, slots=True)
class Providers:
    """Every provider known, by name, and the one that stands for all others."""

    by_name: Mapping[str, Provider]
    by_domain: Mapping[str, str]

    @classmethod
    def of(cls, providers: Iterable[Provider]) -> Providers:
        """From single providers, one of them named `default`; a domain belongs to the last that claims it."""
        by_name = {provider.name: provider for provider in providers}
        by_domain = {domain: name for name, provider in by_name.items() for domain in provider.domains}
        return cls(by_name, by_domain)

    def provider_of(self, domain: str) -> str:
        """The provider's name by domain; a domain nobody claims is a group of its own, named after itself."""
        return self.by_domain.get(domain, domain)

    def get(self, name: str) -> Provider:
        """How to treat the provider or single domain `name`."""
        known = self.by_name.get(name)
        return known if known else replace(self.by_name[DEFAULT], name=name)
