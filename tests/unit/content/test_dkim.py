import pickle
import re
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from campaign_cli.content.composer import Composer
from campaign_cli.content.dkim import OVERSIGNED, Signer, canonical_body, signing_keys
from campaign_cli.content.keys import Algorithm, DkimKey
from campaign_cli.content.template import load_template
from campaign_cli.content.unsubscribe import Unsubscribe
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.errors import ComposeError
from tests.signatures import made_key, verdicts

RSA = made_key(Algorithm.RSA, "r1")
ED25519 = made_key(Algorithm.ED25519, "e1")
RECORDS = {key.name: key.record for key in (RSA, ED25519)}
NEWS = Mailbox("News, Inc.", Address("news", "y.example"))
ANN = Address("ann", "x.example")
LINKS = Unsubscribe("spring", "https://y.example/u/{{ token }}", "mailto:u@y.example", b"k" * 64)
HEAD = "subject: 'Hi {{ name }}'\nFeedback-ID: a:b:c:club\nX-Note: 'n {{ name }}'"
IN_FILES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


def composer(
    folder: Path, body: str, *, head: str = HEAD, file: str = "mail.txt", keys: object = (RSA, ED25519)
) -> Composer:
    (folder / file).write_text(f"---\n{head}\n---\n{body}", "utf-8", newline="")
    return Composer(load_template(folder / file), NEWS, signer=Signer(keys), unsubscribe=LINKS)


def compose(made: Composer, address: Address = ANN, **fields: str) -> bytes:
    return made.compose(address, fields, message_id="<1@y.example>", date=1_700_000_000.9).content


def signed_names(content: bytes) -> list[str]:
    """What the first signature's h= names."""
    value = str(message_from_bytes(content, policy=policy.compat32)["DKIM-Signature"])
    return re.sub(r"\s", "", value).partition("h=")[2].partition(";")[0].split(":")


def test_both_signatures_are_good_and_cover_what_the_large_providers_ask_for(tmp_path: Path) -> None:
    content = compose(composer(tmp_path, "Dear {{ name }}\n"), name="Ann")
    assert verdicts(content, RECORDS) == [True, True]
    names = signed_names(content)
    once = {"date", "message-id", "mime-version", "content-type", "content-transfer-encoding"}
    assert {name: names.count(name) for name in set(names)} == dict.fromkeys(once, 1) | dict.fromkeys(OVERSIGNED, 2)
    assert content.count(b"DKIM-Signature: v=1; a=") == 2
    assert max(map(len, content.split(b"\r\n\r\n")[0].split(b"\r\n"))) <= 120


@pytest.mark.parametrize("name", ["From", "Subject", "To", "List-Unsubscribe", "List-Unsubscribe-Post", "Feedback-ID"])
@pytest.mark.parametrize("there", [True, False], ids=["there", "not there"])
def test_a_field_that_is_added_on_the_way_breaks_the_signature(tmp_path: Path, name: str, there: bool) -> None:
    made = composer(tmp_path, "Hello\n", head="subject: Hi" if not there else HEAD)
    if not there:
        made = Composer(load_template(tmp_path / "mail.txt"), NEWS, signer=Signer([RSA, ED25519]))
    content = compose(made, name="Ann")
    assert verdicts(content, RECORDS) == [True, True]
    assert verdicts(b"%b: x\r\n%b" % (name.encode(), content), RECORDS) == [False, False]


@pytest.mark.parametrize(
    ("before", "after", "good"),
    [
        (b"Dear Ann", b"Dear Bob", False),
        (b"Subject: Hi", b"Subject: Ho", False),
        (b"List-Unsubscribe-Post: List", b"List-Unsubscribe-Post: Lost", False),
        (b"<https://y.example/u/", b"<https://z.example/u/", False),
        (b"Feedback-ID: a", b"Feedback-ID: b", False),
        (b" 14 Nov 2023", b" 15 Nov 2023", False),
        (b"<1@y.example>", b"<2@y.example>", False),
        (b"text/plain", b"text/html", False),
        (b"Dear Ann", b"Dear \t Ann  ", True),
        (b"Subject: Hi Ann", b"SUBJECT:  Hi\r\n\tAnn ", True),
        (b"X-Note: n Ann\r\n", b"", True),
        (b"bye\r\n", b"bye\r\n\r\n  \r\n", True),
    ],
)
def test_what_changes_on_the_way_breaks_it_and_white_space_does_not(
    tmp_path: Path, before: bytes, after: bytes, good: bool
) -> None:
    content = compose(composer(tmp_path, "Dear {{ name }}\n\nbye\n"), name="Ann")
    assert content.count(before) == 1
    assert verdicts(content.replace(before, after), RECORDS) == [good, good]


