"""Hours in which it may be sent, against the machine's own clock."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.conftest import told_end

ROWS = 40

CLOCK_AHEAD = """
import sys, time
ahead, clock = float(sys.argv.pop(1)), time.time
time.time = lambda: clock() + ahead
from campaign_cli.cli.main import main
main()
"""
"""A run on a machine whose clock is some seconds ahead."""


def config(campaign, server, text):
    (campaign.folder / "campaign.yaml").write_text(
        f"template: hello.txt\nrelay: '{server.relay}'\nproviders: {{default: {{rate: none}}}}\n{text}\n"
    )


def write_list(campaign, zones=("UTC",)):
    rows = [[f"p{n}@people.example", "P", str(n), zones[n % len(zones)]] for n in range(ROWS)]
    campaign.write_list([["email", "name", "number", "zone"], *rows])


def connections(server):
    return sum(entry["what"] == "connect" for entry in server.log)


def window(start, end):
    """From so many hours from now to so many, by UTC's clock."""
    now = datetime.now(UTC)
    return "-".join((now + timedelta(hours=each)).strftime("%H:%M") for each in (start, end))


def test_outside_of_its_window_nobody_is_sent_to_and_the_next_opening_is_said(campaign, start_server):
    server = start_server()
    write_list(campaign)
    config(campaign, server, f"window: '{window(2, 4)}'\ntimezone: UTC")
    ended = campaign("send", "list.csv")
    assert ended.code == 75
    assert "its window opens at" in ended.out + ended.err
    assert server.log == []
    assert Counter(row["status"] for row in campaign.report()) == {"pending": ROWS}
    assert "when its window opens" in campaign("send", "list.csv", "--dry-run").out
    config(campaign, server, f"window: ['{window(2, 4)}', '{window(-1, 1)}']\ntimezone: UTC")
    assert campaign("send", "list.csv").code == 0
    assert len(server.taken()) == ROWS


def test_a_run_counts_the_time_outside_of_its_window_as_a_dry_run_does(campaign, start_server):
    server = start_server()
    write_list(campaign)
    config(campaign, server, f"window: '{window(-1, 2)}'\ntimezone: UTC\nrate: ['default=10/h,max_burst=10']")
    planned, programs = (campaign("send", "list.csv", "--dry-run", *how).out for how in ([], ["--json"]))
    ended = campaign("send", "list.csv", "--yes", "--max-runtime", "1s")
    assert len(server.taken()) == 10, ended
    now = datetime.now()
    # Three hours at its limit, of which the third is tomorrow's first.
    assert told_end(planned) - now > timedelta(hours=20)
    assert abs(told_end(ended.out) - told_end(planned)) < timedelta(minutes=5), ended
    finished = datetime.fromisoformat(json.loads(programs)["finished_at"]).astimezone().replace(tzinfo=None)
    assert abs(told_end(planned) - finished) < timedelta(minutes=5)


def test_after_its_last_moment_nothing_new_is_started(campaign, start_server):
    server = start_server("--delay", "0.1")
    write_list(campaign)
    config(campaign, server, "connections: 1")
    soon = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
    ended = campaign("send", "list.csv", "--not-after", soon)
    assert ended.code == 75
    assert "not_after" in ended.out + ended.err
    states = Counter(row["status"] for row in campaign.report())
    assert 0 < states["delivered"] == len(server.taken()) < ROWS
    assert states["pending"] == ROWS - states["delivered"]
    # What the run before has pipelined the server may still be reading.
    before = connections(server)
    assert campaign("send", "list.csv", "--not-after", soon).code == 75
    assert connections(server) == before


def test_each_contact_has_the_hours_of_their_own_time_zone(campaign, start_server):
    server = start_server()
    # Five hours east of here it is five hours later.
    write_list(campaign, zones=("Etc/GMT-5", "Etc/GMT+5", "", "No/Where"))
    config(campaign, server, f"window: '{window(4, 6)}'\ntimezone: UTC\ntimezone_column: zone")
    ended = campaign("send", "list.csv")
    assert ended.code == 75, ended
    states = {row["email"]: row["status"] for row in campaign.report()}
    sent = {f"p{n}@people.example" for n in range(0, ROWS, 4)}
    assert {email for email, status in states.items() if status == "delivered"} == sent == set(server.taken())
    assert Counter(states.values()) == {"delivered": ROWS // 4, "pending": ROWS - ROWS // 4}
    # Again, now that all are known to be for later: and with other hours all the rest.
    assert campaign("send", "list.csv").code == 75
    assert len(server.taken()) == ROWS // 4


def test_a_window_that_opens_within_the_runs_patience_is_waited_for(campaign, start_server):
    server = start_server()
    write_list(campaign)
    now = datetime.now(UTC)
    minute = (now + timedelta(minutes=1)).replace(second=0, microsecond=0)
    config(campaign, server, f"window: '{minute:%H:%M}-{minute + timedelta(hours=1):%H:%M}'\ntimezone: UTC")
    ahead = (minute - now).total_seconds() - 2
    started = datetime.now(UTC)
    run = campaign.start("send", "list.csv", by=("-c", CLOCK_AHEAD, str(ahead)))
    out, err = run.communicate(timeout=100)
    assert run.returncode == 0, out + err
    assert len(server.taken()) == ROWS
    assert (datetime.now(UTC) - started).total_seconds() > 2


def test_a_signal_ends_the_wait_for_a_window(campaign, start_server):
    server = start_server()
    write_list(campaign)
    config(campaign, server, f"window: '{window(2, 4)}'\ntimezone: UTC\npatience: 3h")
    run = campaign.start("send", "list.csv")
    while not (line := run.stdout.readline()).startswith("waiting: its window opens"):
        assert line
    run.terminate()
    out, err = run.communicate(timeout=20)
    assert run.returncode == 130, out + err
    assert server.log == []
    assert Counter(row["status"] for row in campaign.report()) == {"pending": ROWS}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("window: 9-18\ntimezone: UTC", "campaign.yaml:4: window: '9-18' is not a window"),
        ("window: 09:00-18:00", "campaign.yaml:4: window: in which time zone?"),
        ("timezone: Berlin", "campaign.yaml:4: timezone: 'Berlin' is not a time zone"),
        ("not_after: soon", "campaign.yaml:4: not_after: 'soon' is not a date and time"),
        ("timezone_column: tz", "timezone_column: the list has no column 'tz'; it has: email, name, number, zone"),
    ],
)
def test_what_is_wrong_with_hours_is_told_before_anything_is_sent(campaign, start_server, text, said):
    server = start_server()
    write_list(campaign)
    config(campaign, server, text)
    ended = campaign("send", "list.csv")
    assert ended.code == 78
    assert said in ended.err
    assert server.log == []
