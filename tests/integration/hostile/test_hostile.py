"""Hostile and broken servers: what becomes of each recipient, of the session and of everybody else.

All cases that were asked for run at once, for most of what they do is wait (`launcher`); each test judges one.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sqlite3
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.integration.hostile.behaviours import EXCHANGES, OPENINGS, Exchange, Opening
from tests.integration.hostile.server import EXTRA, OFFERS, Face, Seen, Server, full_backlog, nobody_listening

LAUNCHER = Path(__file__).with_name("launcher.py")

TEMPLATE = """---
subject: "Hello {{ name }}"
from: Ada <ada@sender.example.org>
---
Dear {{ name }},

this is for you.
"""

VICTIM = "victim@hostile.example"
BEHIND = [f"behind{number}@hostile.example" for number in range(10)]
LIST = ["before@hostile.example", VICTIM, *BEHIND, *(f"p{number}@other.example" for number in range(5))]
OTHERS = [address for address in LIST if address.endswith("@other.example")]

AHEAD = 7
"""Behind the victim, with CHUNKING, as many may be in flight on the session (`architecture.md`)."""

WAIT = timedelta(hours=1), timedelta(hours=1.1)
"""What the configuration has a deferred recipient wait at least, and at most."""

MEMORY = 60_000
"""Kilobytes that a run may take, whatever a server sends: the command by itself has some 40 MB."""

SECONDS = 20.0
"""No run takes longer, whatever a server does: a few answers' time, and what a busy machine adds."""

AT_NO_CONNECTION = ("refuses the connection", "swallows the SYN")
"""A port does that, not the second of its connections."""

PASSWORD = "open sesame"


@dataclass
class Case:
    """One run of the command and what it left."""

    behaviour: Opening | Exchange
    way: str
    folder: Path
    servers: list[Server] = field(default_factory=list)
    code: int = 0
    seconds: float = 0.0
    memory: int = 0

    def text(self, name: str) -> str:
        return (self.folder / name).read_text("utf-8")

    @property
    def rows(self) -> dict[str, dict[str, str]]:
        with (self.folder / "list-hello-report.csv").open(encoding="utf-8", newline="") as file:
            return {row["email"]: row for row in csv.DictReader(file)}

    @property
    def statuses(self) -> Counter[str]:
        return Counter(row["status"] for row in self.rows.values())

    @property
    def seen(self) -> Seen:
        return self.servers[0].seen

    def due(self, address: str) -> datetime:
        """When it is tried again, by the ledger."""
        with sqlite3.connect(self.folder / "state/campaigns/list-hello/ledger.db") as ledger:
            found = ledger.execute("SELECT due_at FROM recipients WHERE key = ?", (address,)).fetchone()
        ledger.close()
        return datetime.fromtimestamp(found[0], UTC)


