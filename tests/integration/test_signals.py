"""Whatever a command is waiting for, a signal is answered within a second, and what it promises then holds."""

import os
import pty
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

FAILING = str(Path(__file__).parents[1] / "crash" / "failing.py")

ANSWERED = 1.0
"""Seconds."""

ROWS = 5

REPORT = "list-hello-report.csv"

INTERRUPTED = "campaign: interrupted"

ENDLESS = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


OK = b"250 ok\r\n"


class Silent:
    """A server that takes every message's way as far as `until`, and says nothing from then on.

    `reached` is set when it is silent and somebody waits.
    """

    def __init__(self, until: str, rcpt: bytes = OK) -> None:
        self._until = until
        self._rcpt = rcpt
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.reached = threading.Event()
        self._kept: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        # Shut down first: that alone wakes what waits in `accept`.
        self._listening.shutdown(socket.SHUT_RDWR)
        for each in (self._listening, *self._kept):
            each.close()

    def _serve(self) -> None:
        with suppress(OSError, StopIteration):
            while True:
                connection, _ = self._listening.accept()
                self._kept.append(connection)
                self._speak(connection)

    def _speak(self, connection: socket.socket) -> None:
        if self._until == "greeting":
            self.reached.set()
            return
        if self._until == "TLS":
            connection.recv(1)
            self.reached.set()
            return
        connection.sendall(b"220 silent.test\r\n")
        lines = connection.makefile("rb")
        while verb := next(lines)[:4].strip().decode():
            if verb == self._until:
                self.reached.set()
                return
            connection.sendall({"DATA": b"354 go on\r\n", "RCPT": self._rcpt}.get(verb, OK))
            if verb == "DATA":
                while next(lines) != b".\r\n":
                    pass
                if self._until == "dot":
                    self.reached.set()
                    return
                connection.sendall(OK)


@dataclass
class Waiting:
    """A command in the middle of a wait, and what is to come of it.

    `answer` is said within a second; `ends` is whether the command does, too, or only at a second signal; `states` are
    those of the report, none where no report is written.
    """

    run: "subprocess.Popen[str]"
    answer: str
    ends: bool = True
    states: dict[str, int] | None = None
    before: Callable[[], None] = lambda: None
    """What is done just after the signal."""


PENDING = {"pending": ROWS}
WRITING = f"writing the report {REPORT}"


