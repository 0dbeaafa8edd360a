import pickle
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from campaign_cli.content import composer as module
from campaign_cli.content import files
from campaign_cli.content.attachments import Attachments, Pattern
from campaign_cli.content.composer import Composer
from campaign_cli.content.dkim import Signer
from campaign_cli.content.keys import Algorithm
from campaign_cli.content.template import load_template
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.errors import ComposeError
from tests.signatures import made_key, verdicts

ANN = Address("ann", "x.example")
BODIES = {"mail.txt": "Dear {{ id }},\n", "mail.html": "<p>Dear  {{ id }}</p>\n", "mail.md": "Dear **{{ id }}**\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "club/invoices").mkdir(parents=True)
    (tmp_path / "key.pem").write_text("secret")
    (tmp_path / "club/key.pem").write_text("secret")
    (tmp_path / "club/terms.pdf").write_bytes(bytes(range(256)) * 20)
    (tmp_path / "club/invoices/7.pdf").write_bytes(b"seven")
    return tmp_path / "club"


def attachments(folder: Path, *texts: str) -> Attachments:
    return Attachments([Pattern(text, f"c.yaml:{line}", folder) for line, text in enumerate(texts, 1)])


def composer(folder: Path, *texts: str, name: str = "mail.txt", signer: Signer | None = None) -> Composer:
    (folder / name).write_text(f"---\nsubject: s\n---\n{BODIES[name]}")
    sender = Mailbox("", Address("news", "y.example"))
    files = attachments(folder, *texts) if texts else None
    return Composer(load_template(folder / name), sender, signer=signer, attachments=files)


def compose(made: Composer, **fields: str) -> bytes:
    return made.compose(ANN, fields, message_id="<1@y.example>", date=0).content


def parsed(content: bytes) -> EmailMessage:
    found = message_from_bytes(content, policy=policy.default)
    assert isinstance(found, EmailMessage)
    assert not [part.defects for part in found.walk() if part.defects]
    return found


@pytest.mark.parametrize("name", BODIES)
def test_files_stand_beside_what_would_be_the_whole_message(folder: Path, name: str) -> None:
    plain = parsed(compose(composer(folder, name=name), id="7"))
    found = parsed(compose(composer(folder, "terms.pdf", "invoices/{{ id }}.pdf", name=name), id="7"))

    assert found.get_content_type() == "multipart/mixed"
    body, *rest = list(found.iter_parts())
    assert [part.get_content_type() for part in body.walk()] == [part.get_content_type() for part in plain.walk()]
    assert [part.get_payload() for part in body.walk() if not part.is_multipart()] == [
        part.get_payload() for part in plain.walk() if not part.is_multipart()
    ]
    assert [(part.get_filename(), part.get_content()) for part in rest] == [
        ("terms.pdf", bytes(range(256)) * 20),
        ("7.pdf", b"seven"),
    ]
    assert all(len(line) <= 998 for line in compose(composer(folder, "terms.pdf"), id="7").split(b"\r\n"))


def test_one_whose_name_comes_out_empty_is_left_out(folder: Path) -> None:
    made = composer(folder, "{{ file }}")
    assert parsed(compose(made, id="", file=" ")).get_content_type() == "text/plain"
    assert compose(made, id="7", file="") == compose(composer(folder), id="7")
    assert [part.get_filename() for part in parsed(compose(made, id="", file="terms.pdf")).walk()][-1] == "terms.pdf"


@pytest.mark.parametrize("name", BODIES)
def test_signatures_are_of_the_files_too(folder: Path, name: str) -> None:
    keys = [made_key(Algorithm.RSA, "r1"), made_key(Algorithm.ED25519, "e1")]
    records = {f"{key.selector}._domainkey.y.example": key.record for key in keys}
    content = compose(composer(folder, "terms.pdf", "invoices/{{ id }}.pdf", name=name, signer=Signer(keys)), id="7")
    assert verdicts(content, records) == [True, True]
    assert verdicts(content.replace(b"c2V2ZW4=", b"c2V2ZW5="), records) == [False, False]


@pytest.mark.parametrize("number", ["../key", "../../key", "/etc/passwd", "7.pdf\0", "7\r\nBcc: x@y.example", "8", "."])
def test_a_field_leads_nowhere_but_into_the_folder_that_stands_before_it(folder: Path, number: str) -> None:
    (folder / "key.pdf").write_text("secret")
    (folder.parent / "key.pdf").write_text("secret")
    made = composer(folder, "invoices/{{ id }}.pdf")
    with pytest.raises(ComposeError, match=r"^c\.yaml:1: attachments: "):
        compose(made, id=number)
    assert len(attachments(folder, "invoices/{{ id }}.pdf").missing({"id": number})) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no.pdf", "there is no file 'no.pdf' in"),
        ("../key.pem", "'../key.pem' is not in"),
        ("../{{ id }}.pem", "'..' is not in"),
        ("receipts/{{ id }}.pdf", "there is no file 'receipts' in"),
        ("{{ id | lower }}.pdf", "may have columns in it, as invoices/{{ id }}.pdf, and nothing else"),
        ("{% if id %}terms.pdf{% endif %}", "may have columns in it"),
        ("{{ id", "may have columns in it"),
        ("invoices", "is not a file"),
    ],
)
def test_what_would_be_wrong_with_every_message_is_told_at_once(folder: Path, text: str, told: str) -> None:
    (wrong,) = attachments(folder, text, "terms.pdf").wrong
    assert wrong.startswith("c.yaml:1: attachments: ")
    assert told in wrong


def test_what_is_missing_for_one_contact_is_told_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = attachments(folder, "terms.pdf", "invoices/{{ id }}.pdf")
    assert (found.wrong, found.differ, found.missing({"id": "7"})) == ([], True, [])
    assert found.missing({}) == ["c.yaml:2: attachments: the row has no 'id'"]
    monkeypatch.setattr(files, "LARGEST", 5124)
    assert found.missing({"id": "7"}) == [
        "c.yaml:2: attachments: its files have 5,125 bytes, and no provider takes more than 5,124"
    ]
    assert not attachments(folder, "terms.pdf").differ


def test_files_that_all_have_are_read_once_and_are_part_of_the_digest(folder: Path) -> None:
    made = composer(folder, "terms.pdf", "invoices/{{ id }}.pdf")
    content, digest = compose(made, id="7"), made.digest
    again = composer(folder, "terms.pdf", "invoices/{{ id }}.pdf")
    assert (compose(again, id="7"), again.digest) == (content, digest)
    assert compose(pickle.loads(pickle.dumps(made)), id="7") == content
    (folder / "terms.pdf").write_text("new")
    assert compose(made, id="7") == content
    assert composer(folder, "terms.pdf", "invoices/{{ id }}.pdf").digest != digest
    assert composer(folder).digest != composer(folder, "invoices/{{ id }}.pdf").digest


def test_a_message_that_gets_too_large_by_its_files_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST", 5000)
    with pytest.raises(ComposeError, match=r"^the message has 7,\d\d\d bytes, and no provider takes more than 5,000$"):
        compose(composer(folder, "terms.pdf"), id="7")
