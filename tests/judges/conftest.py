"""Real mail servers, unpacked by `tests/judges/run`, and the command as its users start it."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from tests.integration.conftest import Campaign
from tests.judges.exim import Exim
from tests.judges.postfix import Postfix
from tests.judges.server import Server

TEMPLATE = """---
subject: "Hello {{ name or 'you' }}, number {{ number }}"
from: Zoë of the Club <ada@sender.example.org>
---
Dear {{ name or 'member' }},

this is number {{ number }}. What follows are lines that SMTP and mailboxes have a use for:
.
..
From here on there is nothing.
"""


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    command = Campaign(tmp_path)
    (tmp_path / "hello.txt").write_text(TEMPLATE, encoding="utf-8")
    return command


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts a server of the class it is given."""
    with ExitStack() as running:

        def start(server: type[Server], **options: str | int | bool | tuple[str, int] | dict[str, str]) -> Server:
            unpacked = os.environ.get(f"JUDGES_{server.__name__.upper()}")
            if not unpacked:
                pytest.skip("there is no server: start these tests with tests/judges/run")
            return running.enter_context(server(Path(unpacked), tmp_path / server.__name__.lower(), **options))

        yield start


@pytest.fixture
def unbound(tmp_path: Path) -> Path:
    """A root folder with Unbound in it, which may be written to."""
    unpacked = os.environ.get("JUDGES_UNBOUND")
    if not unpacked:
        pytest.skip("there is no Unbound: start these tests with tests/judges/run")
    subprocess.run(["cp", "-a", unpacked, tmp_path / "unbound"], check=True)
    return tmp_path / "unbound"


@pytest.fixture
def port() -> int:
    """One that is free on every address."""
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))
        return listener.getsockname()[1]


@pytest.fixture(params=[Exim, Postfix], ids=["Exim", "Postfix"])
def start_each(request: pytest.FixtureRequest, start: Callable[..., Server]) -> Callable[..., Server]:
    """Starts one server after the other, in a test each."""
    return lambda **options: start(request.param, **options)


class Certificates:
    """A certificate authority of the test's own."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self.file = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(self.file)

    def issue(self, *names: str) -> str:
        """The key and the certificate of a server of these names, in PEM."""
        issued = self._authority.issue_cert(*names)
        return issued.private_key_and_cert_chain_pem.bytes().decode()


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)
