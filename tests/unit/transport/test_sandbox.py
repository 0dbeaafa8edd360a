import asyncio
import errno
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.transport.sandbox import REFUSED_CONTENT, REFUSED_RECIPIENTS, Sandbox

Answer = TypeVar("Answer")
DOCS = Path(__file__).parents[3] / "docs" / "sandbox.md"
MESSAGE = b"Subject: hello\r\n\r\n.dots\r\n..more\r\n.\r\nbye\r\n"
TAKEN, RECIPIENT_TAKEN, GO_ON, CLOSED = "250 2.0.0", "250 2.1.5", "354 End d", ""
ARRIVES = (RECIPIENT_TAKEN, GO_ON, TAKEN)
FAILURES = {
    "bounce": [("550 5.1.1",), ("550 5.1.1",)],
    "full": [("552 5.2.2",), ("552 5.2.2",)],
    "blocked": [(RECIPIENT_TAKEN, GO_ON, "550 5.0.0"), (RECIPIENT_TAKEN, GO_ON, "550 5.0.0")],
    "defer": [("451 4.7.1",), ARRIVES],
    "later": [(RECIPIENT_TAKEN, GO_ON, "451 4.3.0"), ARRIVES],
    "busy": [("450 4.2.1",), ("450 4.2.1",)],
    "drop": [(RECIPIENT_TAKEN, GO_ON, CLOSED), (RECIPIENT_TAKEN, GO_ON, CLOSED)],
    "reset": [(CLOSED,), ARRIVES],
    "slow": [ARRIVES, ARRIVES],
}
"""By the local part's beginning: the answers to RCPT TO, DATA and the content, of two transactions."""


class Client:
    """One connection to the sandbox, in bytes, so that no library has a say in what goes over it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def say(self, octets: bytes) -> str:
        """The beginning of the answer's last line: code and enhanced code; or that the connection is closed."""
        try:
            self._writer.write(octets)
            while (line := await self._reader.readline())[3:4] == b"-":
                pass
        except ConnectionError:
            return CLOSED
        return line[:9].decode()

    async def transact(self, address: str, content: bytes = MESSAGE) -> tuple[str, ...]:
        """The answers to RCPT TO, DATA and the content, up to the first that ends the transaction."""
        await self.say(b"MAIL FROM:<ada@sender.example> SMTPUTF8\r\n")
        stuffed = b"".join(b"." + line if line[:1] == b"." else line for line in re.split(rb"(?<=\r\n)", content))
        answers: list[str] = []
        for octets in (f"RCPT TO:<{address}>\r\n".encode(), b"DATA\r\n", stuffed + b".\r\n"):
            answers.append(await self.say(octets))
            if not answers[-1].startswith(("2", "3")):
                break
        return tuple(answers)


@asynccontextmanager
async def connected(sandbox: Sandbox) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(sandbox.host, sandbox.port)
    client = Client(reader, writer)
    try:
        await client.say(b"")
        await client.say(b"EHLO client.example\r\n")
        yield client
        await client.say(b"QUIT\r\n")
    finally:
        writer.close()


async def transaction(sandbox: Sandbox, address: str, content: bytes = MESSAGE) -> tuple[str, ...]:
    """One transaction on a connection of its own."""
    async with connected(sandbox) as client:
        return await client.transact(address, content)


def during(folder: Path, act: Callable[[Sandbox], Awaitable[Answer]]) -> Answer:
    """What `act` gives, while a sandbox serves."""

    async def main() -> Answer:
        async with Sandbox(folder) as sandbox:
            return await act(sandbox)

    return asyncio.run(asyncio.wait_for(main(), 10))