def until(what: Callable[[], object], seconds: float = 30) -> None:
    """Wait for something in another process, which can only be asked for."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def prepare(campaign, port: int = 9, rows: int = ROWS, **settings: str) -> None:
    campaign.write_list([["email", "name", "number"], *([f"p{n}@example.org", "P", str(n)] for n in range(rows))])
    lines = {"template": "hello.txt", "relay": f"'smtp://127.0.0.1:{port}?tls=off'", "workers": "1"}
    text = "".join(f"{key}: {value}\n" for key, value in (lines | settings).items())
    (campaign.folder / "campaign.yaml").write_text(text)


def start(campaign, stack: ExitStack, *arguments: str, **more) -> "subprocess.Popen[str]":
    run = campaign.start("send", "list.csv", *arguments, **more)
    stack.callback(run.communicate)
    stack.callback(run.kill)
    return run


def at_a_black_hole(campaign, stack) -> Waiting:
    full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    stack.enter_context(socket.create_connection(full.getsockname()))
    port = full.getsockname()[1]
    prepare(campaign, port)
    run = start(campaign, stack)
    # The state SYN_SENT, towards that port.
    until(lambda: f":{port:04X} 02 " in Path("/proc/net/tcp").read_text())
    return Waiting(run, WRITING, states=PENDING)


def at(
    silence: str, campaign, stack, scheme: str = "smtp", tls: str = "?tls=off", rcpt: bytes = OK, **settings: str
) -> "tuple[Silent, subprocess.Popen[str]]":
    server = stack.enter_context(closing(Silent(silence, rcpt)))
    prepare(campaign, server.port, relay=f"'{scheme}://127.0.0.1:{server.port}{tls}'", connections="1", **settings)
    run = start(campaign, stack)
    assert server.reached.wait(30)
    return server, run


def at_a_greeting(campaign, stack) -> Waiting:
    _, run = at("greeting", campaign, stack)
    return Waiting(run, WRITING, states=PENDING)


def at_tls(campaign, stack) -> Waiting:
    _, run = at("TLS", campaign, stack, "smtps", "")
    return Waiting(run, WRITING, states=PENDING)


def at_rcpt(campaign, stack) -> Waiting:
    _, run = at("RCPT", campaign, stack)
    return Waiting(run, WRITING, states=PENDING)


def at_a_reply(campaign, stack) -> Waiting:
    _, run = at("dot", campaign, stack)
    return Waiting(run, "waiting for 1 reply", ends=False, states={"uncertain": 1, "pending": ROWS - 1})


def at_a_budget(campaign, stack) -> Waiting:
    _, run = at("QUIT", campaign, stack, rate="[example.org=1/h]")
    return Waiting(run, WRITING, states={"delivered": 1, "pending": ROWS - 1})


def at_a_retry(campaign, stack) -> Waiting:
    # The session is closed when there is longer to wait.
    _, run = at("QUIT", campaign, stack, rcpt=b"451 4.7.1 later\r\n", retry="{base: 1h}", patience="2h")
    return Waiting(run, WRITING, states={"deferred": ROWS})


def at_a_template(campaign, stack) -> Waiting:
    prepare(campaign)
    with (campaign.folder / "hello.txt").open("a") as template:
        template.write(ENDLESS)
    run = start(campaign, stack)
    until(lambda: any(ignoring(pid, signal.SIGINT) for pid in children(run)))
    return Waiting(run, WRITING, states=PENDING)


def at_the_list(campaign, stack) -> Waiting:
    prepare(campaign, rows=100_000)
    run = start(campaign, stack)
    until(lambda: any(ignoring(pid, signal.SIGINT) for pid in children(run)))
    return Waiting(run, INTERRUPTED)


def at_a_password(campaign, stack) -> Waiting:
    prepare(campaign, relay="smtp://ann@127.0.0.1:9", password_command="sh -c 'touch asked; exec sleep 20 2>&-'")
    # Python would say that it has not waited for what it has killed.
    run = start(campaign, stack, PYTHONWARNINGS="")
    until((campaign.folder / "asked").exists)
    return Waiting(run, INTERRUPTED)


def at_a_lock(campaign, stack) -> Waiting:
    prepare(campaign)
    assert campaign("send", "list.csv", "--max-runtime", "1s").code == 75
    (campaign.folder / REPORT).unlink()
    other = stack.enter_context(closing(apsw.Connection(str(campaign.state / "campaigns/list-hello/ledger.db"))))
    other.execute("BEGIN IMMEDIATE")
    run = start(campaign, stack)
    until(lambda: any("ledger.db" in name for name in files(run)))
    return Waiting(run, INTERRUPTED)


def stopped_at(step: str, campaign, stack, port: int) -> Waiting:
    """The command stands still at a step of `tests/crash/failing.py`, and goes on with a signal on its way."""
    prepare(campaign, port)
    run = start(campaign, stack, by=(FAILING, step, "1", "SIGSTOP"))
    os.waitid(os.P_PID, run.pid, os.WSTOPPED | os.WNOWAIT)
    return Waiting(run, WRITING, states={"delivered": ROWS}, before=lambda: run.send_signal(signal.SIGCONT))


def behind_the_last_reply(campaign, stack) -> Waiting:
    return stopped_at("report begun", campaign, stack, stack.enter_context(closing(Silent("never"))).port)


def in_the_report(campaign, stack) -> Waiting:
    return stopped_at("report row", campaign, stack, stack.enter_context(closing(Silent("never"))).port)


def at_the_reports_disk(campaign, stack) -> Waiting:
    return stopped_at("report syncing", campaign, stack, stack.enter_context(closing(Silent("never"))).port)


WAITS = (
    at_a_black_hole,
    at_a_greeting,
    at_tls,
    at_rcpt,
    at_a_reply,
    at_a_budget,
    at_a_retry,
    at_a_template,
    at_the_list,
    at_a_password,
    at_a_lock,
    behind_the_last_reply,
    in_the_report,
    at_the_reports_disk,
)


def children(run: "subprocess.Popen[str]") -> list[int]:
    with suppress(OSError):
        return [int(pid) for pid in Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()]
    return []


def files(run: "subprocess.Popen[str]") -> list[str]:
    names = []
    with suppress(OSError):
        for each in Path(f"/proc/{run.pid}/fd").iterdir():
            with suppress(OSError):
                names.append(os.readlink(each))
    return names


def ignoring(pid: int, number: signal.Signals) -> bool:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigIgn"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def hear(run: "subprocess.Popen[str]", words: str, seconds: float) -> tuple[str, bool]:
    """What it says until it says `words`, or has no more to say, or the time is over; and whether it has ended."""
    said, deadline = "", time.monotonic() + seconds
    streams = [stream.fileno() for stream in (run.stdout, run.stderr) if stream]
    while words not in said and streams:
        ready, _, _ = select.select(streams, [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            break
        for each in ready:
            octets = os.read(each, 65536)
            said += octets.decode()
            if not octets:
                streams.remove(each)
    return said, not streams


@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: wait.__name__)
def test_a_signal_is_answered_within_a_second_whatever_is_waited_for(campaign, wait) -> None:
    with ExitStack() as stack:
        waiting = wait(campaign, stack)
        run = waiting.run
        run.send_signal(signal.SIGTERM)
        waiting.before()

        said, _ = hear(run, waiting.answer, ANSWERED)

        assert waiting.answer in said
        if not waiting.ends:
            # It would wait for ten minutes; the second does not.
            assert run.poll() is None
            run.send_signal(signal.SIGINT)
            more, _ = hear(run, "stopping at once", ANSWERED)
            assert "stopping at once" in more
        out, err = run.communicate(timeout=5)
        assert (run.returncode, "Traceback" in said + out + err) == (130, False), said + out + err
        if waiting.states is None:
            assert not (campaign.folder / REPORT).exists()
        else:
            assert Counter(row["status"] for row in campaign.report()) == waiting.states


def test_a_second_signal_in_the_report_leaves_the_one_before_and_says_so(campaign) -> None:
    with ExitStack() as stack:
        waiting = in_the_report(campaign, stack)
        (campaign.folder / REPORT).write_text("the one before")
        # Both are there when it goes on.
        waiting.run.send_signal(signal.SIGINT)
        waiting.run.send_signal(signal.SIGTERM)
        waiting.run.send_signal(signal.SIGCONT)
        out, err = waiting.run.communicate(timeout=5)

    assert (waiting.run.returncode, err) == (130, f"\n{INTERRUPTED}\n")
    assert f"the report {REPORT} is left as it was: `campaign report list-hello` writes it" in out
    assert (campaign.folder / REPORT).read_text() == "the one before"
    assert [*campaign.folder.glob(".*")] == []
    assert campaign("report", "list-hello").code == 0
    assert Counter(row["status"] for row in campaign.report()) == {"delivered": ROWS}


def test_what_the_caller_has_ignored_stays_ignored(campaign) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(closing(Silent("dot")))
        prepare(campaign, server.port, connections="1")
        ignoring_it = "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); os.execv(sys.executable, "
        run = start(campaign, stack, by=("-c", ignoring_it + "[sys.executable, '-m', 'campaign_cli', *sys.argv[1:]])"))
        assert server.reached.wait(30)
        run.send_signal(signal.SIGHUP)
        run.send_signal(signal.SIGINT)
        said, _ = hear(run, "stopping", ANSWERED)
        assert "SIGINT received; waiting for 1 reply" in said


def test_a_signal_is_answered_also_when_quiet(campaign) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(closing(Silent("dot")))
        prepare(campaign, server.port, connections="1", quiet="true")
        run = start(campaign, stack)
        assert server.reached.wait(30)
        run.send_signal(signal.SIGINT)
        said, _ = hear(run, "waiting for 1 reply", ANSWERED)
        assert "waiting for 1 reply" in said
        run.send_signal(signal.SIGINT)
        out, err = run.communicate(timeout=5)
        assert (run.returncode, out, err.count("stopping at once")) == (130, "", 1)


def test_ctrl_c_at_a_terminal_answers_above_the_live_table_and_leaves_the_cursor_as_it_was(campaign) -> None:
    """To the whole group of processes, as a terminal sends it."""
    with closing(Silent("dot")) as server:
        prepare(campaign, server.port, connections="1", rows=50)
        process, terminal = pty.fork()
        if process == 0:
            os.chdir(campaign.folder)
            variables = os.environ | {"CAMPAIGN_STATE": str(campaign.state), "TERM": "xterm", "PYTHONWARNINGS": "error"}
            os.execve(sys.executable, [sys.executable, "-m", "campaign_cli", "send", "list.csv"], variables)
        seen = b""

        def see(words: bytes, seconds: float) -> None:
            nonlocal seen
            deadline = time.monotonic() + seconds
            while words not in seen:
                ready, _, _ = select.select([terminal], [], [], max(deadline - time.monotonic(), 0))
                assert ready, seen.decode()
                seen += os.read(terminal, 65536)

        assert server.reached.wait(30)
        see(b"0 of 50", 30)
        os.write(terminal, b"\x03")
        see(b"SIGINT received; waiting for 1 reply", ANSWERED)
        os.write(terminal, b"\x03")
        see(b"stopping at once", ANSWERED)
        see(b"left: run the same command again", 5)
        _, status = os.waitpid(process, 0)
        os.close(terminal)

    assert os.waitstatus_to_exitcode(status) == 130
    assert b"Traceback" not in seen
    assert seen.rindex(b"\x1b[?25h") > seen.rindex(b"\x1b[?25l")
    assert Counter(row["status"] for row in campaign.report()) == {"uncertain": 1, "pending": 49}
