import io
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from campaign_cli.cli.display import Display
from campaign_cli.cli.main import run

RELAY = ("--relay", "smtp://127.0.0.1:1")

NO_RELAY = (
    "no relay: give one with --relay smtps://user@host, or relay: in campaign.yaml; --sandbox tries everything "
    "without one"
)

PASSWORD_IN_URL = (
    "the relay's URL has a password in it, where other users of this machine can read it: take it out and give it as "
    "CAMPAIGN_SMTP_PASSWORD, password_file or password_command"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with a good list and template, and a state of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAMPAIGN_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("CAMPAIGN_SMTP_PASSWORD", raising=False)
    # `send` sets the log up for the whole process; what it sets is put back.
    for name in ("handlers", "propagate", "level"):
        monkeypatch.setattr(logging.getLogger("campaign_cli"), name, getattr(logging.getLogger("campaign_cli"), name))
    Path("list.csv").write_text("email,name\nann@example.org,Ann\n")
    Path("hello.txt").write_text("---\nsubject: Hello\nfrom: Ada <ada@example.org>\n---\nHello {{ name }}\n")
    return tmp_path


def said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    """The exit code and the lines on standard error; nothing is on standard output, and nothing was written."""
    before = sorted(Path().rglob("*"))
    code = run(arguments)
    out, err = capsys.readouterr()
    assert (out, sorted(Path().rglob("*"))) == ("", before)
    return code, err.splitlines()


def usage(command: str, error: str) -> list[str]:
    return [
        f"Usage: campaign{command}",
        f"Try 'campaign{command.partition(' [')[0]} --help' for help.",
        "",
        f"Error: {error}",
    ]


GROUP, SEND = " [OPTIONS] COMMAND [ARGS]...", " send [OPTIONS] LIST"


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        ("sned", usage(GROUP, "No such command 'sned'; did you mean 'send'?")),
        ("xyz", usage(GROUP, "No such command 'xyz'.")),
        ("--nope", usage(GROUP, "No such option '--nope'.")),
        ("send", usage(SEND, "Missing argument 'LIST'.")),
        ("send list.csv --limit many", usage(SEND, "Invalid value for '--limit': 'many' is not a valid integer.")),
        ("send list.csv other.csv", usage(SEND, "Got unexpected extra argument (other.csv)")),
        ("report", usage(" report [OPTIONS] NAME", "Missing argument 'NAME'.")),
        ("suppress add", usage(" suppress add [OPTIONS] ADDRESS...", "Missing argument 'ADDRESS...'.")),
    ],
)
def test_a_command_line_that_makes_no_sense_is_told_with_its_usage(
    arguments: str, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = said(arguments.split(), capsys)
    # Which words of click's own follow the first ones depends on its version.
    assert (code, found[:-1]) == (64, lines[:-1])
    assert found[-1].startswith(lines[-1].rstrip("."))


def test_an_option_that_does_not_exist_is_told_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = said(["send", "list.csv", "--templat", "x"], capsys)
    assert (code, lines[:3]) == (64, usage(SEND, "")[:3])
    assert lines[3].startswith("Error: No such option '--templat'.") or "No such option: --templat" in lines[3]
    assert len(lines) == 4


def test_no_arguments_are_answered_with_the_help_as_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = said([], capsys)
    assert run(["--help"]) == 0
    assert (code, lines) == (64, capsys.readouterr().out.splitlines())


HELLO = ["send", "list.csv", "-t", "hello.txt"]


@pytest.mark.parametrize(
    ("arguments", "code", "lines"),
    [
        (
            ["send", "list.csv", *RELAY],
            64,
            ["no template: give one with --template FILE, or as template: in campaign.yaml"],
        ),
        (["send", "no.csv", "-t", "hello.txt", *RELAY], 65, ["no.csv: there is no such list"]),
        (["send", ".", "-t", "hello.txt", *RELAY, "--name", "x"], 65, [".: cannot be read: Is a directory"]),
        (["send", "list.csv", "-t", "no.txt", *RELAY], 65, ["no.txt: there is no such template"]),
        (HELLO, 78, [NO_RELAY]),
        (
            [*HELLO, *RELAY, "--name", "a/b"],
            64,
            [
                "'a/b' cannot be a campaign's name: use letters, digits, spaces and . _ - + @ = , (at most 100)",
            ],
        ),
        ([*HELLO, "--relay", "smtp://ann:hunter2@h"], 64, [f"--relay: {PASSWORD_IN_URL}"]),
        (
            [*HELLO, *RELAY, "--max-runtime", "soon", "--rate", "yaho=1/h"],
            64,
            [
                "--max-runtime: 'soon' is not a length of time: write it as 90s, 55m, 2h or 4d",
                "--rate: no provider is named 'yaho'; did you mean 'yahoo'?",
            ],
        ),
        (
            [*HELLO, *RELAY, "--config", "no.yaml"],
            78,
            ["no.yaml: cannot be read: No such file or directory; name another with --config"],
        ),
        (
            [*HELLO, *RELAY, "--report", "no/out.csv"],
            74,
            ["the report no/out.csv cannot be written there: name another file with --report"],
        ),
        (
            [*HELLO, *RELAY, "--report", "."],
            74,
            ["the report . cannot be written there: name another file with --report"],
        ),
        (
            [*HELLO, *RELAY, "--log-file", "no/log.txt"],
            74,
            ["the log no/log.txt cannot be written: No such file or directory; name another file"],
        ),
        (["report", "nobody"], 64, ["no campaign is named 'nobody'; there is none in {folder}/state"]),
        (["status", "nobody"], 64, ["no campaign is named 'nobody'; there is none in {folder}/state"]),
        (
            ["resolve", "nobody", "--delivered", "--all"],
            64,
            ["no campaign is named 'nobody'; there is none in {folder}/state"],
        ),
        (["resolve", "x", "--all"], 64, ["say what became of them: --delivered or --not-delivered"]),
        (
            ["resolve", "x", "--delivered"],
            64,
            ["name the addresses, or give --all for every uncertain recipient, and not both"],
        ),
        (
            ["resolve", "x", "--delivered", "--all", "a@example.org"],
            64,
            ["name the addresses, or give --all for every uncertain recipient, and not both"],
        ),
        (["resolve", "x", "--delivered", "me"], 64, ["'me' is not an address: an email address must have an @-sign"]),
        (["suppress", "add", "nobody"], 64, ["'nobody' is not an address: an email address must have an @-sign"]),
    ],
)
def test_each_error_has_its_exit_code_and_one_line(
    arguments: list[str], code: int, lines: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = said(arguments, capsys)
    assert found == (code, [f"campaign: {line.format(folder=folder)}" for line in lines])


def test_a_list_a_template_and_a_configuration_that_are_wrong_are_told_at_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("bad.csv").write_text("name,address\nAnn,ann@example.org\n")
    Path("bad.txt").write_text("---\nsubject: Hello\nfrom: nobody\n---\nHello {{ name\n")
    assert said(["send", "bad.csv", "-t", "bad.txt", "--report", "no/r.csv"], capsys) == (
        65,
        [
            "campaign: bad.csv:1: no column is named email: name the address column with --email-column; its columns "
            "are: name, address",
            "campaign: bad.txt:5: unexpected end of template, expected 'end of print statement': mend this line; "
            "Jinja2 is written as {{ name }} and {% if name %} ... {% endif %}",
            f"campaign: {NO_RELAY}",
            "campaign: the report no/r.csv cannot be written there: name another file with --report",
        ],
    )


def test_a_template_that_names_what_the_list_has_not_is_told_with_all_else(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.txt").write_text("---\nsubject: Hello\nfrom: nobody\n---\nHello {{ nam }},\n{{ city }}\n")
    code, lines = said(["send", "list.csv", "-t", "bad.txt"], capsys)
    assert (code, lines[0], len(lines), lines[-1]) == (
        65,
        "campaign: bad.txt:5: 'nam' is not a column of the list (did you mean 'name'?); the list's columns are: email, "
        "name",
        4,
        f"campaign: {NO_RELAY}",
    )
    assert [line.partition("'")[0] for line in lines[1:3]] == ["campaign: bad.txt:6: ", "campaign: bad.txt: from: "]


def test_a_configuration_that_is_wrong_hides_nothing_that_is_wrong_with_the_list_or_the_template(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("campaign.yaml").write_text("limit: x\ntemplate: bad.txt\nrelay: [smtp://a, 5]\nlog_file: log\n")
    Path("bad.txt").write_text("---\nsubject: Hello\n---\nHello {{ nam }}\n")
    code, lines = said(["send", "bad.csv"], capsys)
    assert (code, [line.split(":")[1].strip() for line in lines]) == (78, ["campaign.yaml", "campaign.yaml", "bad.csv"])
    code, lines = said(["send", "list.csv"], capsys)
    assert (code, [line.split(":")[1].strip() for line in lines]) == (78, ["campaign.yaml", "campaign.yaml", "bad.txt"])
    assert not Path("log").exists()


def test_everything_wrong_in_the_configuration_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    Path("campaign.yaml").write_text("relly: smtp://h\nlimit: x\nrate: {yaho: 1/h}\nrelay: smtp://ann:hunter2@h\n")
    assert said(HELLO, capsys) == (
        78,
        [
            "campaign: campaign.yaml:1: 'relly' is not a setting; did you mean 'relay'?",
            "campaign: campaign.yaml:2: limit: must be a number from 1 to 1000000000, not 'x'",
            "campaign: campaign.yaml:3: no provider is named 'yaho'; did you mean 'yahoo'?",
            f"campaign: campaign.yaml:4: relay: {PASSWORD_IN_URL}",
        ],
    )


@pytest.mark.parametrize(
    "command", ["status x", "providers", "report x", "suppress list", "suppress add a@example.org"]
)
def test_every_command_refuses_a_wrong_configuration(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("campaign.yaml").write_text("relay: [\n")
    code, lines = said(command.split(), capsys)
    assert code == 78
    assert lines == ["campaign: campaign.yaml:2: is not YAML: expected the node content, but found '<stream end>'"]


def sent(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = run(["send", *arguments])
    return (code, *capsys.readouterr())


def test_a_list_with_nothing_but_a_header_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("list.csv").write_text("email,name\n")
    for option, said in (("--dry-run", "The list has no rows.\n"), ("--sandbox", "list-hello: the list has no rows\n")):
        code, out, err = sent(["list.csv", "-t", "hello.txt", option], capsys)
        assert (code, said in out, err) == (0, True, "")


def test_a_dry_run_in_which_no_message_can_be_made_ends_as_a_wrong_template(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.txt").write_text("---\nsubject: s\nfrom: ada@example.org\n---\n{{ 1 / (name | length - 3) }}\n")
    for rows, expected in (("ann@example.org,Ann\n", 65), ("ann@example.org,Ann\nbo@example.org,Bo\n", 0)):
        Path("list.csv").write_text(f"email,name\n{rows}")
        code, out, err = sent(["list.csv", "-t", "bad.txt", "--dry-run"], capsys)
        assert (code, "division by zero" in out, err) == (expected, True, "")


def test_who_says_no_to_the_question_is_told_that_nothing_was_sent(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("list.csv").write_text("email,name\n" + "".join(f"p{number}@example.org,P\n" for number in range(301)))
    monkeypatch.setattr(Display, "can_ask", True)
    monkeypatch.setattr("click.confirm", lambda *_, **__: False)
    assert sent(["list.csv", "-t", "hello.txt", *RELAY], capsys) == (130, "nothing was sent\n", "")


def test_an_interrupted_question_is_said_on_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("list.csv").write_text("email,name\n" + "".join(f"p{number}@example.org,P\n" for number in range(301)))
    monkeypatch.setattr(Display, "can_ask", True)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    code, _, err = sent(["list.csv", "-t", "hello.txt", *RELAY], capsys)
    assert (code, err) == (130, "\ncampaign: interrupted\n")


@pytest.mark.parametrize("command", ["status", "report"])
def test_a_name_that_no_folder_can_have_is_a_name_of_no_campaign(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, (line,) = said([command, "x" * 300], capsys)
    assert (code, line.startswith("campaign: no campaign is named 'xxx"), len(line) < 300) == (64, True, True)


def test_a_file_is_no_state_folder(capsys: pytest.CaptureFixture[str]) -> None:
    told = ["campaign: the state folder list.csv is a file: name a folder with --state"]
    for command in ("status", "providers", "suppress add a@example.org"):
        assert said([*command.split(), "--state", "list.csv"], capsys) == (74, told)


def test_a_folder_that_cannot_be_read_is_told_by_whatever_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = ["campaign: the state folder list.csv/x cannot be read: Not a directory; name another with --state"]
    for command in ("status", "providers", "report x", "suppress list", "send list.csv -t hello.txt --dry-run"):
        assert said([*command.split(), "--state", "list.csv/x"], capsys) == (74, told)

    Path("gone").mkdir()
    monkeypatch.chdir("gone")
    Path("../gone").rmdir()
    assert run(["status"]) == 64
    told = ["campaign: the current folder cannot be used: No such file or directory; change to another one"]
    assert capsys.readouterr().err.splitlines() == told


def test_a_state_folder_that_is_there_keeps_its_permissions_and_a_new_one_is_private() -> None:
    Path("there").mkdir(mode=0o755)
    Path("there").chmod(0o755)
    for folder in ("there", "new/folder"):
        assert run(["suppress", "add", "a@example.org", "--state", folder]) == 0
    assert [Path(folder).stat().st_mode & 0o777 for folder in ("there", "new/folder")] == [0o755, 0o700]


def test_standard_input_is_a_list_of_addresses_to_suppress(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"ann@example.org\nnobody\n")))
    assert run(["suppress", "import", "-"]) == 0
    out, err = capsys.readouterr()
    assert out == "1 suppressed that were not before\n"
    assert err.startswith("standard input:2: nobody: ")


def test_an_address_column_of_another_name_is_one_to_suppress_as_well(capsys: pytest.CaptureFixture[str]) -> None:
    Path("list.csv").write_text("name,who\nAnn,ann@example.org\n")
    assert run(["suppress", "import", "list.csv"]) == 65
    assert "name the address column with --email-column" in capsys.readouterr().err
    assert run(["suppress", "import", "list.csv", "--email-column", "who"]) == 0
    assert capsys.readouterr().out == "1 suppressed that were not before\n"


def test_a_dry_run_says_that_an_offer_is_over_and_where_invalid_rows_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("list.csv").write_text("email,name\nann@example.org,Ann\nnobody,Bob\n")
    arguments = ["list.csv", "-t", "hello.txt", "--dry-run", "--rate", "default=1/d", "--not-after"]
    code, out, err = sent([*arguments, "2020-01-01T00:00Z"], capsys)
    assert (code, err) == (0, "")
    assert "\n        1 invalid: `campaign check` names them\n        2 rows in the list\n" in out
    assert "\nNobody would be sent to: it is not to be sent any more (not_after)\n" in out
    assert "Started now" not in out

    Path("list.csv").write_text("email,name\nann@example.org,Ann\nbob@example.org,Bob\n")
    soon = datetime.now(UTC) + timedelta(hours=2)
    out = sent([*arguments, soon.isoformat(timespec="minutes")], capsys)[1]
    assert "Started now it would take about " in out
    assert " would not be sent to any more (not_after)\n" in out


def test_when_an_offer_is_over_nobody_is_told_to_run_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["list.csv", "-t", "hello.txt", *RELAY, "--not-after", "2020-01-01T00:00Z"]
    code, out, _ = sent(arguments, capsys)
    assert (code, out.splitlines()[-1]) == (75, "1 recipient left, who are not sent to any more (not_after)")


def test_a_list_without_rows_has_no_counts(capsys: pytest.CaptureFixture[str]) -> None:
    Path("list.csv").write_text("email,name\n")
    assert "list-hello: 0 rows\n" in sent(["list.csv", "-t", "hello.txt", *RELAY], capsys)[1]
    assert run(["status"]) == 0
    assert capsys.readouterr().out == "list-hello: 0 rows\n"


def test_a_log_that_cannot_be_written_is_told_once_and_the_run_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = sent(["list.csv", "-t", "hello.txt", "--sandbox", "--log-file", "/dev/full"], capsys)
    assert (code, "1 delivered" in out) == (0, True)
    assert err == "campaign: the log /dev/full: No space left on device; going on without it\n"
