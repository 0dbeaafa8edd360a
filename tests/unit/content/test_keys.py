import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)

from campaign_cli.content.keys import Algorithm, new_key, read_key, strings
from campaign_cli.model.errors import ConfigError, StateError
from tests.signatures import made_key

NONE = NoEncryption()


def read(path: Path) -> str:
    """What is wrong with the key in this file; "" when nothing is."""
    try:
        read_key(path, domain="y.example", selector="s")
    except ConfigError as error:
        return str(error)
    return ""


def written(path: Path, pem: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(pem)
    path.chmod(mode)
    return path


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, how: KeySerializationEncryption = NONE) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, how)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_new_key_is_only_its_owners_and_never_written_over(tmp_path: Path, algorithm: Algorithm) -> None:
    path = tmp_path / "key.pem"
    made = new_key(path, algorithm, domain="y.example", selector="s")
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key(path, domain="y.example", selector="s") == made
    assert (made.algorithm, made.bits) == (algorithm, {Algorithm.RSA: 2048, Algorithm.ED25519: 0}[algorithm])
    with pytest.raises(StateError, match=r"is there already, and a key is never written over"):
        new_key(path, algorithm, domain="y.example", selector="s")
    with pytest.raises(StateError, match=r"cannot be written: No such file"):
        new_key(tmp_path / "none" / "key.pem", algorithm, domain="y.example", selector="s")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602, 0o610])
def test_a_key_that_others_can_read_is_refused_also_behind_a_link(tmp_path: Path, mode: int) -> None:
    target = written(tmp_path / "key.pem", made_key(Algorithm.ED25519, "e1").pem, mode)
    link = tmp_path / "link.pem"
    link.symlink_to(target)
    assert read(target) == f"{target}: others can read it: chmod 600 {target}"
    assert read(link) == f"{link}: others can read it: chmod 600 {target}"
    target.chmod(0o400)
    assert (read(target), read(link)) == ("", "")


def test_what_cannot_sign_is_refused_in_words_that_show_nothing_of_it(tmp_path: Path) -> None:
    elliptic = ec.generate_private_key(ec.SECP256R1())
    short = (Path(__file__).parent / "rsa-768.pem").read_bytes()
    locked = pem(rsa.generate_private_key(65537, 1024), BestAvailableEncryption(b"secret"))
    words = {
        b"no key at all, but a secret": "is not a private key in PEM: make one with `campaign dkim new`",
        b"": "is not a private key in PEM: make one with `campaign dkim new`",
        pem(elliptic): "is neither an RSA nor an Ed25519 key: DKIM has no other (RFC 6376, RFC 8463)",
        short: "is an RSA key of 768 bits, and receivers take 1024 to 4096: make one of 2048 with `campaign dkim new`",
        locked: "has a passphrase: write it without one, as openssl pkey does",
        b"x" * 100_001: "has more than 100,000 bytes, so it is not a key",
    }
    path = tmp_path / "key.pem"
    for octets, expected in words.items():
        assert read(written(path, octets)) == f"{path}: {expected}"
    assert read(tmp_path / "none.pem") == f"{tmp_path / 'none.pem'}: cannot be read: No such file or directory"
    assert read(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"


def test_a_key_of_1024_bits_that_opendkim_made_can_sign(tmp_path: Path) -> None:
    assert read(written(tmp_path / "key.pem", pem(rsa.generate_private_key(65537, 1024)))) == ""


def test_the_record_has_the_public_half_in_strings_that_dns_takes() -> None:
    key = made_key(Algorithm.RSA, "r1")
    assert key.name == "r1._domainkey.y.example"
    head, _, public = key.record.partition("p=")
    assert head == "v=DKIM1; k=rsa; "
    assert load_der_public_key(base64.b64decode(public)).key_size == 2048  # type: ignore[union-attr]
    assert (max(map(len, strings(key.record))), "".join(strings(key.record))) == (255, key.record)
    assert made_key(Algorithm.ED25519, "e1").record.startswith("v=DKIM1; k=ed25519; p=")
