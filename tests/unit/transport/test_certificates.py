from pathlib import Path

import pytest
import trustme

from campaign_cli.model.relay import Relay, Tls
from campaign_cli.transport.certificates import unusable


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    issued = trustme.CA().issue_cert("us.test")
    cert, key = tmp_path / "us.pem", tmp_path / "us.key"
    issued.cert_chain_pems[0].write_to_path(str(cert))
    issued.private_key_pem.write_to_path(str(key))
    key.chmod(0o600)
    return cert, key


def said(cert: Path, key: Path | None) -> str:
    return "".join(map(str, unusable([Relay("h", 587, Tls.VERIFIED, client_cert=cert, client_key=key)])))


def test_a_certificate_and_its_key_can_be_used(files: tuple[Path, Path]) -> None:
    assert said(*files) == ""
    assert unusable([Relay("h", 587, Tls.VERIFIED)]) == []


def test_a_key_that_others_can_read_is_refused_wherever_it_stands(files: tuple[Path, Path]) -> None:
    cert, key = files
    key.chmod(0o640)
    assert f"others on this machine can read the private key in {key}: chmod 600" in said(cert, key)
    cert.chmod(0o644)
    assert f"others on this machine can read the private key in {cert}" in said(cert, None)


def test_files_that_are_not_there_or_do_not_fit_are_told(files: tuple[Path, Path], tmp_path: Path) -> None:
    cert, key = files
    assert "cannot be read: No such file or directory" in said(tmp_path / "none", key)
    assert "cannot be read: No such file or directory" in said(cert, tmp_path / "none")
    other = tmp_path / "other.key"
    trustme.CA().issue_cert("us.test").private_key_pem.write_to_path(str(other))
    other.chmod(0o600)
    assert "are no certificate and its key" in said(cert, other)
    other.write_text("-----BEGIN PRIVATE KEY-----")
    assert "are no certificate and its key" in said(cert, other)


def test_a_key_with_a_password_asks_nobody_for_it(files: tuple[Path, Path], tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as forms

    cert, key = files
    private = forms.load_pem_private_key(key.read_bytes(), None)
    form = (forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.BestAvailableEncryption(b"open sesame"))
    key.write_bytes(private.private_bytes(*form))
    assert "are no certificate and its key in PEM, without a password" in said(cert, key)
