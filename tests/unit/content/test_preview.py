from email.message import EmailMessage

from campaign_cli.content.preview import preview
from campaign_cli.model.envelope import Message


def letter(**headers: str) -> EmailMessage:
    made = EmailMessage()
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content("Hello Zoë")
    return made


def seen(message: EmailMessage):
    return preview(Message("<1@x.org>", message.as_bytes(), 0.0))


def test_the_headers_that_a_person_looks_for_come_first_and_technical_ones_are_left_out() -> None:
    made = letter(
        Message_ID="<1@x.org>",
        Date="now",
        DKIM_Signature="v=1",
        List_Id="x",
        Subject="Hi",
        To="a@x.org",
        From="b@x.org",
    )
    assert [name for name, _ in seen(made).readable] == ["From", "To", "Subject", "Date", "Message-ID", "List-Id"]


def test_a_signature_is_who_signs_with_which_key_and_how() -> None:
    value = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=news.example.org; s=s2026; bh=abc=; b=d=no"
    assert seen(letter(DKIM_Signature=value)).signatures == ["news.example.org (s2026, rsa-sha256)"]


def test_files_are_told_with_type_and_size_and_whether_the_html_shows_them() -> None:
    made = letter(Subject="Hi")
    made.add_alternative('<img src="cid:logo@x.org">', subtype="html")
    made.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<logo@x.org>", filename="logo.png")
    made.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="terms.pdf")
    found = seen(made)
    assert (found.text, found.html) == ("Hello Zoë\n", '<img src="cid:logo@x.org">\n')
    assert [(file.name, file.media_type, len(file.octets), file.inline) for file in found.files] == [
        ("logo.png", "image/png", 4, True),
        ("terms.pdf", "application/pdf", 8, False),
    ]
    assert found.files[0].content_id == "logo@x.org"


def test_no_header_and_no_text_can_move_the_cursor() -> None:
    made = letter(Subject="=?utf-8?q?a=0A=1B[2Jb?=")
    made.set_payload("x\x1b[2Jy")
    found = seen(made)
    assert dict(found.headers)["Subject"].isprintable()
    assert "\x1b" not in found.text
