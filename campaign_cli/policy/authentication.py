"""What SPF, DKIM and DMARC records say: read, followed and judged. Who asks DNS is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from campaign_cli.model.dns import Unresolved
from campaign_cli.model.finding import Finding
from campaign_cli.policy.domains import suffixes

Ask = Callable[[str, str], Awaitable[tuple[str, ...] | Unresolved]]
"""Asks DNS for the records at a name, of a kind such as TXT."""

MOST_LOOKUPS = 10
MOST_VOID = 2
"""DNS lookups that an SPF check may take, and those of them that may find nothing (RFC 7208 4.6.4)."""

ENOUGH = 50
"""Lookups after which nobody counts any more."""

ASKING = {"include": "TXT", "a": "A", "mx": "MX", "exists": "A", "ptr": ""}
"""SPF's mechanisms that take a lookup, and what they ask for."""


def tags(record: str) -> dict[str, str] | None:
    """A list of tags (RFC 6376 3.2), their names in lower case; None for one that cannot be read."""
    found: dict[str, str] = {}
    for each in record.strip().rstrip(";").split(";"):
        name, equals, value = each.partition("=")
        name = name.strip().lower()
        if not equals or not name or name in found:
            return None
        found[name] = value.strip()
    return found


def judged_key(place: str, records: tuple[str, ...], public: str) -> Iterator[Finding]:
    """What is wrong with the DKIM `records` at `place`, for a key whose public half is `public`, in Base64."""
    if not records:
        yield Finding("auth.dkim-missing", place, "there is no TXT record")
        return
    if len(records) > 1:
        yield Finding("auth.dkim-wrong", place, f"there are {len(records)} TXT records, and receivers take any")
        return
    found = tags(records[0])
    if found is None or "p" not in found or found.get("v", "DKIM1") != "DKIM1":
        yield Finding("auth.dkim-wrong", place, f"{records[0][:60]!r} is no DKIM record")
        return
    published = "".join(found["p"].split())
    if not published:
        yield Finding("auth.dkim-revoked", place, "its p= is empty")
    elif published.rstrip("=") != public.rstrip("="):
        yield Finding("auth.dkim-mismatch", place, "its p= is not the public half of the private key")
    if "y" in found.get("t", "").split(":"):
        yield Finding("auth.dkim-testing", place, "it has t=y")


@dataclass(slots=True)
class SpfWalk:
    """Follows the SPF record of a domain through all that it includes, as a receiver may have to."""

    ask: Ask
    domain: str
    lookups: int = 0
    void: int = 0
    findings: list[Finding] = field(default_factory=list)

    async def judged(self) -> list[Finding]:
        """All that is wrong with it."""
        await self._follow(self.domain, ())
        if self.lookups > MOST_LOOKUPS:
            count = f"{self.lookups}" if self.lookups < ENOUGH else f"{ENOUGH} or more"
            self._find("auth.spf-lookups", f"it takes {count} lookups, and {MOST_LOOKUPS} are allowed")
        if self.void > MOST_VOID:
            self._find("auth.spf-void", f"{self.void} lookups find nothing, and {MOST_VOID} may")
        return self.findings

    def _find(self, rule: str, what: str) -> None:
        self.findings.append(Finding(rule, f"TXT {self.domain}", what))

    async def _follow(self, domain: str, above: tuple[str, ...]) -> None:
        if domain in above:
            self._find("auth.spf-wrong", f"{' includes '.join([*above, domain])}: that has no end")
            return
        said = await self.ask(domain, "TXT")
        if isinstance(said, Unresolved):
            self.findings.append(Finding("dns.unanswered", f"TXT {domain}", said.reason))
            return
        records = [each for each in said if each.lower().split(" ")[0] == "v=spf1"]
        if not records:
            self.void += bool(above and not said)
            if above:
                self._find("auth.spf-wrong", f"{above[-1]} includes {domain}, which has no SPF record")
            else:
                self._find("auth.spf-missing", "no TXT record begins with v=spf1")
            return
        if len(records) > 1:
            self._find("auth.spf-several", f"{domain} has {len(records)}")
            return
        terms = records[0].split()[1:]
        last = None
        for term in terms:
            if self.lookups >= ENOUGH:
                return
            if term.lower().startswith("redirect="):
                last = term.partition("=")[2]
            elif term.lower() in ("all", "+all") and not above:
                self._find("auth.spf-all", f"{term} lets every address pass")
            else:
                await self._look(term, domain, above)
        if last and not any(term.lstrip("+-~?").lower() == "all" for term in terms):
            self.lookups += 1
            if "%" not in last:
                await self._follow(last.lower().rstrip("."), (*above, domain))

    async def _look(self, term: str, domain: str, above: tuple[str, ...]) -> None:
        """Count what a mechanism looks up, and follow it where it leads on."""
        name, _, target = term.lstrip("+-~?").partition(":")
        name, target = name.partition("/")[0].lower(), (target.partition("/")[0] or domain).lower().rstrip(".")
        if name not in ASKING:
            if name not in ("ip4", "ip6", "all") and "=" not in name:
                self._find("auth.spf-wrong", f"{domain}: {term!r} is no mechanism of SPF")
            return
        self.lookups += 1
        if "%" in target or name == "ptr":
            return
        if name == "include":
            await self._follow(target, (*above, domain))
            return
        found = await self.ask(target, ASKING[name])
        if found == () and name == "a":
            found = await self.ask(target, "AAAA")
        self.void += found == ()


