import re
import tomllib
from collections import Counter
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from campaign_cli.audience.addresses import parse_address
from campaign_cli.config.load import load_settings
from campaign_cli.config.providers import CONNECTIONS, MESSAGES, shipped_providers
from campaign_cli.model.errors import ConfigError, UsageError
from campaign_cli.model.relay import Tls
from campaign_cli.policy.limits import parse_pace
from campaign_cli.policy.providers import Provider, Providers

SHIPPED = shipped_providers()


def providers(folder: Path, text: str = "", **options: Any) -> Providers:
    file = folder / "campaign.yaml"
    file.write_text(text)
    return load_settings(file, options).providers


def changed(*changes: Provider) -> Providers:
    """The shipped providers with these in place of, or beside, their own."""
    return Providers.of((SHIPPED | {provider.name: provider for provider in changes}).values())


def test_nothing_given_is_what_is_shipped(tmp_path: Path) -> None:
    assert providers(tmp_path) == changed()


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("rate: {yahoo: 500/h, default: none}", {}),
        ("rate:\n  yahoo: 500/h\n  default: none\n", {}),
        ("rate: [yahoo=500/h, default=none]", {}),
        ("rate: [' Yahoo = 500/h', DEFAULT=None]", {}),
        ("", {"rate": ("yahoo=500/h", "default=none")}),
        ("rate: {yahoo: 1/h, default: none}", {"rate": ("yahoo=500/h",)}),
        ("rate: yahoo=500/h", {"rate": ("default=none",)}),
        ("", {"rate": ("yahoo=1/h", "yahoo=500/h", "default=none")}),
        ("providers: {yahoo: {rate: 500/h}, default: {rate: none}}", {}),
        ("providers: {yahoo: {rate: 7/h}, default: {rate: none}}\nrate: {yahoo: 500/h}", {}),
    ],
)
def test_a_rate_is_given_in_either_spelling_and_the_nearest_to_the_command_line_counts(
    tmp_path: Path, text: str, options: dict[str, Any]
) -> None:
    found = providers(tmp_path, text, **options)
    assert found == changed(
        replace(SHIPPED["yahoo"], pace=parse_pace("500/h")), replace(SHIPPED["default"], pace=parse_pace("none"))
    )


def test_a_single_domain_may_have_a_rate_and_is_else_as_default(tmp_path: Path) -> None:
    found = providers(tmp_path, "rate: {club.example.org: 20/min}")
    assert found.get(found.provider_of("club.example.org")) == replace(
        SHIPPED["default"], name="club.example.org", pace=parse_pace("20/min")
    )


def test_a_table_changes_what_it_names_and_adds_its_domains(tmp_path: Path) -> None:
    text = """
providers:
  yahoo: {connections: 2, messages_per_connection: 10, domains: [Yahoo.Example, ' y.example ']}
  office: {domains: [example.com, example.net], rate: none}
  club.example.org: {connections: 1}
"""
    yahoo, default = SHIPPED["yahoo"], SHIPPED["default"]
    found = providers(tmp_path, text)
    assert found == changed(
        replace(
            yahoo, connections=2, messages_per_connection=10, domains=(*yahoo.domains, "yahoo.example", "y.example")
        ),
        replace(default, name="office", domains=("example.com", "example.net"), pace=parse_pace("none")),
        replace(default, name="club.example.org", connections=1),
    )
    assert [found.provider_of(d) for d in ("y.example", "yahoo.com", "example.net", "x.example")] == [
        "yahoo",
        "yahoo",
        "office",
        "x.example",
    ]


def test_how_a_providers_hosts_are_spoken_to_is_said_in_one_word(tmp_path: Path) -> None:
    found = providers(tmp_path, "providers: {gmail: {tls: verified}, default: {tls: required}, a.example: {tls: off}}")
    names = ("gmail", "x.example", "mx:mx.x.example", "a.example", "yahoo")
    assert [found.get(name).tls for name in names] == [
        Tls.VERIFIED,
        Tls.REQUIRED,
        Tls.REQUIRED,
        Tls.OFF,
        Tls.OPPORTUNISTIC,
    ]


