"""CHUNKING: several transactions in flight, so that a lost session leaves more of them without an answer."""

from collections import Counter

import pytest

ROWS = 300
IN_FLIGHT = 8


def prepare(campaign, server, rows: list[list[str]], patience: str = "3s") -> None:
    campaign.write_list([["email", "name", "number"], *rows])
    (campaign.folder / "campaign.yaml").write_text(
        f"template: hello.txt\nrelay: '{server.relay}'\npatience: {patience}\nretry: {{base: 1s, factor: 60}}\n"
        "rate: [example.org=none]\nconnections: 4\n"
    )


@pytest.mark.parametrize("lost", ["drop", "reset"])
def test_sessions_that_are_lost_leave_uncertain_at_most_what_was_in_flight_and_nobody_twice(
    campaign, start_server, lost
) -> None:
    server = start_server("--chunking")
    kinds = [f"{lost}+" if n % 100 == 50 else "" for n in range(ROWS)]
    prepare(campaign, server, [[f"{kind}p{n}@example.org", "P", "1"] for n, kind in enumerate(kinds)])

    ended = campaign("send", "list.csv")

    found = Counter(row["status"] for row in campaign.report())
    taken, three = server.taken(), [f"{lost}+p{n}@example.org" for n in (50, 150, 250)]
    delivered = {row["email"] for row in campaign.report() if row["status"] == "delivered"}
    uncertain = {row["email"] for row in campaign.report() if row["status"] == "uncertain"}
    assert (ended.code, ended.err, found.keys(), found.total()) == (3, "", {"delivered", "uncertain"}, ROWS)
    assert (max(taken.values()), delivered <= taken.keys(), taken.keys() <= delivered | uncertain) == (1, True, True)
    assert uncertain >= set(three)
    assert len(uncertain) <= IN_FLIGHT * len(three)


MIXED = {
    "": ("delivered", "250"),
    "bounce+": ("bounced", "550"),
    "busy+": ("deferred", "450"),
    "blocked+": ("bounced", "550"),
    "moody+": ("deferred", "451"),
}


@pytest.mark.parametrize("kinds", [["", "bounce+", "bounce+"], ["", "", *MIXED]], ids=["recipients", "mixed"])
@pytest.mark.parametrize("after_refusal", ["over", "exim", "kept", "stuck"])
def test_a_refusal_is_its_recipients_alone_whatever_the_server_makes_of_the_transactions_behind(
    campaign, start_server, after_refusal, kinds
) -> None:
    server = start_server("--chunking", "--after-refusal", after_refusal)
    of = [kinds[n % len(kinds)] for n in range(ROWS)]
    prepare(campaign, server, [[f"{kind}p{n}@example.org", "P", "1"] for n, kind in enumerate(of)], patience="0s")

    ended = campaign("send", "list.csv")

    report = campaign.report()
    assert (ended.code, ended.err) == (75 if "busy+" in of else 0, "")
    assert [(row["status"], row["code"], row["attempts"]) for row in report] == [(*MIXED[kind], "1") for kind in of]
    assert [(entry["recipient"], entry["message_id"]) for entry in sorted_by_row(server, "taken")] == [
        (row["email"], row["message_id"]) for row in report if row["status"] == "delivered"
    ]
    assert not [entry for entry in server.log if entry["what"] == "abused"]


def sorted_by_row(server, what: str) -> list[dict[str, str]]:
    entries = [entry for entry in server.log if entry["what"] == what]
    return sorted(entries, key=lambda entry: int(entry["recipient"].partition("@")[0].rpartition("p")[2]))


def test_a_relay_that_reads_refused_chunks_as_commands_leaves_some_uncertain_once_and_is_spoken_to_without(
    campaign, start_server
) -> None:
    server = start_server("--chunking", "--after-refusal", "commands")
    of = ["bounce+" if n % 10 == 5 else "" for n in range(ROWS)]
    prepare(campaign, server, [[f"{kind}p{n}@example.org", "P", "1"] for n, kind in enumerate(of)])

    ended = campaign("send", "list.csv", "--log-file", "log")

    found = Counter(row["status"] for row in campaign.report())
    taken, report = server.taken(), {row["email"]: row["status"] for row in campaign.report()}
    delivered = {address for address, status in report.items() if status == "delivered"}
    uncertain = {address for address, status in report.items() if status == "uncertain"}
    assert (ended.code, found["deferred"], found.total()) == (3, 0, ROWS)
    assert (max(taken.values()), delivered <= taken.keys(), taken.keys() <= delivered | uncertain) == (1, True, True)
    assert {address for address, status in report.items() if status == "bounced"} >= {
        address for address in report if address.startswith("bounce+") and address not in uncertain
    }
    assert 0 < len(uncertain) <= IN_FLIGHT * 4
    assert "got out of step: no CHUNKING from now on" in (campaign.folder / "log").read_text() + ended.err


def test_data_and_bdat_carry_the_same_octets(campaign, start_server) -> None:
    server = start_server("--chunking")
    prepare(campaign, server, [[f"moody+p{n}@example.org", "P", f"\n.\n..{n}"] for n in range(20)], patience="0s")

    by_data = campaign("send", "list.csv", "--relay", f"{server.relay}&chunking=off")
    prepare(campaign, server, [[f"moody+p{n}@example.org", "P", f"\n.\n..{n}"] for n in range(20)])
    by_bdat = campaign("send", "list.csv")

    refused = [entry for entry in server.log if entry["what"] == "content refused"]
    assert (by_data.code, by_bdat.code, len(refused)) == (75, 75, 40)
    assert len({(entry["recipient"], entry["message_id"], entry["digest"]) for entry in refused}) == 20
