import json
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def classic_list(campaign) -> None:
    made = subprocess.run([sys.executable, EXAMPLES / "make_list.py"], capture_output=True, check=True)
    (campaign.folder / "list.csv").write_bytes(made.stdout)


def test_the_classic_ten_thousand_are_three_groups_and_take_about_three_hours(campaign) -> None:
    classic_list(campaign)
    before = snapshot(campaign.folder)
    template = str(EXAMPLES / "hello" / "welcome.html")

    shown = campaign("send", "list.csv", "-t", template, "--dry-run")
    plan = json.loads(campaign("send", "list.csv", "-t", template, "--dry-run", "--json").out)

    assert (shown.code, shown.err) == (0, "")
    assert [(group["provider"], group["recipients"]) for group in plan["providers"]] == [
        ("gmail", 5000),
        ("yahoo", 3000),
        ("hotmail", 2000),
    ]
    yahoo = plan["providers"][1]
    assert yahoo["limit"] == "1000/h"
    assert 2.5 * 3600 <= yahoo["duration"] <= 3.5 * 3600
    assert "2 h 58 min" in shown.out
    assert "To: Grażyna García <contact00001@yahoo.com>" in shown.out
    assert snapshot(campaign.folder) == before


def test_a_dry_run_in_the_middle_of_a_campaign_knows_what_is_done_and_touches_nothing(campaign, start_server) -> None:
    server = start_server()
    rows = [
        ["email", "name", "number"],
        *([f"p{n}@yahoo.com", "P", "1"] for n in range(40)),
        ["p1@yahoo.com", "P", "1"],
    ]
    campaign.write_list([*rows, ["nobody", "", ""]])
    campaign("suppress", "add", "p0@yahoo.com")
    assert campaign("send", "list.csv", "-t", "hello.txt", "--relay", server.relay, "--limit", "15").code == 75
    before, log = snapshot(campaign.folder), server.log

    plan = json.loads(campaign("send", "list.csv", "-t", "hello.txt", "--dry-run", "--json").out)

    counts = {state: count for state, count in plan["states"].items() if count}
    assert counts == {"delivered": 15, "pending": 24, "suppressed": 1, "invalid": 1, "duplicate": 1}
    # What was charged on a disk that took too long was not used, and is gone all the same.
    assert 900 < plan["providers"][0]["left_now"] <= 985
    assert snapshot(campaign.folder) == before
    assert server.log == log
