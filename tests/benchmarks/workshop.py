"""What all benchmarks work with: folders, lists, sinks and peers, each made when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from figures import BenchmarkError, UnavailableError
from material import PROVIDERS, write_list, write_templates
from peers.peers import Aiosmtplib, Mailmerge, Nodemailer
from postfix import Postfix, find_postfix
from relays import OwnSink, PostfixSink, Relay, serving
from sink import Seen

Found = TypeVar("Found")


class Workshop:
    """`cache` keeps what was downloaded, `work` goes when the run ends. `tell` is given a line for a person."""

    def __init__(self, cache: Path, work: Path, *, quick: bool, rounds: int, tell: Callable[[str], None]) -> None:
        self.work = work
        self.quick = quick
        self.rounds = rounds
        self.tell = tell
        self.versions: dict[str, str] = {}
        """Of the peers that were looked for; why, of those that cannot be had."""
        self._cache = cache
        self._lists: dict[tuple[int, int], Path] = {}
        self._found: dict[str, object] = {}
        write_templates(work)

    def sized(self, full: int, quick: int) -> int:
        """How many of something: `full`, or with --quick `quick`."""
        return quick if self.quick else full

    def contacts(self, rows: int, domains: int = len(PROVIDERS)) -> Path:
        """A list of so many rows at so many providers."""
        if (rows, domains) not in self._lists:
            chosen = tuple(PROVIDERS.values())[:domains]
            self._lists[rows, domains] = write_list(self.work / f"list-{rows}-{domains}.csv", rows, chosen)
        return self._lists[rows, domains]

    @property
    def template(self) -> Path:
        """campaign's template."""
        return self.work / "newsletter.html"

    def postfix(self) -> Postfix | str:
        """smtp-source and smtp-sink, or why they cannot be had."""
        return self._look_for("Postfix", find_postfix)

    def aiosmtplib(self) -> Aiosmtplib | str:
        """The peer, or why it cannot be had."""
        return self._look_for("aiosmtplib", Aiosmtplib.find)

    def nodemailer(self) -> Nodemailer | str:
        """The peer, or why it cannot be had."""
        return self._look_for("nodemailer", Nodemailer.find)

    def mailmerge(self) -> Mailmerge | str:
        """The peer, or why it cannot be had."""
        return self._look_for("mailmerge", Mailmerge.find)

    @contextmanager
    def smtp_sink(self) -> Iterator[Relay]:
        """A fresh smtp-sink; where it cannot be had, our own, which then offers no more than that one."""
        postfix = self.postfix()
        if isinstance(postfix, str):
            self.versions["sink"] = "our own, in smtp-sink's place"
            with self.own_sink(chunking=False) as sink:
                yield sink
            return
        with serving(PostfixSink(postfix, self.work / "smtp-sink.out")) as sink:
            yield sink

    @contextmanager
    def own_sink(self, *, chunking: bool) -> Iterator[Relay]:
        """A fresh sink of our own."""
        with serving(OwnSink(self.work / "sink.out", chunking=chunking)) as sink:
            yield sink

    def _look_for(self, name: str, find: Callable[[Path], Found]) -> Found | str:
        if name not in self._found:
            try:
                found = find(self._cache)
                self.versions[name] = str(getattr(found, "version", ""))
                self._found[name] = found
            except (UnavailableError, BenchmarkError) as error:
                self.versions[name] = self._found[name] = f"cannot be had: {error}"
                self.tell(f"  {name} {self.versions[name]}")
        return self._found[name]  # type: ignore[return-value]


def checked(sink: Relay, count: int) -> Seen:
    """What `sink` has seen, which must be `count` messages. Raises BenchmarkError."""
    seen = sink.stop()
    if seen.messages != count:
        raise BenchmarkError(f"{count} messages were to come, and {seen.messages} came")
    return seen
