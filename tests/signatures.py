"""DKIM as dkimpy judges it: a message, and the records that DNS would have."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import dkim

from campaign_cli.content.keys import Algorithm, DkimKey, new_key


def made_key(algorithm: Algorithm, selector: str, domain: str = "y.example", bits: int = 2048) -> DkimKey:
    """A key, the same in all tests: to make one takes time."""
    return _made_key(algorithm, selector, domain, bits)


@cache
def _made_key(algorithm: Algorithm, selector: str, domain: str, bits: int) -> DkimKey:
    with TemporaryDirectory() as folder:
        return new_key(Path(folder, "key.pem"), algorithm, domain=domain, selector=selector, bits=bits)


def verdicts(content: bytes, records: Mapping[str, str]) -> list[bool]:
    """Whether each of the message's signatures is good, by the records with these names."""

    def answer(name: bytes, timeout: int = 5) -> bytes | None:
        found = records.get(name.decode().rstrip("."))
        return found.encode() if found else None

    judge = dkim.DKIM(content)
    count = sum(name.lower() == b"dkim-signature" for name, _ in judge.headers)
    verdicts = []
    for number in range(count):
        try:
            verdicts.append(judge.verify(number, dnsfunc=answer))
        except dkim.DKIMException:
            verdicts.append(False)
    return verdicts
