from pathlib import Path

import pytest

from campaign_cli.config.load import load_settings
from campaign_cli.model.errors import ConfigError, UsageError


def test_one_blocklist_needs_no_list_and_spamd_has_a_port_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "campaign.yaml").write_text("dnsbl: bl.example.net\nspamassassin: filter.example.net\n")
    settings = load_settings(tmp_path / "campaign.yaml", {"rspamd": "https://filter.example.net"})
    assert (settings.dnsbl, settings.spamassassin) == (("bl.example.net",), ("filter.example.net", 783))
    assert settings.rspamd == "https://filter.example.net"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dnsbl:\n- bl.example.net\n- b l", "3: dnsbl: 'b l' is not a domain"),
        ("rspamd: 127.0.0.1:11333", "1: rspamd: '127.0.0.1:11333' is no rspamd: write its URL"),
        ("rspamd: http://127.0.0.1:x", "1: rspamd: 'http://127.0.0.1:x' is no rspamd"),
        ("rspamd: http://127.0.0.1/checkv2", "1: rspamd: 'http://127.0.0.1/checkv2' is no rspamd"),
        ("spamassassin: 'a b'", "1: spamassassin: 'a b' is no spamd: write HOST or HOST:PORT"),
        ("spamassassin: a:99999", "1: spamassassin: 'a:99999' is no spamd"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "campaign.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_settings(file, {})
    assert str(raised.value).startswith(f"{file}:{said}")


def test_of_an_option_it_is_told_as_one() -> None:
    with pytest.raises(UsageError, match="--spamassassin: ':783' is no spamd: write HOST or HOST:PORT"):
        load_settings(None, {"spamassassin": ":783"})
