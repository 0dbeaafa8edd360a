"""The processes that compose and the one that reads: killed, endless, greedy, and never left behind."""

import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

ROWS = 600
ENDLESS = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"
LONG = 300_000
"""Rows that take a process of their own to read, and a second or so."""

GREEDY = "{{ name * 10000000000 }}"


def prepare(campaign, server, rows: int = ROWS, **settings: str) -> None:
    campaign.write_list([["email", "name", "number"], *([f"p{n}@example.org", f"P{n}", str(n)] for n in range(rows))])
    lines = {"template": "hello.txt", "relay": f"'{server.relay}'", "rate": "[example.org=none]", "workers": "2"}
    text = "".join(f"{key}: {value}\n" for key, value in (lines | settings).items())
    (campaign.folder / "campaign.yaml").write_text(text)


def add_to_template(campaign, text: str) -> None:
    with (campaign.folder / "hello.txt").open("a") as template:
        template.write(text + "\n")


def until(what: Callable[[], object], seconds: float = 30) -> None:
    """Wait for something in another process, which can only be asked for."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def workers(run: subprocess.Popen[str]) -> list[int]:
    """The processes that the command has started, the oldest first."""
    try:
        return [int(pid) for pid in Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()]
    except OSError:
        return []


def composing(pid: int) -> bool:
    """Whether one of these processes is past its start: it ignores Ctrl-C from then on."""
    return bool(signals(pid, "SigIgn") >> (signal.SIGINT - 1) & 1)


def signals(pid: int, what: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(what)), 16)


def there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def report(campaign) -> Counter[tuple[str, str]]:
    return Counter((row["status"], row["reason"]) for row in campaign.report())


def test_a_worker_killed_in_the_middle_costs_nobody_a_message_and_nobody_has_two(campaign, start_server) -> None:
    server = start_server("--delay", "0.002")
    prepare(campaign, server)
    run = campaign.start("send", "list.csv")
    until(lambda: sum(server.taken().values()) >= 50)
    first = workers(run)
    assert len(first) >= 1
    kill(first[0])

    _, err = run.communicate(timeout=30)

    assert (run.returncode, err) == (0, "")
    assert report(campaign) == {("delivered", ""): ROWS}
    assert server.taken() == {f"p{n}@example.org": 1 for n in range(ROWS)}


def test_workers_killed_again_and_again_end_the_run_well_or_with_one_line_and_nobody_has_two(
    campaign, start_server
) -> None:
    server = start_server("--delay", "0.002")
    prepare(campaign, server)
    run = campaign.start("send", "list.csv", PYTHONWARNINGS="ignore")
    until(lambda: sum(server.taken().values()) >= 50)
    killed: set[int] = set()
    while len(killed) < 8 and run.poll() is None:
        for pid in set(workers(run)) - killed:
            kill(pid)
            killed.add(pid)
    _, err = run.communicate(timeout=30)

    line = (
        "campaign: the process that composes messages ends as soon as it starts: is memory short? "
        "make room and run again, or compose without processes: --workers 0\n"
    )
    assert (run.returncode, err) in [(0, ""), (3, ""), (71, line)]
    found = Counter(row["status"] for row in campaign.report())
    assert (found["delivered"], found.total()) == (sum(server.taken().values()), ROWS)
    assert campaign("send", "list.csv").code == 0
    assert server.taken() == {f"p{n}@example.org": 1 for n in range(ROWS)}


def test_a_template_without_an_end_or_with_no_measure_fails_its_row_within_seconds_and_no_other(
    campaign, start_server
) -> None:
    server = start_server()
    prepare(campaign, server, rows=200, workers="1")
    add_to_template(campaign, f"{{% if name == 'P7' %}}{ENDLESS}{{% endif %}}")
    add_to_template(campaign, f"{{% if name == 'P9' %}}{GREEDY}{{% endif %}}")
    began = time.monotonic()

    ended = campaign("send", "list.csv")

    assert (ended.code, ended.err) == (3, "")
    assert time.monotonic() - began < 15
    statuses = {row["email"]: row["status"] for row in campaign.report()}
    failed = dict.fromkeys(("p7@example.org", "p9@example.org"), "failed")
    assert statuses == {f"p{n}@example.org": "delivered" for n in range(200)} | failed
    assert all(row["reason"] for row in campaign.report() if row["status"] == "failed")
    assert server.taken() == dict.fromkeys(statuses.keys() - failed.keys(), 1)


def test_the_process_that_sends_makes_the_same_messages_as_the_workers(campaign, start_server) -> None:
    server = start_server()
    campaign.write_list([["email", "name", "number"], *([f"moody+p{n}@example.org", "Zoë", str(n)] for n in range(99))])
    (campaign.folder / "campaign.yaml").write_text(
        f"template: hello.txt\nrelay: '{server.relay}'\nretry: {{base: 100ms, factor: 600}}\npatience: 2s\n"
        "rate: [example.org=none]\n"
    )

    # Their content is refused, so that the second run makes them again.
    codes = [campaign("send", "list.csv", "--workers", count, "--limit", "99").code for count in ("0", "2")]

    refused = [entry for entry in server.log if entry["what"] == "content refused"]
    made = [(entry["recipient"], entry["message_id"], entry["digest"]) for entry in refused]
    assert codes == [75, 75]
    assert Counter(Counter(made).values()) == {2: 99}


def test_ctrl_c_is_answered_at_once_though_every_row_has_no_end(campaign, start_server) -> None:
    prepare(campaign, start_server())
    add_to_template(campaign, ENDLESS)
    run = campaign.start("send", "list.csv")
    until(lambda: workers(run) and all(map(composing, workers(run))))
    started, began = workers(run), time.monotonic()
    run.send_signal(signal.SIGINT)

    _, err = run.communicate(timeout=30)

    assert (run.returncode, err) == (130, "")
    assert time.monotonic() - began < 2
    assert report(campaign) == {("pending", ""): ROWS}
    assert [pid for pid in started if there(pid)] == []


@pytest.mark.parametrize("end", ["in peace", signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_the_command(campaign, start_server, end) -> None:
    server = start_server("--delay", "0.002")
    prepare(campaign, server)
    run = campaign.start("send", "list.csv")
    until(lambda: sum(server.taken().values()) >= 20)
    started = workers(run)
    assert len(started) >= 1
    if end != "in peace":
        run.send_signal(end)
    run.communicate(timeout=30)
    if end == signal.SIGKILL:
        # Nobody is left to end them: they see that by themselves.
        until(lambda: not any(map(there, started)), seconds=2)
    assert [pid for pid in started if there(pid)] == []


@pytest.fixture
def reading(campaign, start_server) -> tuple[subprocess.Popen[str], int]:
    """A command in the middle of enrolling a long list, and the process that reads it."""
    prepare(campaign, start_server(), rows=LONG)
    run = campaign.start("send", "list.csv")
    until(lambda: any(map(composing, workers(run))))
    (reader,) = workers(run)
    return run, reader


def enrolled(campaign) -> int:
    with sqlite3.connect(campaign.state / "campaigns" / "list-hello" / "ledger.db") as ledger:
        (count,) = ledger.execute("SELECT count(*) FROM recipients").fetchone()
    ledger.close()
    return int(count)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_while_the_list_is_read_nothing_is_enrolled_and_no_process_is_left(campaign, reading, end) -> None:
    run, reader = reading
    if end != signal.SIGKILL:
        # As from a terminal, to the whole group: first to whom the run may end before the next line.
        os.kill(reader, end)
    run.send_signal(end)

    out, err = run.communicate(timeout=30)

    expected = (-end, "") if end == signal.SIGKILL else (130, "\ncampaign: interrupted\n")
    assert (run.returncode, out, err) == (expected[0], "", expected[1])
    until(lambda: not there(reader), seconds=2)
    assert enrolled(campaign) == 0


def test_a_reader_that_is_killed_is_told_in_one_line_and_nothing_is_enrolled(campaign, reading) -> None:
    run, reader = reading
    kill(reader)

    out, err = run.communicate(timeout=30)

    line = "campaign: the process that reads the list has died; nothing of it is enrolled: is memory short?\n"
    assert (run.returncode, out, err) == (71, "", line)
    assert enrolled(campaign) == 0
    # The next run enrols it all.
    planned = campaign("send", "list.csv", "--limit", "1")
    assert (planned.code, enrolled(campaign)) == (75, LONG), planned.err


def test_a_dry_run_tells_of_a_template_without_an_end_or_with_no_measure_within_seconds(campaign, start_server) -> None:
    prepare(campaign, start_server(), rows=2)
    add_to_template(campaign, f"{{% if name == 'P0' %}}{ENDLESS}{{% else %}}{GREEDY}{{% endif %}}")
    began = time.monotonic()

    ended = campaign("send", "list.csv", "--dry-run")

    assert (ended.code, ended.err) == (65, "")
    assert time.monotonic() - began < 15
    assert "the template takes more than 5 s for this row" in ended.out
    assert "MemoryError" in ended.out
