"""Nothing that a list, a template or a server says reaches a terminal as an order."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.hostile.server import OFFERS, Server, say

ORDERS = "\x1b]0;owned\x07\x1b[2J\x9b31m\x00\x08\x7f"
"""Sets the title, clears, colours, and moves back."""

OBEYED = [b"\x1b]0;", b"\x07", b"\x1b[2J", "\x9b".encode(), b"\x00", b"\x08", b"\x7f"]
"""What of it a terminal would obey; the command's own orders are others."""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAMPAIGN_STATE", str(tmp_path / "state"))
    rows = [f"a{ORDERS}nn@x.example,Ann,", f"bob@x.example,B{ORDERS}ob,", f"cy@x.example,Cy,{ORDERS} owned"]
    Path("list.csv").write_text("\n".join(["email,name,note", *rows, ""]), "utf-8")
    Path("hello.html").write_text(
        "---\nsubject: Hi\nfrom: Ada <ada@example.org>\n---\n"
        "{{ note }}{% if name == 'Cy' %}{% else %}{{ name }}{{ {}[name] }}{% endif %}\n"
    )


def on_terminal(*arguments: str, **variables: str) -> tuple[int, bytes]:
    """How the command ends on a terminal, and all that the terminal was sent."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "campaign_cli", *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3]), "TERM": "xterm"} | variables
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    sent = b""
    while True:
        try:
            octets = os.read(ours, 1 << 16)
        except OSError:
            # EIO: nobody has the other end open any more.
            break
        sent += octets
    os.close(ours)
    return process.wait(timeout=30), sent


def obeyed(sent: bytes) -> list[bytes]:
    return [order for order in OBEYED if order in sent]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["send", "list.csv", "-t", "hello.html", "--dry-run"], 0),
        (["send", "list.csv", "-t", "hello.html", "--sandbox", "--verbose"], 3),
        (["send", "list.csv", "-t", "hello.html", "--dry-run", "--email-column", "no"], 65),
        (["suppress", "import", "list.csv"], 0),
    ],
    ids=["dry run", "log", "error", "suppress"],
)
def test_a_list_gives_a_terminal_no_orders(arguments: list[str], code: int) -> None:
    ended, sent = on_terminal(*arguments)
    assert (ended, obeyed(sent)) == (code, [])
    assert b"owned" in sent or code == 65


def test_columns_give_a_terminal_no_orders() -> None:
    Path("list.csv").write_text(f"email,na{ORDERS.replace(chr(0), '')}me\nann@x.example,Ann\n", "utf-8")
    ended, sent = on_terminal("send", "list.csv", "-t", "hello.html", "--dry-run", "--email-column", "no")
    assert (ended, obeyed(sent), b"owned" in sent) == (65, [], True)


def test_json_gives_a_terminal_no_orders_and_loses_nothing() -> None:
    Path("hello.html").write_text("---\nsubject: Hi\nfrom: Ada <ada@example.org>\n---\n{{ note }}\n")
    Path("list.csv").write_text(f"email,note\ncy@x.example,{ORDERS} owned\n", "utf-8")
    ended, sent = on_terminal("send", "list.csv", "-t", "hello.html", "--dry-run", "--json")
    (message,) = json.loads(sent[sent.index(b"{\r\n") :])["messages"]
    assert (ended, obeyed(sent), message["html"]) == (0, [], f"{ORDERS} owned\r\n")


def test_a_server_gives_a_terminal_no_orders() -> None:
    script = {"auth": [say(b"535 " + ORDERS.encode() + b"\xff\r\n")]}
    server = Server(script, offers=[*OFFERS, "AUTH PLAIN"])
    Path("hello.html").write_text("---\nsubject: Hi\nfrom: Ada <ada@example.org>\n---\nHi\n")
    relay = f"smtp://ada@127.0.0.1:{server.port}?tls=off"
    arguments = ["send", "list.csv", "-t", "hello.html", "--verbose", "--yes", "--relay", relay]

    ended, sent = on_terminal(*arguments, CAMPAIGN_SMTP_PASSWORD="open sesame")

    server.close()
    assert (ended, obeyed(sent)) == (69, [])
    assert sent.count("refused the login: 535 \N{REPLACEMENT CHARACTER}]0;owned".encode()) == 2
