"""Variants against a real server: what each recipient got is what the report says, also of what changed meanwhile."""

import json
from email import message_from_bytes, policy
from pathlib import Path

import pytest

NAMES = [f"p{number}" for number in range(60)]

TEMPLATE = """---
from: Ada <ada@sender.example.org>
variants:
  plain: "Plain for {{ name }}"
  lively: {subject: "Lively for {{ name }}", weight: %s}
---
<p>{%% if variant == "lively" %%}Guess{%% else %%}Read{%% endif %%} <a href="https://x.example.org/">more</a></p>
"""


@pytest.fixture(autouse=True)
def template(campaign) -> None:
    (campaign.folder / "page.html").write_text(TEMPLATE % 2)
    (campaign.folder / "campaign.yaml").write_text("rate: {yahoo: none}\n")
    write_list(campaign, NAMES)


def write_list(campaign, names: list[str]) -> None:
    campaign.write_list([["email", "name"], *[[f"{name}@yahoo.com", name] for name in names]])


def subjects(folder: Path) -> dict[str, str]:
    """What everybody got."""
    messages = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in folder.glob("*.eml")]
    return {message["To"].addresses[0].addr_spec: message["Subject"] for message in messages}


def variants(campaign, name: str = "list-page") -> dict[str, str]:
    """What the report says."""
    return {row["email"]: row["variant"] for row in campaign.report(name)}


def agree(campaign, kept: Path, word: dict[str, str]) -> None:
    """That everybody who got something got what the report says, and nobody else is said to have got any."""
    got = subjects(kept)
    told = variants(campaign)
    for email, variant in told.items():
        assert got.get(email, "") == (f"{word[variant]} for {email.partition('@')[0]}" if variant else ""), email
    assert set(got) == {email for email, variant in told.items() if variant}


def test_each_recipients_subject_is_that_of_the_report_also_after_changes(campaign, start_server) -> None:
    kept = campaign.folder / "kept"
    kept.mkdir()
    server = start_server("--keep", str(kept))
    send = ("send", "list.csv", "-t", "page.html", "--relay", server.relay)
    words = {"plain": "Plain", "lively": "Lively", "third": "Third"}

    assert campaign(*send, "--limit", "20").code == 75
    agree(campaign, kept, words)
    first = {email: variant for email, variant in variants(campaign).items() if variant}
    assert (len(first), set(first.values())) == (20, {"plain", "lively"})

    # Another order of the list and of the variants moves nobody, and is no change.
    write_list(campaign, NAMES[::-1])
    assert campaign(*send, "--limit", "10").code == 75
    agree(campaign, kept, words)

    (campaign.folder / "page.html").write_text(
        (TEMPLATE % 1).replace("variants:\n", 'variants:\n  third: {subject: "Third for {{ name }}", weight: 5}\n')
    )
    refused = campaign(*send)
    assert (refused.code, "its variants" in refused.err) == (65, True)
    assert campaign(*send, "--accept-changes").code == 0
    agree(campaign, kept, words)
    told = variants(campaign)
    assert {email: told[email] for email in first} == first
    assert set(told.values()) == {"plain", "lively", "third"}
    assert server.taken().total() == len(NAMES)
    (status,) = json.loads(campaign("status", "list-page", "--json").out)
    assert [each["variants"] for each in status["revisions"]] == [
        {"lively": 2, "plain": 1},
        {"lively": 1, "plain": 1, "third": 5},
    ]
    assert "in variants lively 2, plain 1" in campaign("status", "list-page").out
    assert campaign("report", "list-page", "--output", "again.csv").code == 0
    again, report = campaign.folder / "again.csv", campaign.folder / "list-page-report.csv"
    assert again.read_bytes() == report.read_bytes()


def test_what_is_tried_again_is_in_the_same_variant(campaign, start_server) -> None:
    kept = campaign.folder / "kept"
    kept.mkdir()
    write_list(campaign, [f"defer+{name}" for name in NAMES[:8]])
    server = start_server("--keep", str(kept))
    (campaign.folder / "campaign.yaml").write_text("rate: {yahoo: none}\nretry: {base: 1s, factor: 1}\npatience: 1m\n")
    assert campaign("send", "list.csv", "-t", "page.html", "--relay", server.relay).code == 0
    assert {row["attempts"] for row in campaign.report("list-page")} == {"2"}
    agree(campaign, kept, {"plain": "Plain", "lively": "Lively"})


