"""DANE: whether a server's certificate is what its TLSA records say (RFC 6698, RFC 7671, RFC 7672)."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Sequence
from datetime import datetime

from campaign_cli.model.dns import Tlsa, Usage


def chain_of(tls: ssl.SSLObject) -> list[bytes]:
    """The certificates that the server has shown, its own first, in DER.

    Python has that in public from 3.13 on; before, where it is not there either, it is the server's own alone.
    """
    if shown := getattr(tls, "get_unverified_chain", None):
        return list(shown())
    if shown := getattr(getattr(tls, "_sslobj", None), "get_unverified_chain", None):
        return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in shown()]
    return [tls.getpeercert(binary_form=True) or b""]


def mismatch(records: Sequence[Tlsa], chain: Sequence[bytes], host: str, now: datetime) -> str:
    """Why none of the records, which are usable, stands for a server that shows `chain`; "": one does.

    By DANE-EE its certificate is known as it is, whatever it says of names and dates (RFC 7672 3.1.1); by DANE-TA it is
    `host`'s and holds at `now`, by an authority that is known (3.1.2).
    """
    try:
        if any(_stands_for(record, chain[0]) for record in records if record.usage == Usage.DANE_EE):
            return ""
        authorities = [record for record in records if record.usage == Usage.DANE_TA]
        trusted = [each for each in chain[1:] if any(_stands_for(record, each) for record in authorities)]
        # What a record has in full need not be shown.
        full = (record.association for record in authorities if (record.selector, record.matching) == (0, 0))
        trusted += [each for each in full if each not in chain]
        return _not_issued_by(trusted, chain, host, now) if trusted else "no TLSA record stands for it"
    except ValueError as error:
        return f"it makes no sense: {error}"


def _stands_for(record: Tlsa, certificate: bytes) -> bool:
    octets = _public_key(certificate) if record.selector else certificate
    return _MATCHED[record.matching](octets) == record.association


_MATCHED: dict[int, Callable[[bytes], bytes]] = {
    0: bytes,
    1: lambda octets: hashlib.sha256(octets).digest(),
    2: lambda octets: hashlib.sha512(octets).digest(),
}
"""What a record has of the octets that it stands for, by its matching type (RFC 6698 2.1.3)."""


def _public_key(certificate: bytes) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509 import load_der_x509_certificate

    key = load_der_x509_certificate(certificate).public_key()
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _not_issued_by(trusted: Sequence[bytes], chain: Sequence[bytes], host: str, now: datetime) -> str:
    """Why the chain does not lead from `host` to one of the trusted certificates; "": it does."""
    from cryptography import x509
    from cryptography.x509 import verification

    # An authority of one's own has not all that the web's have. What cannot be missing is looked at in any case: the
    # names, and whether who has issued a certificate may.
    any_ = verification.Criticality.AGNOSTIC
    relaxed = verification.ExtensionPolicy.permit_all()
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store([x509.load_der_x509_certificate(each) for each in trusted]))
        .time(now)
        .extension_policies(
            ca_policy=relaxed.require_present(x509.BasicConstraints, any_, None),
            ee_policy=relaxed.require_present(x509.SubjectAlternativeName, any_, None),
        )
        .build_server_verifier(x509.DNSName(host))
    )
    own, *others = map(x509.load_der_x509_certificate, chain)
    try:
        verifier.verify(own, others)
    except verification.VerificationError as error:
        return str(error)
    return ""
