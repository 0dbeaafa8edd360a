"""By what a session with an MX host has to be protected: by the settings, and by who else has a say in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from campaign_cli.model.dns import Tlsa
from campaign_cli.model.relay import Tls


class Protection(NamedTuple):
    """How TLS is used; `by` is who wants it, as the report says it; "": only the settings. With `tlsa` the certificate
    is checked by these records."""

    tls: Tls
    by: str = ""
    tlsa: tuple[Tlsa, ...] = ()


def protection(least: Tls, *, sts: bool | None, tlsa: Sequence[Tlsa]) -> Protection | None:
    """By what a session with a host has to be protected; None: there may be none.

    `least` is what the settings want: who wants no TLS at all wants nobody else's either. `sts` is whether MTA-STS
    permits the host; None: it says nothing. DANE goes before it (RFC 8461 2); records of which none is usable make TLS
    mandatory (RFC 7672 2.2), and say nothing of whose it is.
    """
    if least is Tls.OFF:
        return Protection(least)
    if usable := tuple(record for record in tlsa if record.usable):
        return Protection(Tls.VERIFIED, "dane", usable)
    if sts is not None:
        return Protection(Tls.VERIFIED, "mta-sts") if sts else None
    if tlsa and least is not Tls.VERIFIED:
        return Protection(Tls.REQUIRED, "dane")
    return Protection(least)
