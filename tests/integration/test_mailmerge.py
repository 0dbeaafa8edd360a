"""mailmerge's own examples, sent by mailmerge and by us to the same server: the same messages.

They are from the README of mailmerge 2.3.0. What differs, and is meant to:

- One message a recipient: BCC and CC are left out, and a person is told. `To` has the contact's name, too.
- `Message-ID` and `MIME-Version` are always there. Text is UTF-8, and its lines end as in mail.
- Files stand beside the text (multipart/mixed) with the types that their names tell, not in multipart/related as
  application/octet-stream; images that the page shows are inline, and go with it in multipart/related.
- Files are in the template's folder or below it. (The README has ../file2.pdf and /z/shared/.)
- Values are escaped in HTML, and are no Markdown in Markdown.
- With HTML, and with Markdown, goes a plain text made from it: mailmerge sends none, or the Markdown itself.
- The page that Markdown becomes has a head, and is CommonMark.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from lxml import html

MAILMERGE = "from mailmerge.__main__ import main; main()"

HEAD = "TO: {{email}}\nSUBJECT: Testing mailmerge\nFROM: My Self <myself@mydomain.com>\nBCC: myself@mydomain.com\n"
DATABASE = 'email,name,number\nmyself@mydomain.com,"Myself",17\nbob@bobdomain.com,"Bob",42\n'
PAGE = """<html>
<body>

<p>Hi, {{name}},</p>

<p>Your number is {{number}}.</p>

<p>Sent by <a href="https://github.com/awdeorio/mailmerge">mailmerge</a></p>

</body>
</html>
"""
ADVANCED = """TO: {{email}}
SUBJECT: EECS 280 Mid-semester Progress Report
FROM: My Self <myself@mydomain.com>
REPLY-TO: My Reply Self <myreplyself@mydomain.com>
BCC: myself@mydomain.com

Dear {{name}},

This email contains our record of your grades EECS 280, as well as an estimated letter grade.

Project 1: {{p1}}
Midterm exam: {{midterm}}

At this time, your estimated letter grade is {{grade}}.

{% if grade == "C-" -%}
I am concerned that if the current trend in your scores continues, you will be on the border of the pass/fail line.

I have a few suggestions for the rest of the semester.  First, turn in all assignments.
{% elif grade in ["D+", "D", "D-", "E", "F"] -%}
I am writing because I am concerned about your grade in EECS 280.
{% endif -%}
"""
GRADES = """email,name,p1,midterm,grade
myself@mydomain.com,"My Self",100,100,A+
borderline@fixme.com,"Borderline Name",50,50,C-
failing@fixme.com,"Failing Name",0,0,F
"""
ALTERNATIVE = f"""{HEAD}MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="boundary"

This is a MIME-encoded message. If you are seeing this, your mail
reader is old.

--boundary
Content-Type: text/plain; charset=us-ascii

Hi, {{{{name}}}},

Your number is {{{{number}}}}.

Sent by mailmerge https://github.com/awdeorio/mailmerge

--boundary
Content-Type: text/html; charset=us-ascii

{PAGE}"""
MARKDOWN = f"""{HEAD}CONTENT-TYPE: text/markdown

You can add:

- Emphasis, aka italics, with *asterisks*.
- Strong emphasis, aka bold, with **asterisks**.
- Combined emphasis with **asterisks and _underscores_**.
- Unordered lists like this one.
- Ordered lists with numbers:
    1. Item 1
    2. Item 2
