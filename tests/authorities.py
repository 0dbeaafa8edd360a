"""Certificates as no authority of the web would issue them: without a name, over, by who may not."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

NOW = datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def association(self, selector: int, matching: int) -> bytes:
        """What a TLSA record has of it."""
        octets = self.public_key if selector else self.der
        return (octets, hashlib.sha256(octets).digest(), hashlib.sha512(octets).digest())[matching]

    def pem(self, *others: Issued) -> str:
        """Its key and its chain, as servers want them."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return (key + b"".join(each.certificate.public_bytes(Encoding.PEM) for each in (self, *others))).decode()


def issue(subject: str, by: Issued | None = None, *, host: str = "", ca: bool = False, days: float = 1) -> Issued:
    """A certificate of `subject` that ends in so many days, signed by another or by itself, for the name `host`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(by.certificate.subject if by else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=9))
        .not_valid_after(NOW + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
    )
    if host:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return Issued(key, builder.sign(by.key if by else key, hashes.SHA256()))