@dataclass(frozen=True, slots=True)
class Dmarc:
    """What DMARC says of a From domain: the domain whose others align with it, and whether only itself does."""

    organization: str
    strict_dkim: bool = False
    strict_spf: bool = False
    findings: tuple[Finding, ...] = ()

    def aligned(self, domain: str, own: str, *, strict: bool) -> bool:
        """Whether `domain` aligns with `own`, From's (RFC 7489 3.1)."""
        return domain == own or (not strict and self.organization in suffixes(domain))


async def read_dmarc(ask: Ask, domain: str) -> Dmarc:
    """DMARC of the From domain `domain`, by a walk up the tree (RFC 9989 4.10): no list of public suffixes.

    Top-level domains are not asked: what one of them may say, `psd=y`, makes none of them an organization.
    """
    found: dict[str, dict[str, str]] = {}
    findings = []
    for above in [each for each in suffixes(domain) if "." in each]:
        place = f"TXT _dmarc.{above}"
        said = await ask(f"_dmarc.{above}", "TXT")
        if isinstance(said, Unresolved):
            return Dmarc(domain, findings=(Finding("dns.unanswered", place, said.reason),))
        records = [each for each in said if each.lower().lstrip().startswith("v=dmarc1")]
        if not records:
            continue
        read = tags(records[0])
        if len(records) > 1:
            findings.append(Finding("auth.dmarc-wrong", place, f"there are {len(records)}, and there may be one"))
        elif read is None or _senseless(read):
            findings.append(Finding("auth.dmarc-wrong", place, f"{records[0][:60]!r} makes no sense"))
        elif read.get("psd", "").lower() != "y":
            found[above] = read
    if not found:
        missing = Finding("auth.dmarc-missing", f"TXT _dmarc.{domain}", "neither it nor a domain above has a record")
        return Dmarc(domain, findings=tuple(findings) or (missing,))
    first = next(iter(found.values()))
    return Dmarc(
        organization=min(found, key=len),
        strict_dkim=first.get("adkim", "r").lower() == "s",
        strict_spf=first.get("aspf", "r").lower() == "s",
        findings=tuple(findings),
    )


def _senseless(record: dict[str, str]) -> bool:
    """Whether it is no record of DMARC, or asks for what receivers do not know (RFC 7489 6.3)."""
    policies = ("none", "quarantine", "reject")
    return record.get("v", "").upper() != "DMARC1" or record.get("p", "none").lower() not in policies
