PERIOD = 3.0
LIMIT = 50


def prepare(campaign, server, rows: int) -> None:
    for name in ("one", "two"):
        campaign.write_list(
            [
                ["email", "name", "number"],
                *([f"{'busy+' if n % 5 == 0 else ''}{name}{n}@gmail.com", "P", "1"] for n in range(rows)),
            ],
            f"{name}.csv",
        )
    (campaign.folder / "campaign.yaml").write_text(
        f"template: hello.txt\nrelay: '{server.relay}'\nrate: [gmail={LIMIT}/{PERIOD:.0f}s]\nretry: {{base: 1h}}\n"
    )


def starts(server) -> list[float]:
    return sorted(entry["at"] for entry in server.log if entry["what"] == "mail")


def most_in_any_period(times: list[float], period: float) -> int:
    return max(sum(1 for later in times[first:] if later <= at + period) for first, at in enumerate(times))


def test_no_rolling_period_has_more_than_the_limit_over_restarts_and_two_campaigns_at_once(
    campaign, start_server
) -> None:
    server = start_server()
    prepare(campaign, server, rows=150)
    for _ in range(3):
        runs = [campaign.start("send", f"{name}.csv", "--max-runtime", "3s") for name in ("one", "two")]
        for run in runs:
            _, err = run.communicate(timeout=60)
            assert (run.returncode, err) == (75, "")
    times = starts(server)

    assert most_in_any_period(times, PERIOD) <= LIMIT
    # A limit that lets nothing through would keep the promise, too: half of it, starting up included, must be used.
    assert len(times) >= 0.5 * LIMIT * (times[-1] - times[0]) / PERIOD
    refused = [entry for entry in server.log if entry["what"] == "rcpt" and entry["answer"].startswith("450")]
    assert refused


def test_a_campaign_stopped_and_started_at_once_has_no_new_budget(campaign, start_server) -> None:
    server = start_server()
    prepare(campaign, server, rows=150)
    for _ in range(4):
        run = campaign.start("send", "one.csv", "--max-runtime", "400ms")
        run.communicate(timeout=60)
    assert most_in_any_period(starts(server), PERIOD) <= LIMIT


def test_a_lane_that_waits_for_its_budget_holds_up_no_other(campaign, start_server) -> None:
    server = start_server()
    campaign.write_list(
        [["email", "name", "number"]]
        + [[f"p{n}@gmail.com", "P", "1"] for n in range(30)]
        + [[f"p{n}@yahoo.com", "P", "1"] for n in range(300)]
    )
    ended = campaign(
        "send",
        "list.csv",
        "-t",
        "hello.txt",
        "--relay",
        server.relay,
        "--rate",
        "gmail=10/h",
        "--rate",
        "yahoo=none",
        "--max-runtime",
        "3s",
    )
    assert ended.code == 75
    delivered = [row["provider"] for row in campaign.report() if row["status"] == "delivered"]
    assert delivered.count("yahoo") == 300
    assert 1 <= delivered.count("gmail") <= 10