def test_connections_of_all_go_over_those_of_each(tmp_path: Path) -> None:
    found = providers(tmp_path, "connections: 4\nproviders: {yahoo: {connections: 2}}")
    assert found == changed(*(replace(provider, connections=4) for provider in SHIPPED.values()))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("yaho", "did you mean 'yahoo'?"),
        ("gmial", "did you mean 'gmail'?"),
        ("offic", "did you mean 'office'?"),
        ("zzz", "`campaign providers` lists them; a new one needs its domains"),
    ],
)
def test_an_unknown_provider_is_told_with_the_nearest_known(tmp_path: Path, name: str, hint: str) -> None:
    text = f"providers: {{office: {{domains: [example.com]}}}}\nrate: {{{name}: 5/h}}\n"
    with pytest.raises(ConfigError) as error:
        providers(tmp_path, text)
    assert str(error.value) == f"{tmp_path}/campaign.yaml:2: no provider is named {name!r}; {hint}"
    with pytest.raises(UsageError) as usage:
        providers(tmp_path, text.partition("\n")[0], rate=(f"{name}=5/h",))
    assert str(usage.value) == f"--rate: no provider is named {name!r}; {hint}"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("yahoo: 500/h", "yahoo must be keys and values, such as {rate: 500/h, connections: 3}"),
        ("yahoo: {domains: yahoo.example}", "domains must be a list: [example.org, example.net]"),
        ("yahoo: {domains: [1]}", "domains must be a list: [example.org, example.net]"),
        ("yahoo: {connections: 0}", "connections must be a number from 1 to 1000"),
        ("yahoo: {connections: true}", "connections must be a number from 1 to 1000"),
        ("yahoo: {messages_per_connection: 1.5}", "messages_per_connection must be a number from 1 to 1000000"),
        ("yahoo: {tls: on}", "tls must be off, opportunistic, required or verified, not True"),
        ("yahoo: {tls: [verified]}", "tls must be off, opportunistic, required or verified, not a list"),
        ("yahoo: {tls: implicit}", "tls must be off, opportunistic, required or verified, not 'implicit'"),
        ("yahoo: {rate: 0/h}", "'0/h' allows nothing: a limit is at least 1 in a period, as in 1/min"),
        (
            "yahoo: {rates: 1/h}",
            "'rates' is no setting of a provider: there are rate, warmup, connections, ",
        ),
    ],
)
def test_a_wrong_table_is_told_with_its_line(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        providers(tmp_path, f"providers:\n  {table}\n")
    (found,) = error.value.findings
    assert found.startswith(f"{tmp_path}/campaign.yaml:2: {said}")


# ---- the shipped file ----

TABLES: dict[str, dict[str, Any]] = tomllib.loads(
    resources.files("campaign_cli").joinpath("providers.toml").read_text("utf-8")
)
DOMAINS = [domain for provider in SHIPPED.values() for domain in provider.domains]


def test_every_shipped_domain_is_as_an_address_spells_it_and_belongs_to_one_provider() -> None:
    assert [domain for domain, count in Counter(DOMAINS).items() if count > 1] == []
    assert [domain for domain in DOMAINS if parse_address(f"a@{domain}").domain != domain] == []
    assert [domain for domain in DOMAINS if not re.fullmatch(r"([a-z0-9-]+\.)+[a-z][a-z0-9-]*[a-z0-9]", domain)] == []


def test_every_shipped_domain_is_found_by_its_address() -> None:
    known = Providers.of(SHIPPED.values())
    assert {domain: known.provider_of(domain) for domain in DOMAINS} == {
        domain: name for name, table in TABLES.items() for domain in table["domains"]
    }


def test_every_shipped_provider_has_sound_figures_and_no_key_that_nothing_means() -> None:
    allowed = {"domains", "mx_suffixes", "rate", "connections", "messages_per_connection"}
    wrong = [
        name
        for name, table in TABLES.items()
        if set(table) != allowed
        or SHIPPED[name].pace != parse_pace(table["rate"])
        or not SHIPPED[name].pace.windows
        or table["connections"] not in CONNECTIONS
        or table["messages_per_connection"] not in MESSAGES
        or bool(table["domains"] or table["mx_suffixes"]) == (name == "default")
        or not re.fullmatch(r"[a-z0-9-]+", name)
    ]
    assert wrong == []


def test_yahoo_is_sent_a_thousand_an_hour_and_hosts_what_it_is_known_for() -> None:
    yahoo = SHIPPED["yahoo"]
    assert yahoo.pace == parse_pace("1000/h")
    assert {"yahoo.com", "ymail.com", "rocketmail.com", "aol.com", "yahoo.co.uk"} <= set(yahoo.domains)
