from email import message_from_bytes, policy
from pathlib import Path

import pytest

from campaign_cli.content import composer
from campaign_cli.content.template import load_template
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.errors import ComposeError

ENCODED = "=?UTF-8?Q?=0D=0ABcc=3A_evil=40example.org?="


def compose(folder: Path, head: str, file: str = "mail.txt", **fields: str) -> bytes:
    path = folder / file
    path.write_text(f"---\n{head}\n---\n{{{{ name }}}}\n")
    made = composer.Composer(load_template(path), Mailbox("", Address("news", "y.example")))
    return made.compose(Address("ann", "x.example"), fields, message_id="<1@y.example>", date=0).content


@pytest.mark.parametrize("parser", [policy.default, policy.compat32])
@pytest.mark.parametrize("file", ["mail.txt", "mail.html", "mail.md"])
def test_an_encoded_line_break_in_a_field_makes_no_header(tmp_path: Path, file: str, parser: policy.Policy) -> None:
    content = compose(tmp_path, "subject: '{{ name }}'\nX-Note: 'n {{ name }}'", file, name=ENCODED)
    found = message_from_bytes(content, policy=parser)
    ending = ["Content-Type", "Content-Transfer-Encoding"] if file == "mail.txt" else ["Content-Type"]
    names = ["From", "To", "Subject", "Date", "Message-ID", "X-Note", "MIME-Version", *ending]
    assert (list(found), found["Bcc"]) == (names, None)


@pytest.mark.parametrize("head", ["subject: '{{ name }}'", "subject: s\nX-Note: 'a{{ name }}'", "subject: s"])
def test_a_line_break_in_a_header_is_an_error_of_the_row(tmp_path: Path, head: str) -> None:
    with pytest.raises(ComposeError, match="would have a line break in it"):
        compose(tmp_path, head, name="a\r\nBcc: evil@example.org")


def test_the_finished_header_is_checked_whatever_made_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composer, "text_field", lambda name, value: f"{name}: {value}\r\nBcc: x\r\n".encode())
    with pytest.raises(ComposeError, match="a field that is not its own"):
        compose(tmp_path, "subject: s", name="a")
