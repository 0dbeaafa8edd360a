"""OpenSSL, asked whether the same TLSA records stand for the same server, says the same as we do."""

import shutil
import socket
import ssl
import subprocess
import threading
from datetime import UTC, datetime
from itertools import product

import pytest

from campaign_cli.model.dns import Tlsa
from campaign_cli.transport.dane import mismatch
from tests.authorities import Issued, issue

ROOT = issue("root", ca=True)
ISSUER = issue("issuer", ROOT, ca=True)
OTHER = issue("other", ca=True)
CUSTOMER = issue("customer", ISSUER, host="customer.test")

SERVERS: dict[str, tuple[Issued, ...]] = {
    "whole chain": (issue("server", ISSUER, host="mx.host.test"), ISSUER, ROOT),
    "no root": (issue("server", ISSUER, host="mx.host.test"), ISSUER),
    "alone": (issue("server", ISSUER, host="mx.host.test"),),
    "any of the domain": (issue("server", ISSUER, host="*.host.test"), ISSUER),
    "another's name": (issue("server", ISSUER, host="other.test"), ISSUER),
    "over": (issue("server", ISSUER, host="mx.host.test", days=-1), ISSUER),
    "self-made": (issue("server", host="mx.host.test"),),
    "self-made, another's name, over": (issue("server", host="other.test", days=-1),),
    "by who may not": (issue("server", CUSTOMER, host="mx.host.test"), CUSTOMER, ISSUER),
    "a chain that does not hold": (issue("server", OTHER, host="mx.host.test"), ISSUER, ROOT),
}


def records(chain: tuple[Issued, ...]) -> list[Tlsa]:
    """Of each certificate there is, each way to say it."""
    return [
        Tlsa(usage, selector, matching, each.association(selector, matching))
        for each in (chain[0], ISSUER, ROOT, CUSTOMER, OTHER)
        for usage, selector, matching in product((2, 3), (0, 1), (0, 1, 2))
        # OpenSSL lets a chain begin with a key that nobody shows (RFC 7671 5.2.3: it may).
        if (usage, selector, matching) != (2, 1, 0) or each in chain[1:]
    ]


class Server(threading.Thread):
    """Shakes hands by TLS, and that is all."""

    def __init__(self, pem: str, folder) -> None:
        super().__init__(daemon=True)
        (folder / "both.pem").write_text(pem)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "both.pem")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            try:
                with self._context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(1)
            except OSError:
                connection.close()


def openssl_says(port: int, record: Tlsa) -> bool:
    data = f"{record.usage} {record.selector} {record.matching} {record.association.hex()}"
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-brief", "-verify_return_error"]
    command += ["-dane_tlsa_domain", "mx.host.test", "-dane_ee_no_namechecks", "-dane_tlsa_rrdata", data]
    said = subprocess.run(command, input="", capture_output=True, text=True, timeout=30, check=False)
    return said.returncode == 0 and "Verification: OK" in said.stdout + said.stderr


@pytest.mark.parametrize("name", SERVERS)
def test_openssl_judges_a_server_by_its_records_as_we_do(tmp_path, name: str) -> None:
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl")
    own, *others = chain = SERVERS[name]
    server = Server(own.pem(*others), tmp_path)
    server.start()
    now, shown = datetime.now(UTC), [each.der for each in chain]
    ours = {record: not mismatch([record], shown, "mx.host.test", now) for record in records(chain)}
    theirs = {record: openssl_says(server.port, record) for record in ours}
    server.listener.close()
    print(f"{sum(theirs.values())} of {len(theirs)} stand for it")
    assert {record[:3]: (ours[record], theirs[record]) for record in ours if ours[record] != theirs[record]} == {}
