"""The private keys of DKIM: read from files that nobody else can read, made, and as the DNS record that goes with them.

Nothing here shows a key: not an error, not a repr.
"""

from __future__ import annotations

import os
import stat
from base64 import b64encode
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from campaign_cli.model.errors import ConfigError, StateError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

SHORTEST = 1024
"""Bits of an RSA key: signatures by shorter ones are not to be believed (RFC 8301 3.2)."""

ADVISED = 2048
"""Bits that an RSA key should have (RFC 8301 3.2)."""

LONGEST = 4096
"""Bits of an RSA key that every verifier takes (RFC 8301 3.2)."""

LARGEST_FILE = 100_000
"""Bytes in a key's file; a larger one is not a key."""

STRING = 255
"""Octets in one string of a TXT record (RFC 1035 3.3)."""


class Algorithm(Enum):
    """What a key signs with, as the tag `k=` names it (RFC 6376 3.6.1, RFC 8463 4)."""

    RSA = "rsa"
    ED25519 = "ed25519"

    @property
    def tag(self) -> str:
        """As the signature's tag `a=` names it."""
        return f"{self.value}-sha256"


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A private key in PEM, and the name at which DNS has its public half: `selector._domainkey.domain`."""

    domain: str
    selector: str
    pem: bytes = field(repr=False)

    @property
    def algorithm(self) -> Algorithm:
        """What it signs with."""
        return Algorithm.RSA if self.bits else Algorithm.ED25519

    @property
    def bits(self) -> int:
        """The length of an RSA key; 0: it is none."""
        return getattr(private_key(self.pem), "key_size", 0)

    @property
    def name(self) -> str:
        """Of its record in DNS."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """What that TXT record says."""
        return f"v=DKIM1; k={self.algorithm.value}; p={b64encode(self.public).decode()}"

    @property
    def public(self) -> bytes:
        """The public half as the record has it: DER for RSA (RFC 6376 3.6.1), the bare 32 octets for Ed25519."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        public = private_key(self.pem).public_key()
        if self.algorithm is Algorithm.ED25519:
            return public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def strings(record: str) -> list[str]:
    """A TXT record as the strings that DNS keeps it in, and readers join again."""
    return [record[at : at + STRING] for at in range(0, len(record), STRING)]


@lru_cache(maxsize=16)
def private_key(pem: bytes) -> RSAPrivateKey | Ed25519PrivateKey:
    """The key in `pem`. Raises ValueError, in words, for one that cannot sign."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, None)
    except TypeError:
        raise ValueError("has a passphrase: write it without one, as openssl pkey does") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a private key in PEM: make one with `campaign dkim new`") from None
    if isinstance(key, RSAPrivateKey):
        if not SHORTEST <= key.key_size <= LONGEST:
            raise ValueError(
                f"is an RSA key of {key.key_size} bits, and receivers take {SHORTEST} to {LONGEST}: "
                f"make one of {ADVISED} with `campaign dkim new`"
            )
        return key
    if isinstance(key, Ed25519PrivateKey):
        return key
    raise ValueError("is neither an RSA nor an Ed25519 key: DKIM has no other (RFC 6376, RFC 8463)")


def read_key(path: Path, *, domain: str, selector: str) -> DkimKey:
    """The key in the file `path`. Raises ConfigError for one that cannot sign, or that others can read."""
    pem = read_secret(path)
    try:
        private_key(pem)
    except ValueError as error:
        raise ConfigError([f"{path}: {error}"]) from None
    return DkimKey(domain, selector, pem)


def read_secret(path: Path) -> bytes:
    """What the file `path` holds. A symbolic link is followed. Raises ConfigError when others can read it."""
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigError([f"{path}: others can read it: chmod 600 {path.resolve()}"])
            found = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    if len(found) > LARGEST_FILE:
        raise ConfigError([f"{path}: has more than {LARGEST_FILE:,} bytes, so it is not a key"])
    return found


def new_key(path: Path, algorithm: Algorithm, *, domain: str, selector: str, bits: int = ADVISED) -> DkimKey:
    """A new key, in the file `path`, which nobody else can read. Raises StateError, also when the file is there."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    made = Ed25519PrivateKey.generate() if algorithm is Algorithm.ED25519 else generate_private_key(65537, bits)
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(descriptor)
    except FileExistsError:
        raise StateError(
            f"{path} is there already, and a key is never written over: name another file with --output, "
            "or make another key with --selector"
        ) from None
    except OSError as error:
        raise StateError(f"{path}: the key cannot be written: {error.strerror}") from None
    return DkimKey(domain, selector, pem)
