"""What relays are logged in to with: a password, or a token that expires; from the environment, a file or a command."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import subprocess
import time
from pathlib import Path

from campaign_cli.config.settings import Password, Settings
from campaign_cli.model.errors import CampaignError, ConfigError
from campaign_cli.model.relay import Relay

PASSWORD_VARIABLE = "CAMPAIGN_SMTP_PASSWORD"  # noqa: S105

PASSWORD_TIMEOUT = 60.0
"""Seconds a password command may take: long enough to unlock a store, short enough for cron to notice."""

FRESH = 60.0
"""Seconds for which a token that is refused is not taken for one that has expired: they last an hour."""


class Passwords:
    """The passwords of a run's relays. Each source is asked once, when this is made; a command may ask its user.

    Raises ConfigError; what a password is never stands in the error.
    """

    def __init__(self, settings: Settings) -> None:
        self._sources = _sources(settings)
        asked: dict[Password | None, str] = {}
        self._found: dict[str, tuple[str, float]] = {}
        for name, source in self._sources.items():
            if source not in asked:
                asked[source] = _found(source, run=True)
            self._found[name] = asked[source], time.monotonic()

    async def of(self, relay: Relay) -> str | None:
        """The relay's password; None for one without a user."""
        if relay.name not in self._sources:
            return None
        if relay.name not in self._found:
            source = self._sources[relay.name]
            self._found[relay.name] = await asyncio.to_thread(_found, source, run=True), time.monotonic()
        return self._found[relay.name][0]

    def expired(self, relay: Relay) -> bool:
        """The relay has refused what it is given: whether that is a token that `of` will find a new one for."""
        if not relay.xoauth2 or relay.name not in self._found or self._sources[relay.name] is None:
            return False
        if time.monotonic() - self._found[relay.name][1] < FRESH:
            return False
        del self._found[relay.name]
        return True


def unusable(settings: Settings) -> list[CampaignError]:
    """What is wrong with where the passwords come from, as far as can be seen without running a command."""
    try:
        for source in set(_sources(settings).values()):
            _found(source, run=False)
    except ConfigError as error:
        return [error]
    return []


def _sources(settings: Settings) -> dict[str, Password | None]:
    """Where the password of each relay with a user comes from; None: the environment."""
    users = [] if settings.sandbox else [relay for relay in settings.relays if relay.user]
    sources: dict[str, Password | None] = {}
    for relay in users:
        source = settings.passwords.get(relay.name)
        if source is None and not os.environ.get(PASSWORD_VARIABLE):
            source = settings.password
            if source is None:
                raise ConfigError(
                    [
                        f"relay {relay.name} has a user but no password: set {PASSWORD_VARIABLE}, password_file or "
                        "password_command"
                    ]
                )
        sources[relay.name] = source
    return sources


def _found(source: Password | None, *, run: bool) -> str:
    """The password; "" when it is a command's and that is not to be run."""
    if source is None:
        return os.environ[PASSWORD_VARIABLE]
    if source.file:
        return _password_in(source.file)
    return _password_from(source.command or "", run=run)


def _password_in(file: Path) -> str:
    try:
        password = file.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise ConfigError([f"password_file {file}: {reason}"]) from None
    if not password:
        raise ConfigError([f"password_file {file}: is empty: write the password into it"])
    return password


def _password_from(command: str, *, run: bool) -> str:
    try:
        words = shlex.split(command)
        if not words or shutil.which(words[0]) is None:
            raise FileNotFoundError
        if not run:
            return ""
        ran = subprocess.run(  # noqa: S603
            words, stdout=subprocess.PIPE, encoding="utf-8", timeout=PASSWORD_TIMEOUT, check=True
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ConfigError([f"password_command {command!r} gave no password: {_why(error)}"]) from None
    if not (password := ran.stdout.rstrip("\r\n")):
        raise ConfigError([f"password_command {command!r} gave no password: it printed nothing"])
    return password


def _why(error: Exception) -> str:
    """What went wrong with a command; never what it printed."""
    match error:
        case subprocess.CalledProcessError(returncode=status):
            return f"it ended with status {status}" if status > 0 else f"signal {-status} ended it"
        case subprocess.TimeoutExpired():
            return f"it did not end within {PASSWORD_TIMEOUT:.0f} s"
        case FileNotFoundError():
            return "there is no such command"
        case OSError():
            return f"it cannot be started: {error.strerror}"
        case UnicodeDecodeError():
            return "it printed what is not UTF-8 text"
        case _:
            return f"it is not a command line: {str(error).lower()}"
