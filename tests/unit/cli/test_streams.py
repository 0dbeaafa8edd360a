"""The command as a shell starts it, with its standard streams in all states."""

import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

SEND = f"{sys.executable} -m campaign_cli send list.csv -t hello.txt"
FULL = "campaign: standard output cannot be written: No space left on device; make room, or send it elsewhere\n"
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAMPAIGN_STATE", str(tmp_path / "state"))
    Path("list.csv").write_text("email,name\nann@example.org,Zoë\n", "utf-8")
    Path("hello.txt").write_text("---\nsubject: Hello {{ name }}\nfrom: Ada <ada@example.org>\n---\nHi\n")


def shell(command: str, **variables: str) -> tuple[int, str, str]:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3]), "PYTHONWARNINGS": "error"} | variables
    ran = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, env=environment, timeout=60)
    return ran.returncode, ran.stdout.decode(), ran.stderr.decode()


def delivered(name: str = "list-hello") -> bool:
    return "delivered" in Path(f"{name}-sandbox/report.csv").read_text("utf-8")


@pytest.mark.parametrize("reader", ["true", "head -1"])
def test_a_reader_that_goes_away_is_no_error(reader: str) -> None:
    for command in (f"{SEND} --dry-run", f"{SEND} --dry-run --json", f"{SEND} --sandbox"):
        code, _, err = shell(f"{command} | {reader}")
        assert (code, err) == (0, "")
    assert delivered()


def test_a_full_disk_is_told_where_the_output_is_the_point_and_sending_goes_on() -> None:
    for command in (f"{SEND} --dry-run", f"{SEND} --dry-run --json", f"{sys.executable} -m campaign_cli providers"):
        assert shell(f"{command} > /dev/full") == (74, "", FULL)
    assert shell(f"{SEND} --sandbox > /dev/full") == (0, "", "")
    assert delivered()
    of_sandbox = "list-hello --state list-hello-sandbox/state"
    for command in (f"status {of_sandbox}", f"status --json {of_sandbox}", f"report {of_sandbox} --output -"):
        assert shell(f"{sys.executable} -m campaign_cli {command} > /dev/full") == (74, "", FULL)


def test_closed_streams_are_no_error() -> None:
    assert shell(f"{SEND} --sandbox <&- >&- 2>&-") == (0, "", "")
    assert delivered()
    assert shell(f"{SEND} --dry-run >&-") == (0, "", "")
    code, _, err = shell(f"{SEND.replace('list.csv', '-')} --dry-run <&-")
    assert (code, err.startswith("campaign: standard input: ")) == (65, True)


def test_in_a_locale_without_the_letters_they_are_escaped_and_programs_get_utf_8() -> None:
    code, out, err = shell(f"{SEND} --dry-run", **ASCII)
    assert (code, err, out.isascii(), "Hello Zo\\xeb" in out) == (0, "", True, True)
    code, out, err = shell(f"{SEND} --dry-run --json", **ASCII)
    assert (code, err, json.loads(out)["messages"][0]["headers"]["Subject"]) == (0, "", "Hello Zoë")
    Path("list.csv").write_text("email\nzoë\n", "utf-8")
    assert shell(f"{SEND} --sandbox --subject Hi", **ASCII)[0] == 0
    report = f"{sys.executable} -m campaign_cli report list-hello --state list-hello-sandbox/state --output"
    for output in ("-", "/proc/self/fd/1"):
        code, out, err = shell(f"{report} {output}", **ASCII)
        assert (code, err, out.splitlines()[1].split(",")[1]) == (0, "", "zoë")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_before_the_first_message_ends_it_as_ctrl_c_does(number: signal.Signals) -> None:
    rows = "".join(f"p{row}@example.org,P\n" for row in range(400_000))
    Path("list.csv").write_text(f"email,name\n{rows}")
    with subprocess.Popen([*SEND.split(), "--sandbox"], stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        # The ledger is there from the moment that the list is being read into it.
        while not [*Path().glob("list-hello-sandbox/state/campaigns/*/ledger.db")]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err.strip()) == (130, "campaign: interrupted")


def test_a_terminal_that_is_closed_while_it_sends_ends_it_in_good_order() -> None:
    rows = "".join(f"p{row}@example.org,P\n" for row in range(20_000))
    Path("list.csv").write_text(f"email,name\n{rows}")
    command = f"exec {SEND} --sandbox 2> errors"
    process, terminal = pty.fork()
    if process == 0:
        os.execvpe("bash", ["bash", "-c", command], os.environ | {"TERM": "xterm", "PYTHONWARNINGS": "error"})
    seen = b""
    # The bar of the live table says how many of them.
    while b"of 20,000" not in seen:
        seen += os.read(terminal, 4096)
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    assert (os.waitstatus_to_exitcode(status), Path("errors").read_text()) == (130, "")
    assert b"reading list.csv" in seen
    assert len(Path("list-hello-sandbox/report.csv").read_text().splitlines()) == 20_001


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (
            "send list.csv -t hello.txt --relay smtp://h --rate yaho=1/h",
            ["campaign: --rate: no provider is named", "'yaho'; did you mean 'yahoo'?"],
        ),
        ("sned", ["Usage: campaign [OPTIONS] COMMAND", "[ARGS]...", "Try 'campaign --help' for help.", ""]),
    ],
)
def test_on_a_terminal_errors_break_between_words_and_on_a_pipe_each_is_a_line(
    arguments: str, lines: list[str]
) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, 40))
    command = [sys.executable, "-m", "campaign_cli", *arguments.split()]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=theirs, timeout=60)
    told = os.read(ours, 4096).decode().splitlines()
    os.close(theirs)
    os.close(ours)
    assert told[: len(lines)] == lines
    _, _, whole = shell(f"{sys.executable} -m campaign_cli {arguments}")
    assert len(whole.splitlines()) < len(told)
    assert whole.split() == " ".join(told).split()
