from pathlib import Path

import pytest

from campaign_cli.config.load import load_settings
from campaign_cli.config.settings import Settings
from campaign_cli.model.direct import Direct
from campaign_cli.model.errors import ConfigError

MX = """
mx:
  ehlo_name: out.example.org
  source_address: [192.0.2.7, "2001:db8::7"]
  addresses: 3
  allow_private: true
  port: 2525
  mta_sts: off
"""


def load(folder: Path, text: str, **options: str) -> Settings:
    (folder / "campaign.yaml").write_text(text, "utf-8")
    return load_settings(folder / "campaign.yaml", options)


def test_mail_goes_to_relays_unless_delivery_says_that_it_goes_straight(tmp_path: Path) -> None:
    both = f"relay: smtps://ada@mail.example.org\n{MX}"
    assert load(tmp_path, both).direct is None
    settings = load(tmp_path, both, delivery="mx")
    assert settings.direct == Direct(2525, 3, ("192.0.2.7", "2001:db8::7"), "out.example.org", True, False)
    # So nobody is asked for a relay's password.
    assert settings.relays == ()
    assert load(tmp_path, "delivery: mx\n").direct == Direct()


def test_what_is_wrong_is_told_with_its_line(tmp_path: Path) -> None:
    text = """delivery: mail
mx:
  addresses: 0
  allow_private: 1
  source_address: [192.0.2.7, 192.0.2.8]
  tls: on
"""
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    assert [line.replace(f"{tmp_path}/campaign.yaml:", "") for line in str(error.value).splitlines()] == [
        "1: delivery: must be relay or mx, not 'mail'",
        "3: mx: addresses: must be a number from 1 to 100, not 0",
        "4: mx: allow_private: must be true or false",
        "5: mx: source_address: at most one IPv4 and one IPv6 address can be used",
        "6: mx: 'tls' is not understood: there are ehlo_name, source_address, addresses, allow_private, mta_sts, port",
    ]
