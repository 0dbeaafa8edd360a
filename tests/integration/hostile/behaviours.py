"""What servers have been seen to do, and what must become of the recipients then: one entry a behaviour.

`OPENINGS` are played before a session can carry a message, `EXCHANGES` in the transaction of one recipient, the
victim, who has neighbours in front and behind, and others with another provider.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.integration.hostile.launcher import ANSWER
from tests.integration.hostile.server import (
    Action,
    Script,
    always,
    close,
    deaf,
    drip,
    endless,
    reset,
    say,
    silent,
    start_tls,
    wait,
)

ESCAPES = b"\x1b]0;owned\x07\x1b[2J\x1b[31mred\x9b31m\x00\x08\x7f"
"""Sets a terminal's title, clears it, colours it, in C0 and in C1; NUL, backspace and delete."""

NOT_UTF_8 = b"\xff\xfe\xc3\x28\xed\xa0\x80"


@dataclass(frozen=True)
class Opening:
    """Before a session is open. `said` is what the command says (a pattern); None: the session comes about.

    `tls` is the relay's `?tls=`; `certificate` whose the server has; with `login`, the relay has a user.
    """

    name: str
    script: Script
    said: str | None
    tls: str = "off"
    certificate: str = "good"
    login: bool = False
    offers: Sequence[str] = ()
    offers_within: Sequence[str] | None = None


def no_answer(step: str) -> str:
    return rf"relay \S+: {step}: no answer within {ANSWER:.0f} s"


CLOSED = "the server closed the connection"

