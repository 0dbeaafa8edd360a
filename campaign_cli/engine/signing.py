"""What a campaign's messages are signed and unsubscribed with: the keys found, read, and fit for its sender."""

from __future__ import annotations

from collections.abc import Callable

from campaign_cli.config.settings import DkimFile, Settings, UnsubscribeLinks
from campaign_cli.content.dkim import Signer, signing_keys
from campaign_cli.content.keys import ADVISED, Algorithm, DkimKey, read_key, read_secret
from campaign_cli.content.unsubscribe import Unsubscribe
from campaign_cli.ledger.folder import StateFolder
from campaign_cli.model.errors import AlignmentError, ConfigError

SHORTEST_KEY = 32
"""Characters of a key for unsubscribe tokens: as many octets as the HMAC has (RFC 2104 3)."""


def find_signer(settings: Settings, domain: str, warn: Callable[[str], None]) -> Signer | None:
    """What signs for a From at `domain`; None where there are no keys. Raises ConfigError with all that is wrong."""
    if not settings.dkim:
        return None
    keys, findings = [], []
    for file in settings.dkim:
        try:
            keys.append(_read(file, warn))
        except ConfigError as error:
            findings += [f"{file.place}: dkim: {finding}" for finding in error.findings]
    if findings:
        raise ConfigError(findings)
    chosen = signing_keys(keys, domain)
    if not chosen:
        known = ", ".join(dict.fromkeys(key.domain for key in keys))
        raise AlignmentError(
            [
                f"{settings.dkim[0].place}: dkim: there is a key for {known}, and none for {domain}, where From is: "
                f"add one for {domain}, or take dkim out"
            ]
        )
    if not any(key.algorithm is Algorithm.RSA for key in chosen):
        warn(f"dkim: {chosen[0].domain} has an Ed25519 key only, which not all receivers know: add RSA (RFC 8463 6)")
    return Signer(chosen)


def _read(file: DkimFile, warn: Callable[[str], None]) -> DkimKey:
    key = read_key(file.key, domain=file.domain, selector=file.selector)
    if key.algorithm is Algorithm.RSA and key.bits < ADVISED:
        warn(f"{file.place}: dkim: {file.key} has {key.bits} bits: make one of {ADVISED} (RFC 8301 3.2)")
    return key


def find_unsubscribe(
    settings: Settings, campaign: str, folder: StateFolder, warn: Callable[[str], None]
) -> Unsubscribe | None:
    """The links of the campaign; None where there are none. Raises ConfigError, StateError.

    A key in the state folder is made when there is none; not in a dry run, whose tokens then are placeholders.
    """
    links = settings.unsubscribe
    if links is None:
        return None
    if links.url and not settings.dkim:
        warn(
            f"{links.place}: unsubscribe: one click counts only where a DKIM signature covers it (RFC 8058 4): "
            "add dkim, or see to it that the relay signs List-Unsubscribe and List-Unsubscribe-Post"
        )
    return Unsubscribe(campaign, links.url, links.mailto, _token_key(settings, links, folder, warn))


def _token_key(
    settings: Settings, links: UnsubscribeLinks, folder: StateFolder, warn: Callable[[str], None]
) -> bytes | None:
    path = links.key or folder.unsubscribe_key
    if links.key is None:
        if settings.dry_run and not path.exists():
            warn("unsubscribe: the first run makes the key for the tokens; the links shown here have none yet")
            return None
        folder.make_unsubscribe_key()
    key = read_secret(path).strip()
    if len(key) < SHORTEST_KEY:
        raise ConfigError([f"{path}: has fewer than {SHORTEST_KEY} characters: write openssl rand -hex 32 into it"])
    return key
