"""What makes a campaign trustworthy: who is sent what again, from which ledger, and with whose agreement."""

import json
import os
import pty
import shutil
import subprocess
import sys

from tests.integration.test_dry_run import snapshot

CHANGED = "what 'list-hello' sends has changed since "


def prepare(campaign, server, *names: str, **settings: str) -> None:
    rows = [[f"{name}@example.org", name.title(), "1"] for name in names]
    campaign.write_list([["email", "name", "number"], *rows])
    lines = {"template": "hello.txt", "relay": f"'{server.relay}'", "rate": "[example.org=none]"} | settings
    text = "".join(f"{key}: {value}\n" for key, value in lines.items())
    (campaign.folder / "campaign.yaml").write_text(text)


def statuses(campaign) -> dict[str, str]:
    return {row["email"].partition("@")[0]: row["status"] for row in campaign.report()}


def taken(server, name: str) -> list[tuple[str, str, int]]:
    """Message-ID, hash of all bytes, and size of each message that the server took for `name`."""
    return [
        (entry["message_id"], entry["digest"], entry["octets"])
        for entry in server.log
        if entry["what"] == "taken" and entry["recipient"] == f"{name}@example.org"
    ]


def test_what_is_sent_again_is_the_same_to_the_byte_although_the_row_has_changed(campaign, start_server) -> None:
    server = start_server()
    prepare(campaign, server, "drop", "drop+two", "ann")
    assert campaign("send", "list.csv").code == 3
    assert statuses(campaign) == {"drop": "uncertain", "drop+two": "uncertain", "ann": "delivered"}
    campaign.write_list(
        [["email", "name", "number"], *([f"{name}@example.org", "New", "2"] for name in ("new", "drop", "drop+two"))]
    )
    assert campaign("send", "list.csv").code == 3
    assert len(taken(server, "drop")) == 1

    again = campaign("send", "list.csv", "--resend-uncertain")
    assert "2 uncertain recipients are sent to again, as asked" in again.out
    resolved = campaign("resolve", "list-hello", "--not-delivered", "drop+two@example.org")
    assert (resolved.code, resolved.out) == (0, "drop+two@example.org: pending, sent again by the next run\n")
    campaign("send", "list.csv")

    for name, times in (("drop", 2), ("drop+two", 3)):
        assert len(taken(server, name)) == times
        assert len(set(taken(server, name))) == 1
    assert len(taken(server, "new")) == 1


def test_resolving_is_all_or_nothing_and_says_which_state_each_has(campaign, start_server) -> None:
    server = start_server()
    prepare(campaign, server, "drop", "drop+two", "ann")
    campaign("send", "list.csv")
    before = snapshot(campaign.state)["campaigns/list-hello/ledger.db"]

    wrong = campaign(
        "resolve", "list-hello", "--delivered", "drop@example.org", "Ann@example.org", "nobody@example.org"
    )
    assert (wrong.code, wrong.out) == (64, "")
    assert wrong.err.splitlines() == [
        "campaign: ann@example.org is delivered, not uncertain",
        "campaign: nobody@example.org is no recipient of 'list-hello'",
        "campaign: nothing was changed: name only those that `campaign report list-hello` shows as uncertain",
    ]
    assert snapshot(campaign.state)["campaigns/list-hello/ledger.db"] == before

    done = campaign("resolve", "list-hello", "--delivered", "--all", "--json")
    assert json.loads(done.out) == {
        "name": "list-hello",
        "state": "delivered",
        "resolved": ["drop@example.org", "drop+two@example.org"],
    }
    assert campaign("resolve", "list-hello", "--delivered", "--all").out == "list-hello: no recipient is uncertain\n"
    assert campaign("send", "list.csv", "--resend-uncertain").code == 0
    assert statuses(campaign) == dict.fromkeys(("drop", "drop+two", "ann"), "delivered")
    assert "resolved by the user as delivered" in campaign.report()[0]["reason"]
    assert sum(server.taken().values()) == 3