- Preformatted text with `backticks`.
- How about some [hyperlinks](http://bit.ly/eecs485-wn19-p6)?

# This is a heading.
## And another heading.

Here's an image not attached with the email:
![python logo not attached](http://pluspng.com/img-png/python-logo-png-open-2000.png)
"""
ATTACHMENTS = f"""{HEAD}ATTACHMENT: file1.docx
ATTACHMENT: below/file2.pdf
ATTACHMENT: below/{{{{name}}}}_submission.txt

Hi, {{{{name}}}},

This email contains three attachments.
"""
IMAGES = f"""{HEAD}Content-Type: text/html
ATTACHMENT: image.jpg
ATTACHMENT: second/image.jpg

<html>
<body>

<p>Hi, {{{{name}}}},</p>

<img alt="Sample image" src="image.jpg" />

The second image: <img alt="second" src="second/image.jpg">

<p>Sent by <a href="https://github.com/awdeorio/mailmerge">mailmerge</a></p>

</body>
</html>
"""
IMAGE_IN_MARKDOWN = f"""{HEAD}ATTACHMENT: image.jpg
CONTENT-TYPE: text/markdown

Hi, {{{{name}}}},

![image alt-description](image.jpg)
"""
EXAMPLES = {
    "simple": (f"{HEAD}\nHi, {{{{name}}}},\n\nYour number is {{{{number}}}}.\n", DATABASE),
    "advanced": (ADVANCED, GRADES),
    "HTML": (f"{HEAD}Content-Type: text/html\n\n{PAGE}", DATABASE),
    "HTML and plain text": (ALTERNATIVE, DATABASE),
    "Markdown": (MARKDOWN, DATABASE),
    "attachments": (ATTACHMENTS, DATABASE),
    "inline images": (IMAGES, DATABASE),
    "inline image in Markdown": (IMAGE_IN_MARKDOWN, DATABASE),
    "not ASCII": (f"{HEAD}\nGr\u00fc\u00df dich, {{{{name}}}} \u2603\n\n\n.\n", DATABASE.replace("Bob", "B\u00f6b")),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A server's port, and the Maildir where it stores what it takes."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    mailbox = tmp_path / "mailbox"
    stores = ["-c", "aiosmtpd.handlers.Mailbox", str(mailbox)]
    process = subprocess.Popen([sys.executable, "-m", "aiosmtpd", "-n", "-l", f"127.0.0.1:{port}", *stores])
    try:
        for _ in range(600):
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                assert connection.recv(3) == b"220"
                break
            time.sleep(0.05)
        yield port, mailbox
    finally:
        process.terminate()
        process.wait()


def pages_as_one(text: str) -> list[object]:
    """What an HTML page consists of, without its head, white space between elements, and what images are named by."""
    body = html.document_fromstring(text).find("body")
    assert body is not None
    found: list[object] = []
    for element in body.iter():
        attributes = {key: re.sub("^cid:.*", "cid:", value) for key, value in element.attrib.items()}
        found += [element.tag, attributes, *(element.text or "").split()]
        found += (element.tail or "").split()
    return found


def means(message: EmailMessage) -> dict[str, object]:
    """What a message says to whom, whatever its structure is."""
    text, page = message.get_body(("plain",)), message.get_body(("html",))
    leaves = [part for part in message.walk() if not part.is_multipart() and part.get_filename()]
    return {
        "from": str(message["From"]),
        "to": [address.addr_spec for address in message["To"].addresses],
        "subject": str(message["Subject"]),
        "reply-to": str(message["Reply-To"]),
        "text": text and text.get_content().replace("\r\n", "\n").rstrip("\n"),
        "page": page and pages_as_one(page.get_content()),
        "files": [(part.get_filename(), part.get_payload(decode=True)) for part in leaves],
    }


def sent(command: list[str], folder: Path, mailbox: Path) -> dict[str, dict[str, object]]:
    """What the command sent, by recipient."""
    environment = os.environ | {"CAMPAIGN_STATE": str(folder / "state")}
    ended = subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = {}
    for file in (mailbox / "new").iterdir():
        message = message_from_bytes(file.read_bytes(), policy=policy.default)
        assert isinstance(message, EmailMessage)
        found[message["To"].addresses[0].addr_spec] = means(message)
        file.unlink()
    return found


@pytest.mark.parametrize("name", EXAMPLES)
def test_mailmerges_own_files_give_the_same_messages(tmp_path: Path, name: str, server) -> None:
    port, mailbox = server
    template, database = EXAMPLES[name]
    (tmp_path / "mailmerge_template.txt").write_text(template, "utf-8")
    (tmp_path / "mailmerge_database.csv").write_text(database, "utf-8")
    (tmp_path / "mailmerge_server.conf").write_text(f"[smtp_server]\nhost = 127.0.0.1\nport = {port}\n")
    for file in ("file1.docx", "below/file2.pdf", "below/Myself_submission.txt", "below/Bob_submission.txt"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(f"{file}\0\r\n".encode() * 50)
    for file in ("image.jpg", "second/image.jpg"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_bytes(b"\xff\xd8" + file.encode())
    relay = f"smtp://127.0.0.1:{port}?tls=off"
    ours = [
        "-m",
        "campaign_cli",
        "send",
        "mailmerge_database.csv",
        "-t",
        "mailmerge_template.txt",
        "--relay",
        relay,
        "--yes",
    ]

    theirs = sent(["-c", MAILMERGE, "--no-dry-run", "--no-limit"], tmp_path, mailbox)
    own = sent(ours, tmp_path, mailbox)

    assert len(own) == database.count("\n") - 1
    if theirs["myself@mydomain.com"]["text"] is None or "Markdown" in name:
        # The text that we make of HTML.
        for each in (*own.values(), *theirs.values()):
            del each["text"]
    assert own == theirs


def test_that_nobody_gets_a_copy_is_told(campaign) -> None:
    (campaign.folder / "mailmerge_template.txt").write_text(EXAMPLES["simple"][0])
    (campaign.folder / "mailmerge_database.csv").write_text(DATABASE)
    told = campaign("send", "mailmerge_database.csv", "-t", "mailmerge_template.txt", "--dry-run")
    assert told.code == 0
    assert "mailmerge_template.txt:4: BCC is left out" in told.out