def test_what_is_made_again_is_the_same_to_the_byte_also_in_another_process(tmp_path: Path) -> None:
    made = composer(tmp_path, "Dear {{ name }}\n", file="mail.html")
    content = compose(made, name="Ann")
    assert compose(pickle.loads(pickle.dumps(made)), name="Ann") == content
    value = message_from_bytes(content, policy=policy.compat32)["DKIM-Signature"]
    assert re.findall(r"\b(t=\d+|x=\d+|l=\d+)", value) == ["t=1700000000"]


LINES = st.sampled_from(
    [
        "a" * 999,
        "é" * 500,
        "a b " * 400,
        ".\n",
        "..\n",
        "x \n",
        " x\n",
        "\t\n",
        "\n",
        "=\n",
        "\r",
        "\r\n",
        "\u2028",
        "中文\n",
    ]
)
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60)


@IN_FILES
@given(st.one_of(st.text(max_size=300), st.lists(LINES, max_size=8).map("".join)), NAMES, st.booleans())
@example("", "", True)
@example("\n\n \n", "=?utf-8?b?eA==?=", False)
def test_every_message_is_signed_as_it_is(tmp_path: Path, text: str, name: str, wide: bool) -> None:
    address = Address("Ünï" if wide else "ann", "xn--bcher-kva.example")
    for file in ("mail.txt", "mail.html", "mail.md"):
        made = composer(tmp_path, "{{ text }}", file=file, keys=(ED25519,))
        try:
            content = compose(made, address, text=text, name=name)
        except ComposeError:
            continue
        assert verdicts(content, RECORDS) == [True]


@pytest.mark.parametrize(
    ("body", "relaxed"),
    [
        # RFC 6376 3.4.5
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),
        (b"", b""),
        (b"\r\n", b""),
        (b" \t\r\n \r\n", b""),
        (b"\r\n\r\nx\r\n", b"\r\n\r\nx\r\n"),
        (b"a" + b" " * 1001 + b"b\t\t\r\n", b"a b\r\n"),
    ],
)
def test_a_body_is_relaxed_as_the_rfc_says(body: bytes, relaxed: bytes) -> None:
    assert canonical_body(body) == relaxed


def test_of_two_fields_of_one_name_the_last_is_named_first() -> None:
    block = b"From: a@y.example\r\nReply-To: one\r\nReply-To: two\r\n"
    content = Signer([RSA]).fields(block, b"x\r\n", date=1) + block + b"\r\nx\r\n"
    assert verdicts(content, RECORDS) == [True]
    assert verdicts(content.replace(b"Reply-To: one\r\n", b""), RECORDS) == [False]


@pytest.mark.parametrize(
    ("domain", "chosen"),
    [
        ("y.example", ["y.example", "y.example"]),
        ("news.y.example", ["news.y.example"]),
        ("a.news.y.example", ["news.y.example"]),
        ("other.y.example", ["y.example", "y.example"]),
        ("z.example", ["mail.z.example"]),
        ("notz.example", []),
        ("example", ["y.example", "y.example"]),
    ],
)
def test_the_nearest_domain_signs_and_none_that_does_not_align(domain: str, chosen: list[str]) -> None:
    domains = ["deep.mail.z.example", "y.example", "news.y.example", "mail.z.example", "y.example"]
    keys = [DkimKey(each, f"s{number}", b"") for number, each in enumerate(domains)]
    assert [key.domain for key in signing_keys(keys, domain)] == chosen


def test_no_key_shows_in_what_is_printed() -> None:
    shown = f"{RSA!r}{ED25519!r}{Signer([RSA]).made_of()}{LINKS!r}{LINKS.made_of()}"
    assert "PRIVATE" not in shown
    assert "kkk" not in shown