class Stage:
    """Sets up the cases, and plays all of them."""

    def __init__(self, folder: Path, exits: ExitStack) -> None:
        self._folder = folder
        self._exits = exits
        self._authority, stranger = trustme.CA(), trustme.CA()
        self._authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        yesterday = datetime.now(UTC) - timedelta(days=1)
        self._contexts = {
            "good": _context(self._authority.issue_cert("127.0.0.1")),
            "unknown": _context(stranger.issue_cert("127.0.0.1")),
            "another's": _context(self._authority.issue_cert("127.0.0.2")),
            "expired": _context(
                self._authority.issue_cert("127.0.0.1", not_before=yesterday, not_after=yesterday + timedelta(hours=1))
            ),
        }
        self.cases: dict[tuple[str, str], Case] = {}

    def set(self, behaviour: Opening | Exchange, way: str) -> None:
        case = Case(behaviour, way, self._folder / str(len(self.cases)))
        case.folder.mkdir()
        self.cases[behaviour.name, way] = case
        relays = self._relays(case, behaviour)
        (case.folder / "hello.txt").write_text(TEMPLATE)
        (case.folder / "list.csv").write_text("email,name\n" + "".join(f"{each},Ann\n" for each in LIST))
        (case.folder / "campaign.yaml").write_text(
            f"template: hello.txt\nrelay: {json.dumps(relays)}\nretry: {{base: 1h, factor: 1}}\npatience: 0s\n"
            "rate: [default=none]\nconnections: 1\nworkers: 0\nverbose: true\nlog_file: log\n"
        )

    def _relays(self, case: Case, behaviour: Opening | Exchange) -> list[str]:
        if isinstance(behaviour, Exchange):
            offers = [*OFFERS, *EXTRA[case.way], *(["STARTTLS"] if behaviour.tls else [])]
            context = self._contexts["good"] if behaviour.tls else None
            server = Server(behaviour.script, victim=VICTIM, offers=offers, context=context, manner=behaviour.manner)
            case.servers.append(server)
            chunking = "on" if case.way == "chunking" else "off"
            return [f"smtp://127.0.0.1:{server.port}?tls={'required' if behaviour.tls else 'off'}&chunking={chunking}"]
        user = "ada@" if behaviour.login else ""
        first = f"smtp://{user}127.0.0.1:{self._port(case, behaviour)}?tls={behaviour.tls}&chunking=off"
        if case.way != "backup":
            return [first]
        offers = [*OFFERS, "PIPELINING", "AUTH PLAIN"]
        case.servers.append(Server({}, offers=offers))
        return [first, f"smtp://{user}127.0.0.1:{case.servers[-1].port}?tls=off&chunking=off"]

    def _port(self, case: Case, behaviour: Opening) -> int:
        if behaviour.name == AT_NO_CONNECTION[0]:
            return self._exits.enter_context(nobody_listening())
        if behaviour.name == AT_NO_CONNECTION[1]:
            return self._exits.enter_context(full_backlog())
        polite = [*OFFERS, "PIPELINING", "AUTH PLAIN", "STARTTLS"]
        server = Server(
            behaviour.script,
            hostile=(lambda number: number == 2) if case.way == "later" else (lambda number: True),
            offers=[*OFFERS, *behaviour.offers],
            offers_within=behaviour.offers_within,
            context=self._contexts[behaviour.certificate],
            polite=Face(polite, polite, self._contexts["good"]),
        )
        case.servers.append(server)
        return server.port

    def play(self) -> None:
        cases = list(self.cases.values())
        environment = {
            "CAMPAIGN_STATE": "state",
            "CAMPAIGN_SMTP_PASSWORD": PASSWORD,
            "SSL_CERT_FILE": str(self._folder / "ca.pem"),
        }
        jobs = [
            {"number": number, "folder": str(case.folder), "environment": environment}
            for number, case in enumerate(cases)
        ]
        played = subprocess.run(
            [sys.executable, "-W", "error", str(LAUNCHER)],
            input="".join(json.dumps(job) + "\n" for job in jobs),
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        for number, code, seconds, memory in map(json.loads, played.stdout.splitlines()):
            cases[number].code, cases[number].seconds, cases[number].memory = code, seconds, memory
        for server in [server for case in cases for server in case.servers]:
            server.close()


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture(scope="module")
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with ExitStack() as exits:
        stage = Stage(tmp_path_factory.mktemp("hostile"), exits)
        for item in request.session.items:
            asked: Any = getattr(item, "callspec", None)
            if item.fspath == request.node.fspath and asked and "behaviour" in asked.params:
                stage.set(asked.params["behaviour"], asked.params["way"])
        stage.play()
        yield stage


def ways(behaviours: Sequence[Opening | Exchange], *there: str) -> pytest.MarkDecorator:
    """Each behaviour in each way in which it can be had."""
    cases = [
        pytest.param(behaviour, way, id=f"{behaviour.name}, {way}")
        for behaviour in behaviours
        for way in there
        if not (way == "chunking" and getattr(behaviour, "chunked", None) == "")
        and not (way == "later" and behaviour.name in AT_NO_CONNECTION)
    ]
    return pytest.mark.parametrize(("behaviour", "way"), cases)


def check_all(case: Case) -> None:
    """What holds whatever a server does."""
    err, out = case.text("err"), case.text("out")
    assert "Traceback" not in err, err
    assert case.seconds < SECONDS
    assert case.memory < MEMORY
    for said in (err, out, case.text("log"), case.text("list-hello-report.csv")):
        assert re.findall(r"[^\n -~\xa0-\uffff]", said) == [], said
        assert PASSWORD not in said
        assert max(map(len, said.splitlines()), default=0) < 4000
    assert case.rows.keys() == set(LIST)
    taken = Counter(address for server in case.servers for _, _, address in server.seen.taken)
    assert max(taken.values(), default=0) <= 1
    assert {address for address, row in case.rows.items() if row["status"] == "delivered"} <= taken.keys()


@ways(OPENINGS, "alone", "later", "backup")
def test_a_session_that_cannot_be_opened_costs_nobody_anything(stage: Stage, behaviour: Opening, way: str) -> None:
    case = stage.cases[behaviour.name, way]
    check_all(case)
    if way == "alone" and behaviour.said is not None:
        assert case.code == 69, case.text("err")
        assert case.statuses == {"pending": len(LIST)}
        said = [line for line in case.text("err").splitlines() if line.startswith("campaign: ")]
        assert re.search(behaviour.said, said[0]), said
        assert said[1:] == ["campaign: no relay works: mend that and run the same command again"]
        assert {row["attempts"] for row in case.rows.values()} == {"0"}
    else:
        assert (case.code, case.statuses) == (0, {"delivered": len(LIST)}), case.text("err")
    assert not any(server.seen.hurried for server in case.servers)


@ways(EXCHANGES, "one by one", "pipelining", "chunking")
def test_what_a_server_does_in_a_transaction_is_told_as_it_is_and_the_others_go_on(
    stage: Stage, behaviour: Exchange, way: str
) -> None:
    case = stage.cases[behaviour.name, way]
    check_all(case)
    chunked = way == "chunking" and behaviour.chunked is not None
    status = behaviour.chunked if chunked else behaviour.row
    rows, victim = case.rows, case.rows[VICTIM]
    said = " ".join(filter(None, (victim["code"], victim["enhanced_code"], victim["reply"], victim["reason"])))

    assert victim["status"] == status, (said, case.text("err"))
    assert victim["attempts"] == "1"
    assert chunked or re.search(behaviour.said, said), said
    if status == "uncertain":
        assert victim["reason"].startswith("handed over, but ")
        assert victim["reason"].endswith(": it may or may not have arrived")
    if status == "deferred":
        least, most = WAIT
        tried = datetime.fromisoformat(victim["last_attempt_at"])
        assert least <= case.due(VICTIM) - tried <= most + timedelta(seconds=1)

    # Nobody but the victim pays, except that with CHUNKING those who are in flight with it on a lost session may.
    rest = {rows[address]["status"] for address in LIST if address not in (VICTIM, *BEHIND)}
    behind = [rows[address]["status"] for address in BEHIND]
    unknown = behind.count("uncertain")
    lost = way == "chunking" and not behaviour.kept and victim["code"] != "421"
    assert rest == {"delivered"}
    assert behind == ["uncertain"] * unknown + ["delivered"] * (len(BEHIND) - unknown)
    assert unknown <= (AHEAD if lost else 0)
    expected = 75 if case.statuses["deferred"] else 3 if case.statuses["uncertain"] else 0
    assert case.code == expected, case.text("err")

    hostile = {connection for _, connection, address in case.seen.taken if address not in OTHERS}
    struck = {connection for _, connection in case.seen.strikes}
    if behaviour.kept:
        assert len(hostile | struck) == 1
    else:
        after = {connection for _, connection, address in case.seen.taken if address in BEHIND[unknown:]}
        assert way == "chunking" or not after & struck
    if behaviour.waits:
        # The other lane did not wait with it.
        began = case.seen.strikes[0]
        done = max(at for at, _, address in case.seen.taken if address in OTHERS)
        assert done < case.seen.ended[began[1]]
    assert not case.seen.hurried
