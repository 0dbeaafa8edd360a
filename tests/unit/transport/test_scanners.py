"""What spam filters say, from servers that say what the filters' protocols have them say."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from campaign_cli.transport.scanners import ScanError, Verdict, ask_rspamd, ask_spamassassin

Serve = Callable[[bytes], tuple[int, list[bytes]]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that answers one request; its port, and where the request goes."""
    running: list[threading.Thread] = []

    def start(answer: bytes) -> tuple[int, list[bytes]]:
        listening = socket.create_server(("127.0.0.1", 0))
        asked: list[bytes] = []

        def talk() -> None:
            with listening, listening.accept()[0] as connection:
                said = b""
                while b"the end" not in said:
                    said += connection.recv(65536)
                asked.append(said)
                connection.sendall(answer)

        running.append(threading.Thread(target=talk))
        running[-1].start()
        return listening.getsockname()[1], asked

    yield start
    for thread in running:
        thread.join(10)


@pytest.mark.parametrize(("word", "spam"), [(b"True", True), (b"False", False)])
def test_spamassassin_says_score_and_rules(serve: Serve, word: bytes, spam: bool) -> None:
    answer = b"SPAMD/1.1 0 EX_OK\r\nContent-length: 9\r\nSpam: " + word + b" ; 7.5 / 5.0\r\n\r\nAAA,BBB_1\r\n"
    port, asked = serve(answer)
    verdict = ask_spamassassin("127.0.0.1", port, b"Subject: x\r\n\r\nthe end")
    assert verdict == Verdict("SpamAssassin", 7.5, "spam" if spam else "no spam", spam, ("AAA", "BBB_1"))
    assert asked == [b"SYMBOLS SPAMC/1.5\r\nContent-length: 21\r\n\r\nSubject: x\r\n\r\nthe end"]


def test_rspamd_says_what_it_does_and_the_rules_that_raise_the_score(serve: Serve) -> None:
    said = b'{"score": 6.5, "action": "add header", "symbols": {"A": {"score": 1}, "B": {"score": 6}}}'
    port, asked = serve(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said))
    verdict = ask_rspamd(f"http://127.0.0.1:{port}", b"the end", sender="a@club.zz", recipient="b@yahoo.com")
    assert verdict == Verdict("rspamd", 6.5, "add header", True, ("B 6", "A 1"))
    assert str(verdict) == "rspamd says add header, score 6.5: B 6, A 1"
    assert b"Rcpt: b@yahoo.com" in asked[0]


@pytest.mark.parametrize("answer", [b"", b"SPAMD/1.1 76 EX_PROTOCOL\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n[]"])
def test_a_filter_that_makes_no_sense_has_not_said(serve: Serve, answer: bytes) -> None:
    with pytest.raises(ScanError, match="SpamAssassin at"):
        ask_spamassassin("127.0.0.1", serve(answer)[0], b"the end")
    with pytest.raises(ScanError, match="rspamd at"):
        ask_rspamd(f"http://127.0.0.1:{serve(answer)[0]}", b"the end", sender="", recipient="")
