import hashlib
import io
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from campaign_cli.config.providers import shipped_providers
from campaign_cli.config.settings import Settings
from campaign_cli.engine.preparation import Prepared, prepare
from campaign_cli.ledger.folder import StateFolder
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.errors import CampaignError, ExitCode
from campaign_cli.model.relay import parse_relay
from campaign_cli.policy.providers import Providers

NOW = datetime(2026, 3, 9, 12)
PROVIDERS = Providers.of(shipped_providers().values())
RELAY, LOGIN = parse_relay("smtp://mail.example.org"), parse_relay("smtps://ada@mail.example.org")
BOB, DESK = Mailbox("Bob", Address("bob", "example.net")), Mailbox("Desk", Address("desk", "example.net"))
FRONT = "from: Ada <ada@example.org>\n"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAMPAIGN_STATE", "kept")
    monkeypatch.delenv("CAMPAIGN_SMTP_PASSWORD", raising=False)
    Path("list.csv").write_text("email,name\nann@example.org,Ann\n")


def prepared(front: str = FRONT, source: str = "list.csv", **settings: object) -> Prepared:
    """What is made of a template with this front matter and these settings."""
    Path("hello.txt").write_text(f"---\nsubject: Hello\n{front}---\nHello {{{{ name }}}}\n")
    given = {"template": Path("hello.txt"), "relays": (RELAY,)} | settings
    return prepare(
        Settings(PROVIDERS, **given),  # type: ignore[arg-type]
        source,
        now=NOW,
        stdin=io.BytesIO(b"email,name\nann@example.org,Ann\n"),
    )


def headers(found: Prepared) -> list[str]:
    """The headers of the first message that say who it is from."""
    ann = Address("ann", "example.org")
    message = found.composer.compose(ann, {"name": "Ann"}, message_id="<1@x>", date=0.0)
    lines = message.content.decode().split("\r\n\r\n")[0].split("\r\n")
    return [line for line in lines if line.startswith(("From:", "Reply-To:"))]


@pytest.mark.parametrize(
    ("front", "settings", "shown", "envelope"),
    [
        (FRONT, {}, ["From: Ada <ada@example.org>"], "ada@example.org"),
        (FRONT, {"sender": BOB}, ["From: Bob <bob@example.net>"], "bob@example.net"),
        ("", {"sender": BOB}, ["From: Bob <bob@example.net>"], "bob@example.net"),
        ("from: nonsense\n", {"sender": BOB}, ["From: Bob <bob@example.net>"], "bob@example.net"),
        (
            FRONT + "reply_to: hi@example.org\n",
            {"return_path": Address("bounces", "example.org")},
            ["From: Ada <ada@example.org>", "Reply-To: hi@example.org"],
            "bounces@example.org",
        ),
        (
            FRONT + "reply_to: hi@example.org\n",
            {"sender": BOB, "reply_to": DESK},
            ["From: Bob <bob@example.net>", "Reply-To: Desk <desk@example.net>"],
            "bob@example.net",
        ),
    ],
)
def test_the_settings_say_who_sends_else_the_template(
    front: str, settings: dict[str, object], shown: list[str], envelope: str
) -> None:
    found = prepared(front, **settings)
    assert (headers(found), found.envelope_sender.email) == (shown, envelope)


@pytest.mark.parametrize(
    ("settings", "source", "name", "report", "root"),
    [
        ({}, "list.csv", "list-hello", "list-hello-report.csv", "kept"),
        ({}, "-", "stdin-hello", "stdin-hello-report.csv", "kept"),
        ({"name": "weekly-%Y-%m-%d"}, "list.csv", "weekly-2026-03-09", "weekly-2026-03-09-report.csv", "kept"),
        ({"name": "x", "state": Path("mine")}, "list.csv", "x", "x-report.csv", "mine"),
        ({"name": "x", "report": Path("out.csv")}, "list.csv", "x", "out.csv", "kept"),
        ({"name": "x", "sandbox": True}, "list.csv", "x", "x-sandbox/report.csv", "x-sandbox/state"),
        (
            {"name": "x", "sandbox": True, "report": Path("out.csv"), "state": Path("mine")},
            "list.csv",
            "x",
            "out.csv",
            "x-sandbox/state",
        ),
    ],
)
def test_name_report_and_state_have_their_usual_places(
    settings: dict[str, object], source: str, name: str, report: str, root: str
) -> None:
    found = prepared(source=source, **settings)
    assert (found.name, found.report, found.folder) == (name, Path(report), StateFolder(Path(root)))
    assert found.sandbox == (Path("x-sandbox") if settings.get("sandbox") else None)
    assert sorted(path.name for path in Path().iterdir()) == ["hello.txt", "list.csv"]


@pytest.mark.parametrize("settings", [{"dry_run": True}, {"sandbox": True}])
def test_no_relay_is_needed_where_nothing_goes_to_one(settings: dict[str, object]) -> None:
    assert prepared(relays=(), **settings).name == "list-hello"


def refusal(act: Callable[[], object]) -> tuple[ExitCode, list[str]]:
    with pytest.raises(CampaignError) as error:
        act()
    return error.value.exit_code, str(error.value).splitlines()


NOBODY = "hello.txt: nobody sends it: add 'from: Name <you@example.org>', or give --from"