def test_a_campaign_that_a_run_holds_is_not_resolved(campaign, start_server) -> None:
    server = start_server("--delay", "0.3")
    prepare(campaign, server, *(f"p{number}" for number in range(40)), connections="1")
    run = campaign.start("send", "list.csv")
    while not server.taken():
        assert run.poll() is None
    held = campaign("resolve", "list-hello", "--delivered", "--all")
    run.terminate()
    run.communicate(timeout=30)
    assert (held.code, f"process {run.pid}" in held.err) == (75, True)


def test_a_copied_state_is_refused_by_send_alone_until_it_is_adopted(campaign, start_server) -> None:
    server = start_server()
    prepare(campaign, server, "ann", "bob", "cy")
    assert campaign("send", "list.csv", "--limit", "1").code == 75
    shutil.copytree(campaign.state, campaign.folder / "copy")
    # The one that goes on makes the copy an old one.
    assert campaign("send", "list.csv", "--limit", "1").code == 75
    before = snapshot(campaign.folder / "copy")
    copy = ("--state", "copy")

    assert campaign("status", "list-hello", *copy).code == 0
    assert campaign("report", "list-hello", "--output", "-", *copy).code == 0
    dry = campaign("send", "list.csv", "--dry-run", *copy)
    assert (dry.code, "`campaign send` refuses it without --adopt" in dry.out) == (0, True)
    assert snapshot(campaign.folder / "copy") == before

    refused = campaign("send", "list.csv", *copy)
    assert refused.code == 74
    assert "copy/campaigns/list-hello/ledger.db is not the file that was last sent from" in refused.err
    assert "may mail people twice" in refused.err
    assert sum(server.taken().values()) == 2

    adopted = campaign("send", "list.csv", *copy, "--adopt", "--limit", "1")
    assert (adopted.code, "it is taken as it is, as asked" in adopted.out) == (75, True)
    assert campaign("send", "list.csv", *copy).code == 0
    assert campaign("send", "list.csv").code == 0


def test_a_run_whose_campaign_is_taken_over_stops_and_changes_nothing_any_more(campaign, start_server) -> None:
    server = start_server("--delay", "0.05")
    names = [f"p{number}" for number in range(60)]
    prepare(campaign, server, *names, connections="2")
    first = campaign.start("send", "list.csv")
    while sum(server.taken().values()) < 5:
        assert first.poll() is None
    # As on another host that does not see the lock.
    (campaign.state / "campaigns" / "list-hello" / "lock").unlink()
    second = campaign("send", "list.csv")
    _, err = first.communicate(timeout=30)
    assert (first.returncode, "another process has taken this campaign over" in err) == (74, True)
    found = statuses(campaign)
    assert second.code in (0, 3)
    assert set(found.values()) <= {"delivered", "uncertain"}
    # One that was marked and then not handed over is uncertain all the same.
    assert set(server.taken().values()) == {1}
    assert {name for name, status in found.items() if status == "delivered"} <= {
        address.partition("@")[0] for address in server.taken()
    }
    assert list(found.values()).count("uncertain") <= 16


def change(campaign, words: str) -> None:
    template = campaign.folder / "hello.txt"
    template.write_text(template.read_text() + words)