def test_without_variants_the_column_is_empty(campaign, start_server) -> None:
    (campaign.folder / "page.html").write_text("---\nsubject: Hi\nfrom: a@x.example.org\n---\n<p>Hi</p>\n")
    assert campaign("send", "list.csv", "-t", "page.html", "--relay", start_server().relay).code == 0
    assert set(variants(campaign).values()) == {""}


def test_a_dry_run_tells_the_split_and_shows_one_of_each(campaign) -> None:
    shown = campaign("send", "list.csv", "-t", "page.html", "--dry-run")
    plan = json.loads(campaign("send", "list.csv", "-t", "page.html", "--dry-run", "--json").out)
    assert sum(plan["variants"].values()) == len(NAMES)
    assert f"{plan['variants']['plain']} get plain, {plan['variants']['lively']} get lively" in shown.out
    assert {each["variant"] for each in plan["messages"]} == {"plain", "lively"}
    for each in plan["messages"]:
        assert each["headers"]["Subject"].startswith(each["variant"].title())
        assert f", variant {each['variant']}" in shown.out


def test_a_preview_says_which_one_is_each_contacts_and_shows_one_that_is_named(campaign) -> None:
    preview = ("preview", "list.csv", "-t", "page.html", "--count", "20", "--json")
    own = json.loads(campaign(*preview).out)["messages"]
    assert {each["variant"] for each in own} == {"plain", "lively"}
    named = json.loads(campaign(*preview, "--variant", "plain").out)["messages"]
    assert {each["variant"] for each in named} == {"plain"}
    for each in (*own, *named):
        assert each["headers"]["Subject"].startswith(each["variant"].title())
    assert campaign("send", "list.csv", "-t", "page.html", "--sandbox", "--report", "list-page-report.csv").code == 0
    assert {each["email"]: each["variant"] for each in own}.items() <= variants(campaign).items()
    wrong = campaign(*preview, "--variant", "livley")
    assert (wrong.code, wrong.err) == (64, "campaign: --variant 'livley': there are: plain, lively\n")


def test_a_test_message_is_in_the_contacts_variant_or_in_the_one_that_is_named(campaign, start_server) -> None:
    server = start_server()
    trial = ("send", "list.csv", "-t", "page.html", "--relay", server.relay, "--to", "me@example.com", "--json")
    previews = json.loads(campaign("preview", "list.csv", "-t", "page.html", "--count", "6", "--json").out)["messages"]
    for each in previews:
        told = json.loads(campaign(*trial, "--as", each["email"]).out)
        assert (told["variant"], told["subject"]) == (each["variant"], f"[Test] {each['headers']['Subject']}")
    for name in ("plain", "lively"):
        assert json.loads(campaign(*trial, "--variant", name).out)["subject"] == f"[Test] {name.title()} for p0"
    alone = campaign("send", "list.csv", "-t", "page.html", "--variant", "plain")
    assert (alone.code, alone.err.startswith("campaign: --variant says which one a test is in")) == (64, True)


def test_check_looks_at_every_variant_also_at_one_that_no_row_gets(campaign) -> None:
    write_list(campaign, NAMES[:1])
    (campaign.folder / "page.html").write_text(
        "---\nfrom: a@x.example.org\nvariants:\n  a: {subject: 'Good', weight: 100000}\n  b: BUY IT NOW OR NEVER\n"
        "  c: '{{ 1 // (name | length - 2) }}'\n---\n<p>Hi</p>\n"
    )
    findings = json.loads(campaign("check", "list.csv", "-t", "page.html", "--json").out)["findings"]
    told = {each["id"]: each for each in findings}
    assert told["subject.shouts"]["place"] == "header Subject, variant b"
    assert told["row.fails"]["what"].startswith("page.html:6: Subject: ")
    assert "subject.long" not in told
