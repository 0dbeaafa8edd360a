"""Several relays, each a process of its own: which of them gets what."""

import json
import re
import subprocess
import time
from collections import Counter
from datetime import timedelta

import pytest

from campaign_cli.engine.lane import LONGEST_REST
from tests.integration.conftest import told_end

ROWS = 600

WARMUP = "{start: 50/d, growth: 1.5, until: 20000/d}"

IN_FLIGHT = 8
"""Transactions on four sessions with PIPELINING, at most."""


def config(campaign, text):
    """campaign.yaml, and a list of `ROWS` rows."""
    pace = "providers: {default: {rate: none, connections: 4, messages_per_connection: 20}}"
    (campaign.folder / "campaign.yaml").write_text(f"template: hello.txt\n{text}{pace}\n")
    rows = [[f"p{number}@people.example", "P", str(number)] for number in range(ROWS)]
    campaign.write_list([["email", "name", "number"], *rows])


def until_taken(server, count, seconds=30.0):
    """Wait until the servers have taken so many messages."""
    deadline = time.monotonic() + seconds
    while server.taken().total() < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("end", "lost"), [("stop", 0), ("kill", IN_FLIGHT)], ids=["stopped", "killed"])
def test_a_relay_that_ends_and_comes_back_costs_nobody_an_attempt_and_nobody_gets_it_twice(
    campaign, start_server, end, lost
):
    slow = "--delay", "0.01"
    first, second = start_server(*slow), start_server(*slow)
    config(
        campaign, f"relays:\n  - {{url: '{first.relay}', name: first}}\n  - {{url: '{second.relay}', name: second}}\n"
    )
    run = campaign.start("send", "list.csv", "--yes")
    until_taken(first, 100)
    getattr(first, end)()
    until_taken(first, 250)
    start_server(*slow, "--port", str(first.port))
    out, err = run.communicate(timeout=60)
    rows = campaign.report()
    states = Counter(row["status"] for row in rows)
    # What the first had in work when it was killed: nobody can know whether it was kept.
    assert states["delivered"] + states["uncertain"] == ROWS, out + err
    assert states["uncertain"] <= lost
    assert run.returncode == (3 if states["uncertain"] else 0)
    assert {row["attempts"] for row in rows} == {"1"}
    # All servers write one log: who got it from one has not got it from another.
    assert set(first.taken().values()) == {1}
    assert first.taken().keys() >= {row["email"] for row in rows if row["status"] == "delivered"}
    way = [row["route"] for row in sorted(rows, key=lambda row: row["last_attempt_at"])]
    assert (way[0], way[-1]) == ("first", "first")
    assert 50 < Counter(way)["second"] < 450
    down, again = [line for line in out.splitlines() if line.startswith("relay ")]
    # Reset, when it was killed before it had accepted.
    assert re.fullmatch("relay first: cannot connect: Connection (refused|reset by peer)", down)
    assert again == "relay first works again"


@pytest.mark.parametrize(
    "said", ["550 5.4.5 Daily user sending limit exceeded", "454 Throttling failure: Daily message quota exceeded"]
)
def test_a_relay_over_its_quota_hands_its_work_to_the_next_and_nobody_loses_an_attempt(campaign, start_server, said):
    first = start_server("--quota", "200", "--over-quota", said)
    second = start_server()
    config(
        campaign, f"relays:\n  - {{url: '{first.relay}', name: first}}\n  - {{url: '{second.relay}', name: second}}\n"
    )
    ended = campaign("send", "list.csv", "--yes")
    assert ended.code == 0, ended
    rows = campaign.report()
    assert Counter((row["status"], row["route"], row["attempts"]) for row in rows) == {
        ("delivered", "first", "1"): 200,
        ("delivered", "second", "1"): ROWS - 200,
    }
    assert first.taken() == {row["email"]: 1 for row in rows}
    # Of each session that was open, what was on its way.
    assert 1 <= sum(entry["what"] == "over quota" for entry in first.log) <= IN_FLIGHT


def test_a_relays_own_rate_holds_across_runs_and_the_rest_goes_to_the_next(campaign, start_server):
    first, second = start_server(), start_server()
    both = f"relays:\n  - {{url: '{first.relay}', name: first, rate: 200/d}}\n"
    config(campaign, both + f"  - {{url: '{second.relay}', name: second}}\n")
    assert campaign("send", "list.csv", "--yes", "--limit", "150").code == 75
    assert campaign("send", "list.csv", "--yes").code == 0
    assert Counter(row["route"] for row in campaign.report()) == {"first": 200, "second": ROWS - 200}
    shown = campaign("providers")
    assert "relay first" in shown.out, shown
    # Another campaign that has no other relay waits for it.
    config(campaign, both)
    ended = campaign("send", "list.csv", "--name", "other", "--yes", "--max-runtime", "1s")
    assert (ended.code, len(first.taken())) == (75, ROWS), ended
    assert {row["status"] for row in campaign.report("other")} == {"pending"}