OPENINGS = (
    # ---- the connection and the banner ----
    Opening("refuses the connection", {}, "cannot connect: Connection refused"),
    Opening("swallows the SYN", {}, no_answer("cannot connect")),
    Opening("accepts and is silent", {"banner": [silent]}, no_answer("cannot connect")),
    Opening("accepts and reads nothing", {"banner": [deaf]}, no_answer("cannot connect")),
    Opening("accepts and closes", {"banner": [close]}, f"cannot connect: {CLOSED}"),
    Opening("accepts and resets", {"banner": [reset]}, "cannot connect: Connection reset by peer"),
    Opening("banner without end", {"banner": [endless(b"220-more\r\n")]}, "cannot connect: Response too long"),
    Opening("banner line without end", {"banner": [endless(b"220 ")]}, "cannot connect: Response too long"),
    Opening("banner that drips", {"banner": [drip(b"220-slow\r\n", ANSWER / 20)]}, no_answer("cannot connect")),
    Opening(
        "banner 421", {"banner": [say(b"421 4.3.2 shutting down\r\n"), close]}, "refused the connection: 421 4.3.2 shut"
    ),
    Opening("banner 554", {"banner": [say(b"554 5.7.1 go away\r\n"), close]}, "refused the connection: 554 5.7.1 go"),
    Opening("banner 250", {"banner": [say(b"250 ok\r\n")]}, "refused the connection: 250 ok"),
    Opening("banner 2_5", {"banner": [say(b"2_5 hi\r\n")]}, "cannot connect: not an SMTP reply: 25 hi"),
    Opening("another protocol", {"banner": [say(b"SSH-2.0-OpenSSH_9.2\r\n")]}, "cannot connect: .*SSH-2.0-OpenSSH_9.2"),
    Opening(
        "banner with escapes",
        {"banner": [say(b"554 " + ESCAPES + b"\r\n"), close]},
        "refused the connection: 554 \N{REPLACEMENT CHARACTER}]0;owned",
    ),
    Opening("banner with escapes and no code", {"banner": [say(ESCAPES + b"\r\n")]}, "cannot connect: .*owned"),
    Opening(
        "banner that is not UTF-8",
        {"banner": [say(b"554 " + NOT_UTF_8 + b" no\r\n"), close]},
        "refused the connection: 554 \N{REPLACEMENT CHARACTER}",
    ),
    Opening(
        "banner of many lines, all of them long",
        {"banner": [say(b"554-" + b"x" * 4000 + b"\r\n") for _ in range(6)] + [say(b"554 no\r\n")]},
        "refused the connection: 554 x",
    ),
    Opening("talks early", {"banner": [say(b"220 hi\r\n250 early\r\n250 ok\r\n250 ok\r\n354 go\r\n")]}, None),
    Opening(
        "talks early and never again",
        {"banner": [say(b"220 hi\r\n250 early\r\n250 ok\r\n250 ok\r\n354 go\r\n250 taken\r\n"), silent]},
        no_answer("EHLO failed"),
    ),
    # ---- EHLO ----
    Opening("EHLO refused, HELO not", {"ehlo": [say(b"502 5.5.1 what?\r\n")]}, None),
    Opening(
        "EHLO and HELO refused",
        {"ehlo": [say(b"550 5.7.1 not you\r\n")], "helo": [say(b"550 5.7.1 nor so\r\n")]},
        "refused EHLO: 550 5.7.1 (not you|nor so)",
    ),
    Opening("EHLO 421", {"ehlo": [say(b"421 4.3.2 too busy\r\n"), close]}, "refused EHLO: 421 4.3.2 too busy"),
    Opening("EHLO reset", {"ehlo": [reset]}, "EHLO failed: Connection reset by peer"),
    Opening("EHLO unanswered", {"ehlo": [silent]}, no_answer("EHLO failed")),
    Opening("EHLO without end", {"ehlo": [endless(b"250-X\r\n")]}, "EHLO failed: Response too long"),
    Opening(
        "offers that make no sense",
        {"ehlo": [say(b"250-" + NOT_UTF_8 + b"\r\n250-SIZE \xc2\xb2\r\n250-AUTH\r\n250 " + ESCAPES + b"\r\n")]},
        None,
    ),
    # ---- STARTTLS ----
    Opening("STARTTLS missing", {}, "TLS failed: the server does not offer STARTTLS", tls="required"),
    Opening(
        "STARTTLS refused",
        {"starttls": [say(b"454 4.7.0 not now\r\n")]},
        "TLS failed: 454 4.7.0 not now",
        tls="required",
        offers=["STARTTLS"],
    ),
    Opening(
        "STARTTLS refused where TLS may be left out",
        {"starttls": [say(b"454 4.7.0 not now\r\n")]},
        "TLS failed: 454 4.7.0 not now",
        tls="opportunistic",
        offers=["STARTTLS"],
    ),
    Opening(
        "STARTTLS stalled",
        {"starttls": [say(b"220 go ahead\r\n"), silent]},
        no_answer("TLS failed"),
        tls="required",
        offers=["STARTTLS"],
    ),
    Opening(
        "STARTTLS and no TLS",
        {"starttls": [say(b"220 go ahead\r\n"), wait(ANSWER / 5), say(b"250 text\r\n"), silent]},
        "TLS failed: it does not speak TLS",
        tls="required",
        offers=["STARTTLS"],
    ),
    Opening(
        "STARTTLS closed in the handshake",
        {"starttls": [say(b"220 go ahead\r\n"), close]},
        "TLS failed: (the server closed the connection|Connection reset)",
        tls="required",
        offers=["STARTTLS"],
    ),
    Opening(
        "replies injected before TLS",
        {"starttls": [say(b"220 go ahead\r\n250-evil\r\n250 SIZE 1\r\n"), start_tls]},
        None,
        tls="required",
        offers=["STARTTLS"],
    ),
    Opening(
        "replies injected before TLS, in a segment of their own",
        {"starttls": [say(b"220 go ahead\r\n"), wait(ANSWER / 5), say(b"250 SIZE 1\r\n"), start_tls]},
        "TLS failed: it does not speak TLS",
        tls="required",
        offers=["STARTTLS"],
    ),
    Opening(
        "certificate of nobody known",
        {},
        "TLS failed: its certificate is not valid: unable to get local issuer certificate",
        tls="required",
        certificate="unknown",
        offers=["STARTTLS"],
    ),
    Opening(
        "certificate of another host",
        {},
        "TLS failed: its certificate is not valid: IP address mismatch",
        tls="required",
        certificate="another's",
        offers=["STARTTLS"],
    ),
    Opening(
        "certificate that has expired",
        {},
        "TLS failed: its certificate is not valid: certificate has expired",
        tls="required",
        certificate="expired",
        offers=["STARTTLS"],
    ),
    Opening(
        "closes after TLS without close_notify",
        {"ehlo again": [close]},
        f"TLS failed: {CLOSED}",
        tls="required",
        offers=["STARTTLS"],
    ),
    Opening(
        "offers that are fewer after TLS",
        {},
        None,
        tls="required",
        offers=["STARTTLS", "PIPELINING", "CHUNKING", "SIZE 10000000"],
        offers_within=["scripted.test", "8BITMIME"],
    ),
    Opening(
        "offers that are more after TLS",
        {},
        None,
        tls="required",
        offers=["STARTTLS", "SIZE 1"],
        offers_within=["scripted.test", "SIZE 10000000", "8BITMIME", "PIPELINING", "CHUNKING"],
    ),
    # ---- AUTH ----
    Opening(
        "AUTH 535",
        {"auth": [say(b"535 5.7.8 wrong password\r\n")]},
        "refused the login: 535 5.7.8 wrong password",
        login=True,
        offers=["AUTH PLAIN LOGIN CRAM-MD5"],
    ),
    Opening(
        "AUTH 454",
        {"auth": [say(b"454 4.7.0 not now\r\n")]},
        "refused the login: 454 4.7.0 not now",
        login=True,
        offers=["AUTH PLAIN"],
    ),
    Opening(
        "AUTH that asks without end",
        {"auth": [always(b"334 \r\n")]},
        "refused the login: 334",
        login=True,
        offers=["AUTH PLAIN LOGIN CRAM-MD5"],
    ),
    Opening(
        "AUTH with a challenge that is none",
        {"auth": [say(b"334 " + ESCAPES + NOT_UTF_8 + b"\r\n")]},
        "refused the login: .*",
        login=True,
        offers=["AUTH CRAM-MD5"],
    ),
    Opening("AUTH unanswered", {"auth": [silent]}, no_answer("the login failed"), login=True, offers=["AUTH PLAIN"]),
    Opening(
        "AUTH reset",
        {"auth": [reset]},
        "the login failed: Connection reset by peer",
        login=True,
        offers=["AUTH PLAIN LOGIN"],
    ),
    Opening("AUTH not offered", {}, "the login failed: .*AUTH extension is not supported", login=True),
    Opening("AUTH by nothing known", {}, "the login failed: No suitable", login=True, offers=["AUTH GSSAPI"]),
)

