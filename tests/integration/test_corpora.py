"""What people have thought of to get more out of a mailing than is theirs, as fields of a list and as templates.

Nothing gets through: each ends as a `failed` row, as an error before the first message, or as the text that it is.
"""

import json
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import unescape
from pathlib import Path

import pytest

from campaign_cli.content.attachments import Attachments, Pattern
from campaign_cli.model.errors import ComposeError

SECRET = "a secret of somebody else's"

INJECTIONS = [
    "x\r\nBcc: evil@example.org",
    "x\nBcc: evil@example.org",
    "x\rBcc: evil@example.org",
    "x\r\n\r\n<script>alert(1)</script>",
    "x\r\n\tBcc: evil@example.org",
    "x\0\r\nBcc: evil@example.org",
    "x\x0bBcc: evil@example.org",
    "x\x0cBcc: evil@example.org",
    "x\x1cBcc: evil@example.org",
    "x\x85Bcc: evil@example.org",
    "x\u2028Bcc: evil@example.org",
    "x\u2029Bcc: evil@example.org",
    "x\u560a\u560dBcc: evil@example.org",
    "x%0d%0aBcc: evil@example.org",
    "x\\r\\nBcc: evil@example.org",
    "=?UTF-8?Q?x=0D=0ABcc=3A_evil=40example.org?=",
    "=?utf-8?b?eA0KQmNjOiBldmlsQGV4YW1wbGUub3Jn?=",
    '" <evil@example.org>, "x',
    "x>, <evil@example.org",
    "x\r\n.\r\nMAIL FROM:<evil@example.org>\r\nRCPT TO:<evil@example.org>\r\nDATA\r\n",
    "x\n.\nMAIL FROM:<evil@example.org>",
    "x\r\n--=_0123456789abcdef0123456789abcdef\r\nContent-Type: text/html\r\n\r\nevil",
    'x"\r\nContent-Type: text/html; x="',
    "x; filename=evil.exe",
    'x"; filename="evil.exe',
    "\u202ex\u202c",
]

CODE = [
    "{{ 7 * 191 }}",
    "${7*191}",
    "#{7*191}",
    "<%= 7*191 %>",
    "{% print 7 * 191 %}",
    "{# x #}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{% include '/etc/passwd' %}",
    "{{ unsubscribe_url }}",
    "{0.__class__}",
    "%(x)s %s",
    "{{",
    "{%",
    "*{{ 7 }}*",
]

PATHS = [
    "../secret",
    "../../../../../../../../etc/passwd",
    "..\\secret",
    "x/../../secret",
    "./../secret",
    "....//secret",
    "%2e%2e%2fsecret",
    "..%2fsecret",
    "..%c0%afsecret",
    "\uff0e\uff0e/secret",
    "/etc/passwd",
    "//etc/passwd",
    "/proc/self/environ",
    "/dev/zero",
    "~/secret",
    "~root/secret",
    "file:///etc/passwd",
    "C:\\secret",
    "\\\\host\\secret",
    "link",
    "folder/secret",
    "secret\0.pdf",
    "secret\n",
    "\ud800",
    "x" * 5000,
    "x/" * 3000,
    "..",
    ".",
    "pipe",
]

HOSTILE_TEMPLATES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ '' | attr('__class__') }}",
    "{{ self.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(name) }}",
    "{{ '%s' | format(name.__class__) }}",
    "{{ name.format_map }}{{ '{x.__class__}'.format_map({'x': 1}) }}",
    "{{ [].append(1) }}{{ {}.update(a=1) }}",
    "{% include '/etc/passwd' %}",
    "{% include '../secret' %}",
    "{% include 'link' %}",
    "{% include name %}",
    "{% import '../secret' as s %}{{ s }}",
    "{% extends '../secret' %}",
    "{% for i in range(10 ** 9) %}x{% endfor %}",
    "{{ 'x' * 10 ** 10 }}",
    "{{ ('x' * 60_000_000) }}",
    "{{ 'x' | center(3 * 10 ** 9) }}",
    "{{ get_flashed_messages }}",
    "{{ config }}{{ request }}",
    "{{ (1).__class__ }}",
    "{% set x = name.__class__ %}{{ x.mro() }}",
    '<img src="../secret">',
    '<img src="link">',
    '<img src="/etc/passwd">',
    '<img src="cid:../secret">',
    '<img src="pipe">',
]


@pytest.fixture
def folder(campaign) -> Path:
    """The campaign's folder, with ways out of it."""
    folder = campaign.folder / "club"
    (folder / "files/folder").mkdir(parents=True)
    (campaign.folder / "secret").write_text(SECRET)
    campaign.folder = folder
    for where in (folder, folder / "files"):
        (where / "link").symlink_to(campaign.state.parent / "secret")
        (where / "pipe").symlink_to("/dev/zero")
    (folder / "files/folder/secret").symlink_to(campaign.state.parent / "secret")
    return folder