def test_a_relay_that_warms_up_sends_a_days_share_and_leaves_the_rest_for_tomorrow(campaign, start_server):
    server = start_server()
    config(campaign, f"relays:\n  - {{url: '{server.relay}', name: new, warmup: {WARMUP}}}\n")
    # 50, 75, 112, 168 and the rest of 600.
    planned = campaign("send", "list.csv", "--dry-run").out
    assert "about 4 d" in planned
    for run in range(2):
        started = time.monotonic()
        ended = campaign("send", "list.csv", "--yes")
        assert (ended.code, len(server.taken())) == (75, 50), ended
        # It ends with the last answer.
        assert time.monotonic() - started < LONGEST_REST / 2
        # What is left takes as long as the whole: today's share is gone.
        assert told_end(ended.out) - told_end(planned) < timedelta(minutes=5), run
    shown = campaign("providers")
    assert "relay new" in shown.out
    assert "day 1: 50/d" in shown.out
    (relay,) = [row for row in json.loads(campaign("providers", "--json").out) if "relay" in row]
    assert (relay["warmup"], relay["left"]) == ({"day": 1, "limit": 50}, 0)


def test_a_provider_that_warms_up_does_so_too_and_a_dry_run_tells_the_days(campaign, start_server):
    server = start_server()
    (campaign.folder / "campaign.yaml").write_text(
        f"template: hello.txt\nrelay: '{server.relay}'\nproviders: {{default: {{rate: none, warmup: {WARMUP}}}}}\n"
    )
    campaign.write_list([["email", "name", "number"], *[[f"p{n}@people.example", "P", str(n)] for n in range(120)]])
    # 50 and then 75.
    planned = campaign("send", "list.csv", "--dry-run").out
    assert "about 24 h" in planned
    ended = campaign("send", "list.csv", "--yes")
    assert (ended.code, len(server.taken())) == (75, 50), ended
    assert told_end(ended.out) - told_end(planned) < timedelta(minutes=5)
    # The 70 that are left wait for tomorrow, today's share is gone.
    assert "about 24 h" in campaign("send", "list.csv", "--dry-run").out


def test_a_relays_rate_is_a_limit_in_every_rolling_second(campaign, start_server):
    server = start_server()
    config(campaign, f"relays:\n  - {{url: '{server.relay}', rate: '40/s,max_burst=40'}}\n")
    assert campaign("send", "list.csv", "--yes", "--limit", "130").code == 75
    starts = [entry["at"] for entry in server.log if entry["what"] == "mail"]
    assert len(starts) == 130
    assert all(later - earlier > 1.0 for earlier, later in zip(starts, starts[40:], strict=False))


def test_relays_of_one_priority_share_the_work_by_weight(campaign, start_server):
    first, second = start_server(), start_server()
    config(
        campaign,
        f"relays:\n  - {{url: '{first.relay}', name: a, weight: 3}}\n"
        f"  - {{url: '{second.relay}', name: b, priority: 1}}\n",
    )
    assert campaign("send", "list.csv", "--yes").code == 0
    shares = Counter(row["route"] for row in campaign.report())
    assert 0.15 < shares["b"] / ROWS < 0.4


def test_a_provider_that_no_relay_serves_is_told_before_anything_is_sent(campaign, start_server):
    server = start_server()
    config(campaign, f"relays:\n  - {{url: '{server.relay}', providers: [gmail]}}\n")
    for option in ("--dry-run", "--yes"):
        ended = campaign("send", "list.csv", option)
        assert ended.code == 78
        assert "no relay serves people.example" in ended.err
    assert server.log == []


def test_a_relay_that_does_not_send_for_the_senders_domain_gets_nothing(campaign, start_server):
    first, second = start_server(), start_server()
    relays = f"relays:\n  - {{url: '{first.relay}', name: other, from_domains: [else.example]}}\n"
    config(campaign, relays)
    ended = campaign("send", "list.csv", "--yes")
    assert (ended.code, ended.err) == (
        78,
        "campaign: no relay sends for sender.example.org: none has it in its from_domains\n",
    )
    config(campaign, relays + f"  - {{url: '{second.relay}', name: ours, from_domains: [sender.example.org]}}\n")
    assert campaign("send", "list.csv", "--yes").code == 0
    assert {row["route"] for row in campaign.report()} == {"ours"}


@pytest.mark.parametrize("how", [[], ["--quiet"], ["--json"], ["--to", "me@example.com"]])
def test_a_trouble_that_ends_a_run_is_told_once_to_who_reads_both_streams_and_always_with_the_errors(
    campaign, start_server, how: list[str]
) -> None:
    campaign.write_list([["email", "name", "number"], ["ann@example.org", "Ann", "1"]])
    relay = f"smtp://ann@127.0.0.1:{start_server().port}?tls=off"
    command, trouble = ["send", "list.csv", "-t", "hello.txt", "--relay", relay, *how], ": the login failed: "
    apart = campaign(*command, CAMPAIGN_SMTP_PASSWORD="x")
    assert (apart.code, apart.err.count(trouble)) == (69, 1), apart
    together = campaign.start(*command, stderr=subprocess.STDOUT, CAMPAIGN_SMTP_PASSWORD="x").communicate()[0]
    assert together.count(trouble) == 1, together
    assert together.endswith("campaign: no relay works: mend that and run the same command again\n")
