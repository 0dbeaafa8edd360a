"""`campaign send --to`: one real message, marked as a test, in nobody's ledger."""

import json
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from campaign_cli.audience.addresses import parse_address
from campaign_cli.content.unsubscribe import Unsubscribe

SEND = ("send", "list.csv", "-t", "hello.txt")
ROWS = [["email", "name", "number"], ["ann@yahoo.com", "Ann", "1"], ["bob@yahoo.com", "Bob", "2"]]


@pytest.fixture(autouse=True)
def contacts(campaign) -> None:
    campaign.write_list(ROWS)


def kept(folder: Path) -> EmailMessage:
    (found,) = (folder / "list-hello-sandbox").glob("*.eml")
    return message_from_bytes(found.read_bytes(), policy=policy.default)


def test_a_test_message_is_the_contacts_own_but_for_its_marks_and_its_envelope(campaign, start_server) -> None:
    server = start_server()
    ended = campaign(*SEND, "--relay", server.relay, "--to", "me@example.com", "--as", "BOB@yahoo.com")
    assert (ended.code, ended.err) == (0, "")
    assert "test message to me@example.com, as line 3, bob@yahoo.com, would get it: [Test] Hello Bob" in ended.out
    assert "delivered: 127.0.0.1:" in ended.out
    assert server.taken() == {"me@example.com": 1}
    assert not list(campaign.folder.glob("*report*"))
    # The campaign knows nothing of it.
    assert campaign(*SEND, "--relay", server.relay).code == 0
    assert server.taken() == {"me@example.com": 1, "ann@yahoo.com": 1, "bob@yahoo.com": 1}


def test_what_arrives_is_marked_addressed_and_written_as_for_the_contact(campaign) -> None:
    assert campaign(*SEND, "--sandbox", "--to", "me@example.com").code == 0
    message = kept(campaign.folder)
    assert (message["To"], message["Subject"]) == ("Ann <me@example.com>", "[Test] Hello Ann")
    assert message["X-Campaign-Test"] == "yes"
    assert message.get_content().splitlines() == ["Dear Ann,", "", "this is number 1."]


def test_its_link_unsubscribes_the_address_that_it_is_sent_to_and_not_the_contact(campaign) -> None:
    key = campaign.folder / "tokens"
    key.write_text("k" * 40)
    key.chmod(0o600)
    (campaign.folder / "campaign.yaml").write_text(
        'unsubscribe: {url: "https://x.example.org/u/{{ token }}", key: tokens}\n'
    )
    assert campaign(*SEND, "--sandbox", "--to", "me@example.com").code == 0
    links = Unsubscribe("list-hello", "https://x.example.org/u/{{ token }}", None, b"k" * 40)
    assert kept(campaign.folder)["List-Unsubscribe"] == f"<{links.link(parse_address('me@example.com')).url}>"


def test_it_counts_against_the_limit_of_its_provider(campaign, start_server) -> None:
    options = (*SEND, "--relay", start_server().relay, "--rate", "yahoo=1/h")
    assert campaign(*options, "--to", "me@yahoo.com").code == 0
    ended = campaign(*options, "--to", "me@yahoo.com")
    assert (ended.code, ended.out) == (75, "")
    assert ended.err.startswith(
        "campaign: the limit of yahoo allows nothing more now, and a test message counts as any"
    )
    assert campaign(*options, "--to", "me@gmail.com").code == 0
    assert campaign(*options, "--max-runtime", "1s").code == 75


def test_the_suppressed_get_no_test_and_of_a_suppressed_contact_it_is_told(campaign, start_server) -> None:
    server = start_server()
    campaign("suppress", "add", "me@example.com", "ann@yahoo.com", "--reason", "asked to")
    ended = campaign(*SEND, "--relay", server.relay, "--to", "ME@example.com")
    assert (ended.code, ended.out) == (65, "")
    assert ended.err.startswith("campaign: ME@example.com is suppressed (asked to), so nothing is sent to it")
    assert server.taken() == {}
    ended = campaign(*SEND, "--relay", server.relay, "--to", "you@example.com")
    assert ended.code == 0
    assert "note: ann@yahoo.com is suppressed (asked to)" in ended.out


@pytest.mark.parametrize(
    ("to", "code", "outcome", "reply"),
    [
        ("me@example.com", 0, "delivered", "250"),
        ("bounce+x@example.com", 3, "bounced", "550 5.1.1 no such user"),
        ("busy+x@example.com", 75, "deferred", "450 4.2.1 mailbox busy"),
        ("blocked+x@example.com", 3, "bounced", "550 5.0.0 not this"),
    ],
)
def test_what_the_server_says_is_told_and_is_the_exit_code(
    campaign, start_server, to: str, code: int, outcome: str, reply: str
) -> None:
    ended = campaign(*SEND, "--relay", start_server().relay, "--to", to, "--json")
    told = json.loads(ended.out)
    assert (ended.code, told["exit_code"], told["outcome"]) == (code, code, outcome)
    assert told["reply"].startswith(reply)
    assert (told["to"], told["as"]) == (to, {"line": 2, "email": "ann@yahoo.com"})


def test_without_a_relay_that_works_it_ends_as_any_run(campaign) -> None:
    ended = campaign(*SEND, "--relay", "smtp://127.0.0.1:1?tls=off", "--to", "me@example.com")
    assert (ended.code, ended.out) == (69, "relay 127.0.0.1:1: cannot connect: Connection refused\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--as", "ann@yahoo.com"), "--as says whose message a test is: say with --to where it goes"),
        (("--to", "me@example.com", "--dry-run"), "--to sends a message, and --dry-run sends nothing"),
        (("--to", "me"), "'me' is not an address: "),
        (("--to", "me@example.com", "--as", "eve@yahoo.com"), "eve@yahoo.com is not on the list list.csv"),
    ],
)
def test_what_cannot_be_meant_is_told(campaign, options: tuple[str, ...], said: str) -> None:
    ended = campaign(*SEND, "--relay", "smtp://127.0.0.1:1?tls=off", *options)
    assert (ended.code, ended.out) == (64, "")
    assert ended.err.startswith(f"campaign: {said}")
    assert not campaign.state.exists()


def test_a_contact_whose_message_cannot_be_made_is_told_with_its_line(campaign) -> None:
    (campaign.folder / "hello.txt").write_text(
        "---\nsubject: Hello\nfrom: Ada <ada@sender.example.org>\n---\n{{ 1 // (number | int - 1) }}\n"
    )
    ended = campaign(*SEND, "--sandbox", "--to", "me@example.com")
    assert (ended.code, ended.out) == (65, "")
    assert ended.err.startswith("campaign: list.csv:2: ann@yahoo.com: ")