NOTHING, DOT_LOST = "deferred", "uncertain"
"""What becomes of a victim whose session is lost twice before its content went out, and of one for whom it did."""


@dataclass(frozen=True)
class Exchange:
    """In the victim's transaction. `row` is the victim's status, `said` a pattern of its reply and reason.

    `kept` is whether the session goes on. `chunked` is the status with CHUNKING, where the content goes out with MAIL
    and RCPT; "" where the behaviour cannot be had. `waits` is whether the server keeps the client waiting.
    """

    name: str
    script: Script
    row: str
    said: str
    kept: bool = False
    chunked: str | None = None
    waits: bool = False
    tls: bool = False
    manner: str = ""


def refused(point: str, reply: str, row: str) -> Exchange:
    """A plain refusal, after which the session goes on."""
    chunked = "" if point == "data" else None
    return Exchange(f"{point} {reply[:3]}", {point: [say(f"{reply}\r\n".encode())]}, row, reply, True, chunked)


def lost(
    point: str, name: str, actions: Sequence[Action], said: str, row: str = NOTHING, *, waits: bool = False
) -> Exchange:
    """The session is lost before the content went out, except with CHUNKING."""
    chunked = "" if point == "data" else DOT_LOST
    return Exchange(f"{point} {name}", {point: actions}, row, said, False, chunked, waits)


def unanswered(name: str, *actions: Action, said: str, waits: bool = False) -> Exchange:
    """The content has gone out, and there is no answer to it that can be believed."""
    return Exchange(f"dot {name}", {"dot": actions}, DOT_LOST, f"handed over, but {said}", False, None, waits)


def answered(name: str, octets: bytes, row: str, said: str) -> Exchange:
    """The content is answered."""
    return Exchange(f"dot {name}", {"dot": [say(octets)]}, row, said, True)


RESET = "the connection was lost|the server closed the connection"
NO_ANSWER = "the server did not answer for"
OUT_OF_STEP = "the server is out of step"

