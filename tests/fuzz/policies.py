"""What a web server says is a domain's MTA-STS policy, and, before the first empty line, what DNS says of it."""

from __future__ import annotations

import re

from campaign_cli.policy.mta_sts import LONGEST_AGE, Mode, parse_policy, permits, record_id

SAMPLES = (
    b"v=STSv1; id=20160831085700Z;\n\nversion: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\n"
    b"mx: backupmx.example.com\nmax_age: 604800\n",
    b"v=STSv1;id=1\n\nversion: STSv1\r\nmode: testing\r\nmx: *.a\r\nmax_age: 99999999\r\nx-new.field: \xc3\xa4 b c\r\n",
    b"v=STSv1; id=a; x=y\n\nmax_age:0\nmode:none\nversion:STSv1",
)

TOKENS = (
    *(b"version: STSv1\n", b"mode: ", b"enforce", b"none", b"mx: ", b"*.", b"max_age: ", b"v=STSv1;", b"id=", b";"),
    *(b"\r\n", b"\n", b"\r", b"\0", b"\t", b" ", b":", b".", b"-", b"*", b"\x1b[2J", b"\xff", b"9" * 40, b"\xc2\x85"),
)

_HOST = re.compile(r"(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?")


def check(octets: bytes) -> None:
    """Nothing but ValueError is raised, and what is understood is within the grammar's bounds."""
    record, _, text = octets.decode("utf-8", "replace").partition("\n\n")
    id_ = record_id(record.split("\n"))
    assert id_ is None or re.fullmatch("[A-Za-z0-9]{1,32}", id_)
    try:
        policy = parse_policy(text)
    except ValueError:
        return
    assert 0 <= policy.max_age <= LONGEST_AGE
    assert policy.mx or policy.mode is Mode.NONE
    for pattern in policy.mx:
        assert _HOST.fullmatch(pattern), pattern
        name = pattern.removeprefix("*.")
        assert permits([pattern], f"mx.{name}" if name != pattern else name)
        assert permits([pattern], f"a.b.{name}") == (pattern == f"a.b.{name}")
        assert permits([pattern], name) == (name == pattern)
