from pathlib import Path

import pytest

from campaign_cli.config.load import load_settings
from campaign_cli.config.settings import Password, Settings
from campaign_cli.model.errors import ConfigError
from campaign_cli.model.relay import Relay, Tls

EVERYTHING = """
relays:
  - smtps://ada@mail.example.org
  - url: smtp://[::1]:25?chunking=off
    name: second site
    priority: 1
    weight: 3
    connections: 4
    source_address: 127.0.0.1
    ehlo_name: out.example.org
    client_cert: us.pem
    client_key: us.key
    providers: [gmail, example.net]
    from_domains: [EXAMPLE.org, bücher.example]
  - {url: smtp://bob@h, auth: xoauth2, password_command: token --for bob}
  - {url: smtp://cy@h, name: cy, providers: gmail, password_file: cy.txt}
"""


def load(folder: Path, text: str) -> Settings:
    (folder / "campaign.yaml").write_text(text, "utf-8")
    return load_settings(folder / "campaign.yaml", {})


def findings(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load(folder, text)
    return [line.replace(f"{folder}/campaign.yaml:", "") for line in str(error.value).splitlines()]


def test_a_relay_is_a_url_or_keys_that_say_more_and_its_place_is_its_priority_unless_it_says(tmp_path: Path) -> None:
    settings = load(tmp_path, EVERYTHING)
    assert settings.relays == (
        Relay("mail.example.org", 465, Tls.IMPLICIT, "ada"),
        Relay(
            "::1",
            25,
            Tls.OPPORTUNISTIC,
            chunking=False,
            title="second site",
            priority=1,
            weight=3,
            connections=4,
            source_address="127.0.0.1",
            ehlo_name="out.example.org",
            client_cert=tmp_path / "us.pem",
            client_key=tmp_path / "us.key",
            providers=frozenset(["gmail", "example.net"]),
            from_domains=frozenset(["example.org", "xn--bcher-kva.example"]),
        ),
        Relay("h", 587, Tls.VERIFIED, "bob", priority=3, xoauth2=True),
        Relay("h", 587, Tls.VERIFIED, "cy", title="cy", priority=4, providers=frozenset(["gmail"])),
    )
    assert settings.passwords == {
        "h:587": Password(command="token --for bob"),
        "cy": Password(file=tmp_path / "cy.txt"),
    }


def test_everything_that_is_wrong_with_relays_is_told_at_once_each_with_its_line(tmp_path: Path) -> None:
    text = """relays:
  - {name: no url}
  - url: smtp://ann:secret@h
  - {url: smtp://h, prioritty: 1}
  - url: smtp://h
    weight: 0
    source_address: here
    ehlo_name: a b
  - {url: smtp://h, auth: xoauth2}
  - 5
  - {url: smtp://h, client_key: us.key}
  - {url: "smtp://h?tls=off", client_cert: us.pem}
  - {url: smtp://h, auth: cram, from_domains: [a b], name: "a\\tb", providers: {a: b}}
"""
    said = findings(tmp_path, text)
    assert [line.partition(",")[0].partition(";")[0] for line in said] == [
        "2: relays: has no url: such as url: smtps://ada@mail.example.org",
        "3: relays: url: the relay's URL has a password in it",
        "4: relays: 'prioritty' is no setting of a relay",
        "6: relays: weight: must be a number from 1 to 1000",
        "7: relays: source_address: 'here' is not an IP address of this machine",
        "8: relays: ehlo_name: 'a b' is not a host name: write mail.example.org (RFC 5321 4.1.1.1)",
        "9: relays: auth: xoauth2 needs a user in the url: smtps://ada@mail.example.org",
        "10: relays: must be a relay's URL",
        "11: relays: client_key: there is no client_cert that it is the key of",
        "12: relays: client_cert: is shown by TLS alone: take ?tls=off out of the url",
        "13: relays: auth: must be password or xoauth2",
        "13: relays: 'a b' is not a domain: the part after the @-sign contains invalid characters: SPACE",
        "13: relays: name: 'a\\tb': use letters",
        "13: relays: must be a text",
    ]
    assert "secret" not in " ".join(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("relays: smtp://h", "1: relays: must be a list of relays, each with its url"),
        ("relays: [smtp://h, 'smtp://a@h']", "1: relays: two relays are called h:587: give them a name each"),
        ("relay: smtp://h\nrelays: [smtp://i]", "2: relays: there is relay: as well; write all of them here"),
        (
            "relays: [{url: smtp://h, providers: [gmial, a.example]}]",
            "1: relay h:587: no provider is named 'gmial'; did you mean 'gmail'?",
        ),
        (
            "relays: [{url: smtp://h, providers: [xyz]}]",
            "1: relay h:587: no provider is named 'xyz'; `campaign providers` lists them",
        ),
        (
            "relays: [{url: smtp://h, prioritty: 2}]",
            "1: relays: 'prioritty' is no setting of a relay; did you mean 'priority'?",
        ),
    ],
)
def test_what_is_wrong_with_all_of_them_is_told(tmp_path: Path, text: str, said: str) -> None:
    (found,) = findings(tmp_path, text)
    assert found.startswith(said)


def test_a_relay_for_default_serves_every_provider_without_a_name(tmp_path: Path) -> None:
    (relay,) = load(tmp_path, "relays: [{url: smtp://h, providers: [yahoo, default]}]").relays
    served = {name: relay.serves(name) for name in ("yahoo", "gmail", "acme.example", "mx:mx.acme.example")}
    assert served == {"yahoo": True, "gmail": False, "acme.example": True, "mx:mx.acme.example": True}
