"""Unbound, which validates, before an NSD whose zones are signed; dnspython signs them."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.dnssec
import dns.exception
import dns.message
import dns.query
import dns.rdatatype
import dns.zone
from cryptography.hazmat.primitives.asymmetric import ec

from tests.integration.nameserver import ZONE
from tests.judges.server import free_port

OF_ZONE = ("SOA", "NS")
"""What `start_nsd` writes at the head of a zone itself."""

AT = "127.0.0.5"
"""Where it listens, at port 53 as well, which is all that resolv.conf has."""


def signed(name: str, records: str) -> tuple[str, str]:
    """The records of a zone with their signatures, and its key as a trust anchor."""
    zone = dns.zone.from_text(f"$ORIGIN {name}.{ZONE}{records}\n", f"{name}.", relativize=False)
    key = ec.generate_private_key(ec.SECP256R1())
    dnskey = dns.dnssec.make_dnskey(key.public_key(), dns.dnssec.Algorithm.ECDSAP256SHA256, flags=257)
    dns.dnssec.sign_zone(zone, keys=[(key, dnskey)], lifetime=86400, inception=time.time() - 3600)
    lines = [
        f"{owner} {ttl} IN {dns.rdatatype.to_text(rdata.rdtype)} {rdata.to_text()}"
        for owner, ttl, rdata in zone.iterate_rdatas()
        if dns.rdatatype.to_text(rdata.rdtype) not in OF_ZONE
        and (owner.to_text(), rdata.rdtype) != (f"ns.{name}.", dns.rdatatype.A)
    ]
    return "\n".join(lines), f"{name}. DNSKEY {dnskey.to_text()}"


@contextmanager
def validating(root: Path, zones: list[str], nsd: int, anchor: str) -> Iterator[int]:
    """Unbound at `AT`, which asks the NSD at that port for these zones; its port."""
    port = free_port()
    stubs = "".join(f"stub-zone:\n  name: {zone}.\n  stub-addr: 127.0.0.1@{nsd}\n" for zone in zones)
    (root / "etc/unbound.conf").write_text(
        f'server:\n  interface: {AT}@{port}\n  interface: {AT}@53\n  do-not-query-localhost: no\n  username: ""\n'
        f'  chroot: ""\n  pidfile: ""\n  directory: "/"\n  do-daemonize: no\n  use-syslog: no\n  logfile: ""\n'
        f'  module-config: "validator iterator"\n  trust-anchor: "{anchor}"\n  access-control: 127.0.0.0/8 allow\n'
        f"remote-control:\n  control-enable: no\n{stubs}"
    )
    with (root / "unbound.out").open("wb") as out:
        process = subprocess.Popen(
            ["chroot", root, "/usr/sbin/unbound", "-d", "-c", "/etc/unbound.conf"],
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        query = dns.message.make_query(zones[0], "SOA")
        deadline = time.monotonic() + 20
        while True:
            try:
                dns.query.udp(query, AT, port=port, timeout=0.2)
            except (dns.exception.Timeout, OSError):
                assert process.poll() is None, (root / "unbound.out").read_text()
                assert time.monotonic() < deadline, (root / "unbound.out").read_text()
            else:
                break
        yield port
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)
