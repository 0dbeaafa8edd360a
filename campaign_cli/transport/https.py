"""A short text from a web server that is known by its certificate: GET by HTTP/1.1, and nothing else."""

from __future__ import annotations

import asyncio
import io
import ssl
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

from campaign_cli.transport.certificates import checked

PORT = 443

TIMEOUT = 15.0
"""Seconds for all of it. RFC 8461 3.3 proposes a minute; but mail waits for it, and who takes longer is down."""

MOST = 64 * 1024
"""Bytes, header and text: what RFC 8461 3.3 proposes for the text alone, of which a large one has one."""


@dataclass(frozen=True, slots=True)
class Unfetched:
    """Why there is no text, in words."""

    reason: str


async def fetch_text(host: str, path: str, *, address: str) -> str | Unfetched:
    """The `text/plain` at `path` of `host`, which is spoken to at the IP address `address`.

    Its certificate is checked; redirects are not followed; what takes too long or is too long is given up.
    """
    try:
        async with asyncio.timeout(TIMEOUT):
            octets = await _asked(host, path, address)
        return _text(octets)
    except TimeoutError:
        return Unfetched(f"no answer within {TIMEOUT:.0f} s")
    except ssl.SSLCertVerificationError as error:
        return Unfetched(f"its certificate is not valid: {error.verify_message}")
    except (OSError, HTTPException, ValueError) as error:
        return Unfetched(str(error) or type(error).__name__)


async def _asked(host: str, path: str, address: str) -> bytes:
    reader, writer = await asyncio.open_connection(address, PORT, ssl=checked(), server_hostname=host)
    try:
        head = (
            f"GET {path} HTTP/1.1",
            f"Host: {host}",
            "User-Agent: campaign",
            "Accept: text/plain",
            "Connection: close",
        )
        writer.write("\r\n".join((*head, "", "")).encode("ascii"))
        octets = b""
        while len(octets) <= MOST and (piece := await reader.read(MOST)):
            octets += piece
        return octets
    finally:
        # Nothing is said any more, and a polite end of TLS would wait for the server.
        writer.transport.abort()


def _text(octets: bytes) -> str:
    """What the response says. Raises ValueError or HTTPException where it is not the text."""
    if len(octets) > MOST:
        raise ValueError(f"its answer has more than {MOST} bytes")
    response = HTTPResponse(cast(Any, _Received(octets)))
    response.begin()
    if response.status != 200:
        raise ValueError(f"it says {response.status}")
    if (kind := response.headers.get_content_type()) != "text/plain":
        raise ValueError(f"it is {kind}, not text/plain")
    return response.read().decode("utf-8")


class _Received:
    """What the standard library takes for a socket: all that came by one."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def makefile(self, mode: str) -> io.BytesIO:
        """Part of socket.socket."""
        return io.BytesIO(self._octets)