def test_without_a_terminal_a_changed_template_needs_to_be_accepted(campaign, start_server) -> None:
    server = start_server()
    prepare(campaign, server, "ann", "bob", "cy", "dee")
    assert campaign("send", "list.csv", "--limit", "2").code == 75
    change(campaign, "More.\n")

    dry = campaign("send", "list.csv", "--dry-run")
    assert (dry.code, f"{CHANGED}2 recipients were sent to: hello.txt, " in dry.out) == (0, True)
    for options in ((), ("--yes",)):
        refused = campaign("send", "list.csv", *options)
        assert (refused.code, f"{CHANGED}2 recipients were sent to: hello.txt, its subject" in refused.err) == (
            65,
            True,
        )
        assert "2 would get the changed message: look at it with --dry-run" in refused.err
    assert sum(server.taken().values()) == 2

    assert campaign("send", "list.csv", "--accept-changes", "--limit", "1").code == 75
    # It is agreed to; another sender is not.
    assert campaign("send", "list.csv", "--limit", "1").code == 0
    (status,) = json.loads(campaign("status", "list-hello", "--json").out)
    assert [(each["number"], each["sent_to"]) for each in status["revisions"]] == [(1, 2), (2, 2)]
    assert status["revision"] == 2
    shown = campaign("status", "list-hello").out
    assert "  revision 1: hello.txt from Ada <ada@sender.example.org>, sha256 " in shown
    # Finished: nothing is asked; with a new row it is.
    change(campaign, "Even more.\n")
    assert campaign("send", "list.csv").code == 0
    prepare(campaign, server, "ann", "eve")
    assert f"{CHANGED}4 recipients were sent to: hello.txt, " in campaign("send", "list.csv").err
    prepare(campaign, server, "ann", "eve", **{"from": "Bob <bob@example.org>"})
    refused = campaign("send", "list.csv")
    assert refused.code == 65
    assert "the sender was Ada <ada@sender.example.org> and is Bob <bob@example.org>; 1 would get" in refused.err
    assert campaign("send", "list.csv", "--sandbox").code == 0


def test_what_is_uncertain_is_not_sent_again_as_another_message_unasked_or_refused(campaign, start_server) -> None:
    server = start_server()
    prepare(campaign, server, "drop", "ann")
    campaign("send", "list.csv")
    change(campaign, "More.\n")
    assert campaign("send", "list.csv").code == 3
    refused = campaign("send", "list.csv", "--resend-uncertain")
    assert refused.code == 65
    assert "1 would get the changed message, of whom 1 may already have had the other one" in refused.err
    # Nothing of it stays behind.
    assert campaign("send", "list.csv").code == 3
    # Also where the change has been agreed to, for others.
    prepare(campaign, server, "drop", "ann", "new")
    assert campaign("send", "list.csv", "--accept-changes").code == 3
    assert campaign("send", "list.csv", "--resend-uncertain").code == 65
    campaign("resolve", "list-hello", "--not-delivered", "--all")
    refused = campaign("send", "list.csv")
    assert (refused.code, "of whom 1 may already have had" in refused.err) == (65, True)
    assert len(taken(server, "drop")) == 1
    assert campaign("send", "list.csv", "--accept-changes").code == 3
    assert [message_id for message_id, *_ in taken(server, "drop")] == [taken(server, "drop")[0][0]] * 2


def at_a_terminal(campaign, typed: str, *arguments: str) -> tuple[int, str]:
    """What a person sees who types this."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"CAMPAIGN_STATE": str(campaign.state), "TERM": "dumb", "COLUMNS": "200"}
    with subprocess.Popen(
        [sys.executable, "-m", "campaign_cli", *arguments],
        cwd=campaign.folder,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b""
        try:
            while octets := os.read(ours, 65536):
                shown += octets
        except OSError:
            pass  # The end of a terminal whose other side is closed.
        code = process.wait(30)
    os.close(ours)
    return code, shown.decode()


def test_at_a_terminal_a_changed_template_is_asked_about_once(campaign, start_server) -> None:
    server = start_server()
    prepare(campaign, server, "ann", "bob", "cy")
    campaign("send", "list.csv", "--limit", "1")
    change(campaign, "More.\n")
    code, shown = at_a_terminal(campaign, "n\n", "send", "list.csv", "--yes")
    assert (code, "nothing was sent" in shown, "Send them the changed message? [y/N]" in shown) == (130, True, True)
    assert sum(server.taken().values()) == 1
    code, shown = at_a_terminal(campaign, "y\n", "send", "list.csv", "--limit", "1")
    assert (code, CHANGED in shown) == (75, True)
    code, shown = at_a_terminal(campaign, "", "send", "list.csv")
    assert (code, CHANGED in shown) == (0, False)
