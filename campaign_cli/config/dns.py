"""The setting `dns`: whom DNS is asked of, and how: `{nameservers: [192.0.2.53], timeout: 5s}`, or `off`."""

from __future__ import annotations

import re
from functools import partial
from ipaddress import ip_address
from typing import Any

from campaign_cli.config.given import Given
from campaign_cli.config.values import each_of, length_of_time, number_in, one_line
from campaign_cli.model.dns import Dns

QUESTIONS = range(1, 1001)
"""How many questions may be asked at once: a nameserver with more of them to answer begins to drop some."""


def dns(given: Given) -> Dns:
    """Raises ValueError, EntriesError."""
    if isinstance(given.value, bool):
        return Dns(off=not given.value)
    if not isinstance(given.value, dict):
        raise ValueError("must be off, or keys and values, such as {nameservers: [192.0.2.53], timeout: 5s}")
    entries = given.value.items()
    return Dns(**dict(each_of((entry, partial(_entry, key)) for key, entry in entries)))


def _entry(key: str, entry: Given) -> tuple[str, Any]:
    match key:
        case "nameservers":
            servers = entry.value if isinstance(entry.value, list) else [entry]
            return key, tuple(each_of((server, _nameserver) for server in servers))
        case "timeout":
            return key, length_of_time(entry)
        case "concurrency":
            return key, number_in(QUESTIONS)(entry)
        case "dnssec":
            if entry.value not in ("trusted", False):
                raise ValueError(f"dnssec: must be trusted or off, not {entry.value!r}")
            return key, entry.value == "trusted"
    raise ValueError(f"{key!r} is not understood: there are nameservers, timeout, concurrency and dnssec")


def _nameserver(given: Given) -> tuple[str, int]:
    """`192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53` or `[2001:db8::53]:5353`; without a port, DNS's own."""
    text = one_line(given).strip()
    with_port = re.fullmatch(r"\[(.+)\]:(\d{1,5})|([\d.]+):(\d{1,5})", text)
    address, port = (with_port[1] or with_port[3], int(with_port[2] or with_port[4])) if with_port else (text, 53)
    try:
        ip = ip_address(address)
    except ValueError:
        ip = None
    if ip is None or port not in range(1, 65536):
        raise ValueError(f"{text!r} is no nameserver: write its IP address, as 192.0.2.53 or 192.0.2.53:5353")
    return str(ip), port