def send(campaign, fields: list[str], template: str, suffix: str = "html"):
    """Send the template to one contact for each field: how that ended, and what arrived for each, or None."""
    rows = [{"email": f"p{number}@gmail.com", "name": each} for number, each in enumerate(fields)]
    (campaign.folder / "list.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    head = "" if template.startswith("---") else "---\nsubject: s\nfrom: Ada <ada@sender.example.org>\n---\n"
    (campaign.folder / f"hello.{suffix}").write_text(head + template)
    ended = campaign("send", "list.jsonl", "-t", f"hello.{suffix}", "--sandbox", "--report", "x-report.csv")
    arrived: dict[str, EmailMessage] = {}
    for file in campaign.folder.glob("*-sandbox/*.eml"):
        content = file.read_bytes()
        assert SECRET.encode() not in content
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        (to,) = message["To"].addresses
        assert to.addr_spec not in arrived
        arrived[to.addr_spec] = message
    if ended.code in (0, 3):
        states = {row["email"]: row["status"] for row in campaign.report("x")}
        assert list(states) == [row["email"] for row in rows]
        assert set(states.values()) <= {"delivered", "failed"}
        assert {email for email, state in states.items() if state == "delivered"} == set(arrived)
    else:
        assert not arrived
    return ended, [arrived.get(row["email"]) for row in rows]


def words(text: object) -> str:
    return " ".join(str(text).split())


@pytest.mark.parametrize("suffix", ["html", "md", "txt"])
def test_no_field_makes_a_header_a_recipient_or_a_part(campaign, folder, suffix) -> None:
    template = (
        "---\nsubject: 'S {{ name }}'\nfrom: Ada <ada@sender.example.org>\nX-Note: 'N {{ name }}'\n---\n"
        "before\n\n{{ name }}\n\nafter\n"
    )
    parts = {"txt": ["text/plain"]}.get(suffix, ["multipart/alternative", "text/plain", "text/html"])
    encoding = ["Content-Transfer-Encoding"] if suffix == "txt" else []
    ended, arrived = send(campaign, INJECTIONS, template, suffix)
    assert ended.code == 3, ended.err
    for written, message in zip(INJECTIONS, arrived, strict=True):
        # Where a line break would have been in a header, there is no message.
        assert (message is None) == any(ord(character) < 32 for character in written), written
        if message:
            own = ["From", "To", "Subject", "Date", "Message-ID", "X-Note", "MIME-Version", "Content-Type", *encoding]
            assert [name for name in message if name in own or not name.startswith("X-")] == own, written
            assert [part.get_content_type() for part in message.walk()] == parts, written
            assert words(message["Subject"]) == words(f"S {written}")
            assert words(message["X-Note"]) == words(f"N {written}")


@pytest.mark.parametrize("suffix", ["html", "md", "txt"])
def test_no_field_is_code(campaign, folder, suffix) -> None:
    template = "---\nsubject: 'S {{ name }}'\nfrom: Ada <ada@sender.example.org>\n---\nbefore {{ name }} after\n"
    ended, arrived = send(campaign, CODE, template, suffix)
    assert ended.code == 0, ended.err
    for written, message in zip(CODE, arrived, strict=True):
        assert message
        assert (message["Subject"], message["To"].addresses[0].display_name) == (f"S {written}", written)
        assert words(message.get_body(("plain",)).get_content()) == f"before {written} after"
        assert all("1337" not in part.get_content() for part in message.walk() if not part.is_multipart())
        if page := message.get_body(("html",)):
            assert f"before {written} after" in unescape(page.get_content())


@pytest.mark.parametrize("template", HOSTILE_TEMPLATES)
def test_no_template_leads_out_of_its_sandbox_and_its_folder(campaign, folder, template) -> None:
    ended, (message,) = send(campaign, ["/etc/passwd"], f"before {template} after\n")
    assert ended.code in (0, 3, 65), ended.err
    if message:
        text = words(message.as_string())
        assert not any(leak in text for leak in ("root:", "uid=", "<class", "<module", "__globals__", "Popen"))


@pytest.mark.parametrize("pattern", ["{{ name }}", "files/{{ name }}", "files/{{ name }}.pdf"])
def test_no_field_leads_to_a_file_outside(campaign, folder, pattern) -> None:
    attachments = Attachments([Pattern(pattern, "c.yaml:1", folder)])
    for written in PATHS:
        assert len(attachments.missing({"name": written})) == 1, written
        with pytest.raises(ComposeError, match=r"^c\.yaml:1: attachments: "):
            attachments.sections({"name": written})
    (folder / "campaign.yaml").write_text(f"attachments: {json.dumps(pattern)}\n")
    ended, _ = send(campaign, PATHS, "hello\n")
    assert ended.code == 65
    assert ended.err.count("campaign.yaml:1: attachments: ") == 20
    # A row that is no Unicode text is `invalid`.
    assert f"and {len(PATHS) - 20 - 1} more" in ended.err


@pytest.mark.parametrize("written", [path for path in PATHS if "\ud800" not in path])
def test_no_name_leads_to_a_file_outside(folder, written) -> None:
    (wrong,) = Attachments([Pattern(written, "c.yaml:1", folder)]).wrong
    assert wrong.startswith("c.yaml:1: attachments: ")


def test_what_is_too_large_is_told_before_the_first_message_or_fails_its_row(campaign, folder) -> None:
    with (folder / "huge.bin").open("wb") as file:
        file.truncate(100 * 1024**3)
    for number in range(3):
        with (folder / f"files/{number}.bin").open("wb") as file:
            file.truncate(15_000_000)
    (folder / "campaign.yaml").write_text('attachments: ["{{ name }}"]\n')
    ended, _ = send(campaign, ["huge.bin"], "hello\n")
    assert (ended.code, "its files have 107,374,182,400 bytes, and no provider takes" in ended.err) == (65, True)
    (folder / "campaign.yaml").write_text("attachments: [files/0.bin, files/1.bin, files/2.bin]\n")
    ended, _ = send(campaign, ["x"], "hello\n")
    assert (ended.code, "its files have 45,000,000 bytes, and no provider takes" in ended.err) == (65, True)
    (folder / "campaign.yaml").unlink()
    ended, arrived = send(campaign, ["x" * 200_000, "y"], "---\nsubject: '{{ name }}'\nfrom: a@b.example\n---\nhello\n")
    assert (ended.code, [message is None for message in arrived]) == (3, [True, False])