def kept(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, in seconds; nobody really does."""
    waited: list[float] = []

    async def sleep(delay: float) -> None:
        waited.append(delay)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return waited


@pytest.mark.parametrize("beginning", FAILURES)
def test_a_failure_is_played_as_the_docs_say_and_what_arrived_is_kept(
    tmp_path: Path, waits: list[float], beginning: str
) -> None:
    address = f"{beginning}+x@gmail.com"

    async def act(sandbox: Sandbox) -> list[tuple[str, ...]]:
        return [await transaction(sandbox, address) for _ in range(2)]

    answers = during(tmp_path, act)
    arrived = [each for each in answers if each in (ARRIVES, (RECIPIENT_TAKEN, GO_ON, CLOSED))]
    assert (answers, waits, kept(tmp_path)) == (
        FAILURES[beginning],
        [2.0, 2.0] if beginning == "slow" else [],
        {f"{number:06d}-{address}.eml": MESSAGE for number in range(1, len(arrived) + 1)},
    )


def test_the_failures_of_the_docs_are_those_of_the_sandbox_with_the_same_answers() -> None:
    rows = re.findall(r"^\| `(\w+)\+x@\.\.\.` \| (.*?) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    documented = {beginning: re.findall(r"\d{3} \d\.\d\.\d", what) for beginning, what in rows}
    assert documented == {
        beginning: [answer for answer in first if answer[:1] in "45" and answer]
        for beginning, (first, _) in FAILURES.items()
    }
    assert {*REFUSED_RECIPIENTS, *REFUSED_CONTENT} <= {*documented}


@pytest.mark.parametrize("address", ["bounce@gmail.com", "bouncer+x@gmail.com", "x+bounce@gmail.com", "+bounce@x.org"])
def test_only_what_stands_before_the_plus_is_a_failure(tmp_path: Path, address: str) -> None:
    assert during(tmp_path, lambda sandbox: transaction(sandbox, address)) == ARRIVES
    assert kept(tmp_path) == {f"000001-{address}.eml": MESSAGE}


def test_a_failure_is_played_in_any_case_and_the_first_time_is_one_of_each_address(tmp_path: Path) -> None:
    async def act(sandbox: Sandbox) -> list[tuple[str, ...]]:
        addresses = ("Defer+x@gmail.com", "defer+y@gmail.com", "Defer+x@gmail.com")
        return [await transaction(sandbox, address) for address in addresses]

    assert during(tmp_path, act) == [("451 4.7.1",), ("451 4.7.1",), ARRIVES]


@given(
    lines=st.lists(
        st.binary(max_size=900).filter(lambda line: b"\r\n" not in line)
        | st.sampled_from([b".", b"..", b".x", b"", b"\r", b"\n.\n", b".\r.", bytes(range(256)), "é".encode()]),
        min_size=1,
        max_size=5,
    )
)
def test_octets_are_kept_exactly_as_they_were_sent(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("sandbox")
    content = b"".join(line + b"\r\n" for line in lines)
    assert during(folder, lambda sandbox: transaction(sandbox, "ann@gmail.com", content)) == ARRIVES
    assert kept(folder) == {"000001-ann@gmail.com.eml": content}


def test_one_connection_carries_many_messages_each_a_file_of_its_own(tmp_path: Path) -> None:
    async def act(sandbox: Sandbox) -> list[str]:
        addresses = ("ann@x.org", "full+x@x.org", "blocked+x@x.org", "a/b@x.org", "zoë@x.org", "ann@x.org")
        async with connected(sandbox) as client:
            answers = [await client.transact(address, address.encode() + b"\r\n") for address in addresses]
        return [answer[-1] for answer in answers]

    assert during(tmp_path, act) == [TAKEN, "552 5.2.2", "550 5.0.0", TAKEN, TAKEN, TAKEN]
    assert kept(tmp_path) == {
        "000001-ann@x.org.eml": b"ann@x.org\r\n",
        "000002-a_b@x.org.eml": b"a/b@x.org\r\n",
        "000003-zoë@x.org.eml": "zoë@x.org\r\n".encode(),
        "000004-ann@x.org.eml": b"ann@x.org\r\n",
    }


def test_folder_and_files_are_their_owners_only_and_numbers_go_on_when_it_is_started_again(tmp_path: Path) -> None:
    folder = tmp_path / "spring" / "spring-sandbox"
    for _ in range(2):
        assert during(folder, lambda sandbox: transaction(sandbox, "ann@x.org")) == ARRIVES
    found = {path.name: oct(path.stat().st_mode & 0o777) for path in (folder, *folder.iterdir())}
    assert found == {
        "spring-sandbox": "0o700",
        "000001-ann@x.org.eml": "0o600",
        "000002-ann@x.org.eml": "0o600",
    }


def test_it_is_reached_by_its_own_address_only(tmp_path: Path) -> None:
    async def act(sandbox: Sandbox) -> str:
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.2", sandbox.port)
        return sandbox.host

    assert during(tmp_path, act) == "127.0.0.1"


def test_what_cannot_be_kept_is_not_taken_and_leaves_no_half_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, _: str) -> NoReturn:
        os.close(descriptor)
        raise OSError(errno.ENOSPC, "No space left on device")

    async def act(sandbox: Sandbox) -> list[tuple[str, ...]]:
        with monkeypatch.context() as patched:
            patched.setattr("campaign_cli.transport.sandbox.os.fdopen", full)
            first = await transaction(sandbox, "ann@gmail.com")
        return [first, await transaction(sandbox, "ann@gmail.com")]

    assert during(tmp_path, act) == [(RECIPIENT_TAKEN, GO_ON, "452 4.3.1"), ARRIVES]
    assert kept(tmp_path) == {"000001-ann@gmail.com.eml": MESSAGE}