@pytest.mark.parametrize(
    ("front", "settings", "source", "code", "lines"),
    [
        ("", {}, "list.csv", ExitCode.INPUT, [NOBODY]),
        (FRONT, {"relays": ()}, "list.csv", ExitCode.CONFIG, ["no relay: "]),
        (
            FRONT,
            {"report": Path("no/r.csv")},
            "list.csv",
            ExitCode.DISK,
            ["the report no/r.csv cannot be written there"],
        ),
        (
            "reply_to: x\n",
            {},
            "no.csv",
            ExitCode.INPUT,
            ["no.csv: ", NOBODY, "hello.txt: reply_to: 'x' is not a mailbox"],
        ),
        (
            "",
            {"relays": (), "report": Path()},
            "no.csv",
            ExitCode.INPUT,
            ["no.csv: there is no such list", NOBODY, "no relay: ", "the report . cannot be written there"],
        ),
        ("", {"relays": ()}, "list.csv", ExitCode.INPUT, [NOBODY, "no relay: "]),
        ("", {"relays": (LOGIN,)}, "list.csv", ExitCode.INPUT, [NOBODY, "relay mail.example.org:465 has a user but"]),
        (FRONT, {"relays": (LOGIN,), "dry_run": True}, "list.csv", ExitCode.CONFIG, ["relay mail.example.org:465 "]),
        (FRONT, {"state": Path("list.csv")}, "list.csv", ExitCode.DISK, ["the state folder list.csv is a file: name "]),
        (FRONT, {"relays": (), "report": Path()}, "list.csv", ExitCode.CONFIG, ["no relay: ", "the report . cannot"]),
    ],
)
def test_all_that_is_wrong_is_told_at_once_with_the_code_of_the_first(
    front: str, settings: dict[str, object], source: str, code: ExitCode, lines: list[str]
) -> None:
    found, said = refusal(lambda: prepared(front, source, **settings))
    assert (found, len(said)) == (code, len(lines))
    assert [line for line, start in zip(said, lines, strict=True) if not line.startswith(start)] == []


def test_no_subject_and_no_sender_are_told_together_also_without_a_list() -> None:
    Path("bare.txt").write_text("Hello")
    code, said = refusal(lambda: prepared("", "no.csv", template=Path("bare.txt")))
    assert (code, [line.partition(": add ")[0] for line in said]) == (
        ExitCode.INPUT,
        ["no.csv: there is no such list", "bare.txt: no subject", "bare.txt: nobody sends it"],
    )


def test_a_report_may_be_a_device_or_a_link() -> None:
    Path("link.csv").symlink_to("real.csv")
    for report in ("/dev/null", "link.csv"):
        assert prepared(report=Path(report)).report == Path(report)


def test_a_state_folder_on_a_network_file_system_is_told_with_all_else_but_where_nothing_is_sent_from_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("campaign_cli.ledger.folder.network_type", lambda _: "nfs4")
    code, lines = refusal(lambda: prepared("", relays=()))
    assert (code, len(lines)) == (ExitCode.INPUT, 3)
    assert lines[2].startswith("the state folder kept is on a network file system (nfs4), where two machines may")
    assert refusal(prepared)[0] == ExitCode.DISK
    for settings in ({"dry_run": True}, {"sandbox": True}):
        assert prepared(**settings).name == "list-hello"


def test_the_digest_is_another_when_anything_that_makes_the_message_is() -> None:
    Path("foot.txt").write_text("Bye {{ name }}")
    Path("hello.txt").write_text("x")

    def digest(body: str = "{% include 'foot.txt' %}", front: str = FRONT, **settings: object) -> str:
        Path("hello.txt").write_text(f"---\nsubject: Hello\n{front}---\n{body}\n")
        given = {"template": Path("hello.txt"), "relays": (RELAY,)} | settings
        return prepare(Settings(PROVIDERS, **given), "list.csv", now=NOW).composer.digest  # type: ignore[arg-type]

    first = digest()
    same = [
        digest(),
        digest(sender=Mailbox("Ada", Address("ada", "example.org"))),
        digest(subject="Hello"),
        digest(front=FRONT + "# a comment\n"),
        digest(return_path=Address("bounces", "example.org")),
    ]
    assert set(same) == {first}
    others = [
        digest("{% include 'foot.txt' %}!"),
        digest(subject="Other"),
        digest(sender=BOB),
        digest(reply_to=DESK),
        digest(front=FRONT + "reply_to: hi@example.org\n"),
        digest(front=FRONT + "X-Kind: a\n"),
        digest(list_unsubscribe="https://example.org/u"),
    ]
    Path("foot.txt").write_text("Bye, {{ name }}")
    others.append(digest())
    Path("hello.txt").rename("hello.md")
    others.append(
        prepare(Settings(PROVIDERS, template=Path("hello.md"), relays=(RELAY,)), "list.csv", now=NOW).composer.digest
    )
    assert len({first, *others}) == len(others) + 1


def test_a_lists_digest_is_that_of_its_bytes_wherever_it_comes_from() -> None:
    text = Path("list.csv").read_bytes()
    found = [prepared(source=source).contacts.digest() for source in ("list.csv", "-")]
    assert found == [hashlib.sha256(text).hexdigest()] * 2
