"""Which provider hosts a mailbox, and how that provider is treated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from campaign_cli.model.relay import Tls
from campaign_cli.policy.budgets import Budget, Warmup
from campaign_cli.policy.domains import is_public, suffixes
from campaign_cli.policy.limits import UNLIMITED, Pace
from campaign_cli.policy.retry import RetrySchedule

DEFAULT = "default"
"""The name under which every domain that belongs to no provider is configured."""

BY_MX = "mx:"
"""What the name of a group begins with that is known by its MX hosts: no domain has a colon."""

LONGEST_GROUP = 100
"""Characters of the MX hosts in a group's name, which stands in every one of its rows of the report."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's domains (A-labels), how its MX hosts' names end, and how a lane to it behaves.

    `connections` is how many sessions at once; `messages_per_connection` how many transactions before a
    session is closed. `tls` is the least by which its own hosts are spoken to; relays have their own.
    """

    name: str
    domains: tuple[str, ...]
    pace: Pace
    connections: int
    messages_per_connection: int
    mx_suffixes: tuple[str, ...] = ()
    warmup: Warmup | None = None
    connection_rate: Pace = UNLIMITED
    retry: RetrySchedule | None = None
    """When its deferred recipients are tried again; None: as all others."""
    tls: Tls = Tls.OPPORTUNISTIC

    @property
    def budget(self) -> Budget:
        """What its transactions count against."""
        return Budget(self.name, self.pace, self.warmup)


@dataclass(frozen=True, slots=True)
class Providers:
    """Every provider known, by name, and the one that stands for all others."""

    by_name: Mapping[str, Provider]
    by_domain: Mapping[str, str]
    by_mx: Mapping[str, str]

    @classmethod
    def of(cls, providers: Iterable[Provider]) -> Providers:
        """From single providers, one of them named `default`.

        A domain and a suffix belong to the last that claims it.
        """
        by_name = {provider.name: provider for provider in providers}
        by_domain = {domain: name for name, provider in by_name.items() for domain in provider.domains}
        by_mx = {suffix.lstrip("."): name for name, provider in by_name.items() for suffix in provider.mx_suffixes}
        return cls(by_name, by_domain, by_mx)

    def provider_of(self, domain: str) -> str:
        """The provider's name by domain; a domain nobody claims is a group of its own, named after itself."""
        return self.by_domain.get(domain, domain)

    def group_of(self, hosts: Sequence[str]) -> str:
        """The provider's name by a domain's MX hosts, if all of them are its own; else a group of the same hosts.

        Of two suffixes that fit a host the longer counts.
        """
        owners = {next(filter(None, map(self.by_mx.get, suffixes(host))), None) for host in hosts}
        owner = owners.pop() if len(owners) == 1 else None
        return owner or _group_named_after(hosts)

    def with_hosts(self, found: Mapping[str, Sequence[str]]) -> Providers:
        """The same, with the domains whose MX hosts were `found` in their groups, unless they are claimed by name."""
        grouped = {domain: self.group_of(hosts) for domain, hosts in found.items() if domain not in self.by_name}
        return replace(self, by_domain=grouped | dict(self.by_domain))

    def to_be_found(self, group: str) -> bool:
        """Whether `group` is a single domain that nobody claims, so that its MX hosts may say more."""
        return group not in self.by_name and not group.startswith(BY_MX) and is_public(group)

    def get(self, name: str) -> Provider:
        """How to treat the provider or group `name`."""
        known = self.by_name.get(name)
        return known if known else replace(self.by_name[DEFAULT], name=name)


def _group_named_after(hosts: Sequence[str]) -> str:
    """The same for the same hosts in any order, and for no others."""
    names = sorted(set(hosts))
    joined = ",".join(names)
    if len(joined) > LONGEST_GROUP:
        digest = blake2b(joined.encode(), digest_size=8).hexdigest()
        joined = f"{names[0]},{len(names) - 1} more,{digest}"
    return f"{BY_MX}{joined}"
