"""By what a session with an MX host has to be protected: by the settings, and by who else has a say in it."""

from __future__ import annotations

from typing import NamedTuple

from campaign_cli.model.relay import Tls


class Protection(NamedTuple):
    """How TLS is used; `by` is who wants it, as the report says it; "": only the settings."""

    tls: Tls
    by: str = ""


def protection(least: Tls, *, sts: bool) -> Protection:
    """By what, if `least` is what the settings want, and `sts` whether MTA-STS enforces it (RFC 8461 5).

    Who wants no TLS at all wants nobody else's either.
    """
    if least is Tls.OFF:
        return Protection(least)
    return Protection(Tls.VERIFIED, "mta-sts") if sts else Protection(least)
