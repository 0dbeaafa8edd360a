"""A web server that says the same at a path whatever host it is asked for, but for what it is told."""

import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.in_thread import InThread


class Web(InThread, ThreadingHTTPServer):
    """At `address`, port 443, with a certificate and its key (PEM). `pages` are by host: a text, or where it is now."""

    def __init__(self, address: str, pem: Path, pages: dict[str, str]) -> None:
        super().__init__((address, 443), _Asked)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.pages = pages
        self.asked: list[str] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not like the certificate goes away."""


class _Asked(BaseHTTPRequestHandler):
    server: Web
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        host = str(self.headers["Host"])
        self.server.asked.append(host)
        page = self.server.pages.get(host) if self.path == "/.well-known/mta-sts.txt" else None
        moved = page is not None and page.startswith("https:")
        body = b"" if page is None or moved else page.replace("\n", "\r\n").encode()
        self.send_response(301 if moved else 404 if page is None else 200)
        if moved:
            self.send_header("Location", page)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""
