"""A limit is a limit, and it lets mail through. Runs are stopped by what the server has seen, never by the time."""

import signal
import time
from collections.abc import Callable

PERIOD = 3.0

LIMIT = 50

SLOW = 60.0
"""Seconds that a machine which has too much else to do may take for what takes a few."""


def until(what: Callable[[], object]) -> None:
    """Wait for something that the server sees, which can only be asked for."""
    deadline = time.monotonic() + SLOW
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def prepare(campaign, server, rows: int, more: str = "") -> None:
    for name in ("one", "two"):
        campaign.write_list(
            [
                ["email", "name", "number"],
                *([f"{'busy+' if n % 5 == 0 else ''}{name}{n}@gmail.com", "P", "1"] for n in range(rows)),
            ],
            f"{name}.csv",
        )
    rate = f"'gmail={LIMIT}/{PERIOD:.0f}s{more}'"
    (campaign.folder / "campaign.yaml").write_text(
        f"template: hello.txt\nrelay: '{server.relay}'\nrate: [{rate}]\nretry: {{base: 1h}}\n"
    )


def starts(server) -> list[float]:
    return sorted(entry["at"] for entry in server.log if entry["what"] == "mail")


def most_in_any_period(times: list[float], period: float) -> int:
    return max(sum(1 for later in times[first:] if later <= at + period) for first, at in enumerate(times))


def sent_for_a_while(campaign, server, names: tuple[str, ...], count: int) -> list[float]:
    """When transactions started while the campaigns `names` were sent together: `count` or more, and some of each."""
    begun = len(server.log)

    def some_of_each() -> bool:
        asked = [entry["recipient"] for entry in server.log[begun:] if entry["what"] == "rcpt"]
        return len(asked) >= count and all(any(name in each for each in asked) for name in names)

    runs = [campaign.start("send", f"{name}.csv") for name in names]
    until(some_of_each)
    for run in runs:
        run.send_signal(signal.SIGTERM)
    for run in runs:
        _, err = run.communicate(timeout=SLOW)
        assert (run.returncode, err) == (130, "")
    return [entry["at"] for entry in server.log[begun:] if entry["what"] == "mail"]


def test_no_rolling_period_has_more_than_the_limit_over_restarts_and_two_campaigns_at_once(
    campaign, start_server
) -> None:
    server = start_server()
    prepare(campaign, server, rows=400)
    rounds = [sent_for_a_while(campaign, server, ("one", "two"), LIMIT) for _ in range(3)]

    assert most_in_any_period(starts(server), PERIOD) <= LIMIT
    # A limit that lets nothing through would keep the promise, too: half of it, from the first on, must be used.
    assert all(len(times) >= 0.5 * LIMIT * (times[-1] - times[0]) / PERIOD for times in rounds)
    refused = [entry for entry in server.log if entry["what"] == "rcpt" and entry["answer"].startswith("450")]
    assert refused


def test_a_campaign_stopped_and_started_at_once_has_no_new_budget(campaign, start_server) -> None:
    server = start_server()
    # All at once, so that whoever forgets what was charged is seen to.
    prepare(campaign, server, rows=150, more=f",max_burst={LIMIT}")
    for _ in range(4):
        sent_for_a_while(campaign, server, ("one",), LIMIT // 2)
    assert most_in_any_period(starts(server), PERIOD) <= LIMIT


def test_a_lane_that_waits_for_its_budget_holds_up_no_other(campaign, start_server) -> None:
    server = start_server()
    campaign.write_list(
        [["email", "name", "number"]]
        + [[f"p{n}@gmail.com", "P", "1"] for n in range(30)]
        + [[f"p{n}@yahoo.com", "P", "1"] for n in range(300)]
    )
    options = ("-t", "hello.txt", "--relay", server.relay, "--rate", "gmail=10/h", "--rate", "yahoo=none")
    run = campaign.start("send", "list.csv", *options)

    def taken(provider: str) -> int:
        return sum(address.endswith(provider) for address in server.taken())

    until(lambda: taken("@yahoo.com") == 300 and taken("@gmail.com"))
    run.send_signal(signal.SIGTERM)
    _, err = run.communicate(timeout=SLOW)

    assert (run.returncode, err) == (130, "")
    delivered = [row["provider"] for row in campaign.report() if row["status"] == "delivered"]
    assert delivered.count("yahoo") == 300
    assert 1 <= delivered.count("gmail") <= 10
