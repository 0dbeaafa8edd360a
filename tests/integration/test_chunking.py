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


def test_a_refused_recipients_content_is_swallowed_and_its_neighbours_on_the_session_are_delivered(
    campaign, start_server
) -> None:
    server = start_server("--chunking")
    prepare(campaign, server, [[f"{'bounce+' if n % 3 else ''}p{n}@example.org", "P", "1"] for n in range(ROWS)])

    ended = campaign("send", "list.csv")

    assert (ended.code, ended.err) == (0, "")
    assert [(row["status"], row["code"], row["attempts"]) for row in campaign.report()] == [
        ("bounced", "550", "1") if n % 3 else ("delivered", "250", "1") for n in range(ROWS)
    ]
    assert server.taken() == {f"p{n}@example.org": 1 for n in range(0, ROWS, 3)}


def test_data_and_bdat_carry_the_same_octets(campaign, start_server) -> None:
    server = start_server("--chunking")
    prepare(campaign, server, [[f"moody+p{n}@example.org", "P", f"\n.\n..{n}"] for n in range(20)], patience="0s")

    by_data = campaign("send", "list.csv", "--relay", f"{server.relay}&chunking=off")
    prepare(campaign, server, [[f"moody+p{n}@example.org", "P", f"\n.\n..{n}"] for n in range(20)])
    by_bdat = campaign("send", "list.csv")

    refused = [entry for entry in server.log if entry["what"] == "content refused"]
    assert (by_data.code, by_bdat.code, len(refused)) == (75, 75, 40)
    assert len({(entry["recipient"], entry["message_id"], entry["digest"]) for entry in refused}) == 20