EXCHANGES = (
    # ---- MAIL, RCPT, DATA ----
    refused("mail", "451 4.3.0 not now", "deferred"),
    refused("mail", "550 5.1.0 sender unknown", "deferred"),
    Exchange("mail 421", {"mail": [say(b"421 4.3.2 closing\r\n"), close]}, "delivered", "250"),
    lost("mail", "reset", [reset], "", "delivered"),
    lost("mail", "unanswered", [silent], "", "delivered", waits=True),
    refused("rcpt", "450 4.2.1 busy", "deferred"),
    refused("rcpt", "550 5.1.1 no such user", "bounced"),
    refused("rcpt", "599 5.9.9 what no RFC knows", "bounced"),
    Exchange("rcpt 421", {"rcpt": [say(b"421 4.3.2 closing\r\n"), close]}, "deferred", "421 4.3.2 closing"),
    lost("rcpt", "reset", [reset], RESET),
    lost("rcpt", "close", [close], CLOSED),
    lost("rcpt", "half a reply", [say(b"250-almo"), close], CLOSED),
    lost("rcpt", "unanswered", [silent], NO_ANSWER, waits=True),
    lost("rcpt", "354", [say(b"354 go on\r\n"), silent], OUT_OF_STEP),
    lost("rcpt", "999", [say(b"999 what?\r\n"), silent], "the server sent not an SMTP reply: '999 what"),
    lost("rcpt", "drips", [drip(b"250-slow\r\n", ANSWER / 20)], NO_ANSWER, waits=True),
    Exchange(
        "rcpt and a stray reply",
        {"rcpt": [say(b"250 2.1.5 ok\r\n250 2.1.5 stray\r\n")]},
        NOTHING,
        f"{OUT_OF_STEP}|the server said unasked",
        chunked="delivered",
    ),
    Exchange("all replies in one segment", {}, "delivered", "250", True, manner="gathered"),
    Exchange("all replies one octet a segment", {}, "delivered", "250", True, manner="bytewise"),
    refused("data", "554 5.0.0 no", "bounced"),
    refused("data", "451 4.3.0 not now", "deferred"),
    lost("data", "250", [say(b"250 go on\r\n"), silent], OUT_OF_STEP),
    lost("data", "unanswered", [silent], NO_ANSWER, waits=True),
    lost("data", "354 and close", [say(b"354 go on\r\n"), wait(ANSWER / 5), close], RESET, DOT_LOST),
    lost("data", "354 and reads nothing", [say(b"354 go on\r\n"), deaf], NO_ANSWER, DOT_LOST, waits=True),
    # ---- in the middle of the content ----
    Exchange("content 552 early", {"content": [say(b"552 5.3.4 too big\r\n")]}, "bounced", "552 5.3.4 too big", True),
    Exchange(
        "content 552 early and close",
        {"content": [say(b"552 5.3.4 too big\r\n"), close]},
        "bounced",
        "552 5.3.4 too big",
        chunked="bounced",
    ),
    Exchange("content close", {"content": [close]}, DOT_LOST, RESET),
    Exchange("content reset", {"content": [reset]}, DOT_LOST, RESET),
    Exchange("content unread", {"content": [deaf]}, DOT_LOST, NO_ANSWER, waits=True),
    # ---- after the final dot ----
    unanswered("close", close, said=CLOSED),
    unanswered("reset", reset, said=f"({RESET})"),
    Exchange("dot close in TLS", {"dot": [close]}, DOT_LOST, f"{CLOSED}|{RESET}", tls=True),
    Exchange("rcpt close in TLS", {"rcpt": [close]}, NOTHING, f"{CLOSED}|{RESET}", chunked=DOT_LOST, tls=True),
    unanswered("unanswered", silent, said=NO_ANSWER, waits=True),
    unanswered("250 just after the timeout", wait(ANSWER * 1.3), say(b"250 ok\r\n"), said=NO_ANSWER, waits=True),
    unanswered("drips", drip(b"250-slow\r\n", ANSWER / 20), said=NO_ANSWER, waits=True),
    unanswered(
        "mixed", say(b"550-no\r\n250 yes\r\n"), silent, said="the server sent a reply whose lines have different"
    ),
    unanswered(
        "mixed the other way", say(b"250-yes\r\n550 no\r\n"), silent, said="the server sent a reply whose lines"
    ),
    unanswered("2_5", say(b"2_5 ok\r\n"), silent, said="the server sent not an SMTP reply: '2_5 ok'"),
    unanswered("2500", say(b"2500 ok\r\n"), silent, said="the server sent not an SMTP reply: '2500 ok'"),
    unanswered("25", say(b"25\r\n"), silent, said="the server sent not an SMTP reply: '25'"),
    unanswered("+250", say(b"+250 ok\r\n"), silent, said=r"the server sent not an SMTP reply: '\+250 ok'"),
    unanswered("999", say(b"999 ok\r\n"), silent, said="the server sent not an SMTP reply: '999 ok'"),
    unanswered("150", say(b"150 wait\r\n"), silent, said="the server sent not an SMTP reply: '150 wait'"),
    unanswered("354", say(b"354 more\r\n"), silent, said="(the reply makes no sense|the server)"),
    unanswered("a blank line", say(b"\r\n"), silent, said="the server sent not an SMTP reply: ''"),
    unanswered("a line of 10 MB", say(b"250 " + b"x" * 10_000_000 + b"\r\n"), said="the server sent a reply line that"),
    unanswered("a line without end", endless(b"250 x"), said="the server sent a reply line that does not end"),
    unanswered("lines without end", endless(b"250-x\r\n"), said="the server sent a reply that does not end"),
    unanswered("nothing but NUL", endless(b"\0"), said="the server sent a reply line that does not end"),
    unanswered("escapes", say(ESCAPES + b"\r\n"), silent, said="the server sent not an SMTP reply: '.*owned"),
    unanswered("not UTF-8", say(NOT_UTF_8 + b"\r\n"), silent, said="the server sent not an SMTP reply: "),
    Exchange(
        "dot 250 just before the timeout",
        {"dot": [wait(ANSWER * 0.6), say(b"250 ok\r\n")]},
        "delivered",
        "250 ok",
        True,
        waits=True,
    ),
    Exchange(
        "dot 421",
        {"dot": [say(b"421 4.3.2 closing\r\n"), close]},
        "deferred",
        "421 4.3.2 closing",
    ),
    answered("451", b"451 4.3.0 not now\r\n", "deferred", "451 4.3.0 not now"),
    answered("552", b"552 5.2.2 mailbox full\r\n", "bounced", "552 5.2.2 mailbox full"),
    answered("550 of several lines", b"550-5.0.0 no\r\n550 5.0.0 never\r\n", "bounced", "550 5.0.0 no never"),
    answered("251", b"251 2.1.5 will forward\r\n", "delivered", "251 2.1.5 will forward"),
    answered("299", b"299 fine\r\n", "delivered", "299 fine"),
    answered("250 of several lines", b"250-one\r\n250-two\r\n250 three\r\n", "delivered", "250 one two three"),
    answered("250 with LF alone", b"250 ok\n", "delivered", "250 ok"),
    answered("250 without a text", b"250\r\n", "delivered", "250"),
    answered("250 with NUL", b"250 o\0k\r\n", "delivered", "250 o\N{REPLACEMENT CHARACTER}k"),
    answered("250 not UTF-8", b"250 " + NOT_UTF_8 + b"\r\n", "delivered", "250 \N{REPLACEMENT CHARACTER}"),
    answered("250 with escapes", b"250 " + ESCAPES + b"\r\n", "delivered", "250 \N{REPLACEMENT CHARACTER}]0;owned"),
    answered("550 with escapes", b"550 " + ESCAPES + b"\r\n", "bounced", "550 \N{REPLACEMENT CHARACTER}]0;owned"),
    answered(
        "550 as long as may be",
        b"".join(b"550-" + b"x" * 4000 + b"\r\n" for _ in range(99)) + b"550 end\r\n",
        "bounced",
        "550 x{400,}",
    ),
    Exchange(
        "dot 250 and a stray reply",
        {"dot": [say(b"250 2.0.0 taken\r\n250 2.0.0 stray\r\n")]},
        "delivered",
        "250 2.0.0 taken",
    ),
)
