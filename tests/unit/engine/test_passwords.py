import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from campaign_cli.config.providers import shipped_providers
from campaign_cli.config.settings import Password, Settings
from campaign_cli.engine import passwords
from campaign_cli.engine.passwords import FRESH, PASSWORD_VARIABLE, Passwords, unusable
from campaign_cli.model.errors import ConfigError, ExitCode
from campaign_cli.model.relay import parse_relay
from campaign_cli.policy.providers import Providers

PROVIDERS = Providers.of(shipped_providers().values())
SECRET = "hunter2"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)


def refusal(source: Password | None) -> str:
    with pytest.raises(ConfigError) as error:
        password(source)
    assert error.value.exit_code is ExitCode.CONFIG
    # What the program was given or printed does not show in a traceback either.
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None
    return str(error.value)


def command(program: str) -> str:
    """A command that runs a Python program from a file."""
    Path("tell.py").write_text(program)
    return f"'{sys.executable}' tell.py"


def password(source: Password | None, relay: str = "smtps://ada@mail.example.org") -> str | None:
    relays = parse_relay("smtp://backup.example.org"), parse_relay(relay)
    found = Passwords(Settings(PROVIDERS, relays=relays, password=source))
    assert asyncio.run(found.of(relays[0])) is None
    return asyncio.run(found.of(relays[1]))


def test_the_password_comes_from_the_environment_else_a_file_else_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("secret").write_text("from file\r\n")
    tell = command("print('from command')")
    both = Password(Path("secret"), tell)
    found = [password(both), password(Password(None, tell))]
    monkeypatch.setenv(PASSWORD_VARIABLE, "")
    found.append(password(both))
    monkeypatch.setenv(PASSWORD_VARIABLE, "from environment")
    found += [password(both), password(None)]
    assert found == ["from file", "from command", "from file", "from environment", "from environment"]


def test_a_relay_without_a_user_asks_for_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, SECRET)
    assert password(Password(Path("no such file")), relay="smtp://other.example.org") is None


def test_only_line_ends_are_taken_off_a_password() -> None:
    Path("secret").write_bytes(b"  s p\xc3\xa4ce \n\n")
    assert password(Password(Path("secret"))) == "  s päce "


def test_a_password_that_is_nowhere_is_told_with_the_relay_and_where_it_could_be() -> None:
    assert refusal(None) == (
        f"relay mail.example.org:465 has a user but no password: set {PASSWORD_VARIABLE}, password_file or "
        "password_command"
    )


def test_a_password_file_that_cannot_be_read_is_told_and_none_of_its_text() -> None:
    Path("latin").write_bytes(f"{SECRET}é".encode("latin-1"))
    Path("blank").write_text("\n")
    said = {name: refusal(Password(Path(name))) for name in ("none", "latin", ".", "blank")}
    assert said == {
        "none": "password_file none: No such file or directory",
        "latin": "password_file latin: is not UTF-8 text",
        ".": "password_file .: Is a directory",
        "blank": "password_file blank: is empty: write the password into it",
    }


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (f"print('{SECRET}'); raise SystemExit(1)", "it ended with status 1"),
        (f"import sys; sys.stdout.buffer.write(b'{SECRET}' + bytes([0xFF]))", "it printed what is not UTF-8 text"),
        (f"print('{SECRET}', flush=True); import signal; signal.pause()", "it did not end within 0 s"),
        ("import os; os.kill(os.getpid(), 9)", "signal 9 ended it"),
        ("print()", "it printed nothing"),
        ("", "there is no such command"),
        (None, "it is not a command line: no closing quotation"),
    ],
)
def test_a_command_that_gives_no_password_is_told_and_nothing_it_printed(
    program: str | None, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "PASSWORD_TIMEOUT", 0.2 if "within" in reason else 60.0)
    line = command(program) if program else "no-such-program-here" if program == "" else "pass 'show"
    assert refusal(Password(None, line)) == f"password_command {line!r} gave no password: {reason}"


def test_before_the_run_a_command_is_looked_for_and_not_run() -> None:
    relays = (parse_relay("smtps://ada@mail.example.org"),)
    settings = Settings(PROVIDERS, relays=relays, password=Password(None, command("open('ran', 'w')")))
    assert (unusable(settings), Path("ran").exists()) == ([], False)
    (error,) = unusable(Settings(PROVIDERS, relays=relays, password=Password(None, "no-such-program-here")))
    assert "there is no such command" in str(error)


def test_the_sandbox_asks_for_no_password() -> None:
    relays = (parse_relay("smtps://ada@mail.example.org"),)
    settings = Settings(PROVIDERS, relays=relays, sandbox=True)
    assert (unusable(settings), asyncio.run(Passwords(settings).of(relays[0]))) == ([], None)


def test_a_relay_has_its_own_password_and_others_the_common_one_each_source_asked_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    count = command("open('asked', 'a').write('x'); print('common')")
    Path("own").write_text("own")
    relays = [parse_relay(f"smtps://ada@{name}.example.org") for name in ("one", "two", "three")]
    settings = Settings(
        PROVIDERS,
        relays=tuple(relays),
        password=Password(None, count),
        passwords={"three.example.org:465": Password(Path("own"))},
    )

    def given() -> list[str | None]:
        found = Passwords(settings)
        return [asyncio.run(found.of(relay)) for relay in relays]

    assert (given(), Path("asked").read_text()) == (["common", "common", "own"], "x")
    monkeypatch.setenv(PASSWORD_VARIABLE, "from environment")
    assert given() == ["from environment", "from environment", "own"]


def test_a_token_that_is_refused_is_asked_for_again_when_it_may_have_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(passwords, "time", SimpleNamespace(monotonic=lambda: now[0]))
    Path("token").write_text("first")
    relay = replace(parse_relay("smtps://ada@mail.example.org"), xoauth2=True)
    settings = Settings(PROVIDERS, relays=(relay,), password=Password(Path("token")))
    found = Passwords(settings)
    Path("token").write_text("second")
    assert (found.expired(relay), asyncio.run(found.of(relay))) == (False, "first")
    now[0] += FRESH
    assert (found.expired(replace(relay, xoauth2=False)), asyncio.run(found.of(relay))) == (False, "first")
    assert (found.expired(relay), asyncio.run(found.of(relay)), found.expired(relay)) == (True, "second", False)
