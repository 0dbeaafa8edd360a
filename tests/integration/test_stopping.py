import signal
import time
from collections import Counter

ROWS = 600


def prepare(campaign, server, **settings: str) -> None:
    campaign.write_list([["email", "name", "number"], *([f"p{n}@example.org", f"P{n}", str(n)] for n in range(ROWS))])
    lines = {"template": "hello.txt", "relay": f"'{server.relay}'", "rate": "[example.org=none]", "connections": "10"}
    text = "".join(f"{key}: {value}\n" for key, value in (lines | settings).items())
    (campaign.folder / "campaign.yaml").write_text(text)


def wait_for(server, count: int) -> None:
    """Until the server has taken `count` messages: an event outside of this process, so it is asked for."""
    deadline = time.monotonic() + 30
    while sum(server.taken().values()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def states(campaign) -> Counter[str]:
    return Counter(row["status"] for row in campaign.report())


def test_interrupted_and_started_again_nobody_gets_it_twice_and_nobody_is_lost(campaign, start_server) -> None:
    server = start_server("--delay", "0.01")
    prepare(campaign, server)
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        before = sum(server.taken().values())
        run = campaign.start("send", "list.csv")
        wait_for(server, before + 100)
        run.send_signal(stop)
        out, err = run.communicate(timeout=30)
        assert (run.returncode, err) == (130, ""), err
        assert f"stopping: {stop.name} received" in out
        found = states(campaign)
        assert found.keys() <= {"delivered", "pending"}
        assert found["delivered"] == sum(server.taken().values())
        assert found.total() == ROWS

    assert campaign("send", "list.csv").code == 0
    assert states(campaign) == {"delivered": ROWS}
    assert server.taken() == {f"p{n}@example.org": 1 for n in range(ROWS)}


def test_killed_and_started_again_nobody_gets_it_twice_and_no_more_are_uncertain_than_were_in_flight(
    campaign, start_server
) -> None:
    server = start_server("--delay", "0.01")
    prepare(campaign, server)
    run = campaign.start("send", "list.csv")
    wait_for(server, 100)
    run.kill()
    run.communicate()

    ended = campaign("send", "list.csv")

    found = states(campaign)
    assert ended.code == (3 if found["uncertain"] else 0)
    assert found["uncertain"] <= 20
    assert found["delivered"] + found["uncertain"] == ROWS
    assert max(server.taken().values()) == 1


def test_a_second_signal_ends_it_at_once_and_what_was_in_flight_is_uncertain(campaign, start_server) -> None:
    server = start_server("--delay", "0.3")
    prepare(campaign, server)
    run = campaign.start("send", "list.csv")
    wait_for(server, 10)
    run.send_signal(signal.SIGINT)
    assert run.stdout is not None
    while "stopping" not in run.stdout.readline():
        pass
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=30)
    assert (run.returncode, err) == (130, "")
    found = states(campaign)
    assert found["uncertain"] + found["delivered"] == sum(server.taken().values())
    assert 0 < found["uncertain"] <= 20


def test_max_runtime_and_limit_stop_the_run_and_say_what_is_left(campaign, start_server) -> None:
    server = start_server("--delay", "0.05")
    prepare(campaign, server)
    limited = campaign("send", "list.csv", "--limit", "25")
    assert limited.code == 75
    assert "575 recipients left: run the same command again" in limited.out
    assert states(campaign) == {"delivered": 25, "pending": 575}

    timed = campaign("send", "list.csv", "--max-runtime", "3s")
    assert timed.code == 75
    assert "stopping: its 3 s are over" in timed.out
    assert states(campaign)["delivered"] == sum(server.taken().values()) > 25


def test_a_second_start_of_a_running_campaign_says_who_holds_it(campaign, start_server) -> None:
    server = start_server("--delay", "0.1")
    prepare(campaign, server)
    first = campaign.start("send", "list.csv")
    wait_for(server, 1)
    second = campaign("send", "list.csv")
    status = campaign("status")
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=30)
    assert second.code == 75
    assert f"process {first.pid}" in second.err
    assert f"process {first.pid}" in status.out


def test_a_relay_that_drops_every_session_is_tried_more_and_more_slowly(campaign, start_server) -> None:
    server = start_server()
    prepare(campaign, server, connections="4")
    campaign.write_list([["email", "name", "number"], *([f"drop+p{n}@example.org", "P", "1"] for n in range(ROWS))])
    assert campaign("send", "list.csv", "--max-runtime", "3s").code == 75
    found = states(campaign)
    # A second, then two more: three rounds of four sessions.
    assert 0 < found["uncertain"] <= 12
    assert found["pending"] == ROWS - found["uncertain"]
