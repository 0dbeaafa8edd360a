from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.config.providers import shipped_providers
from campaign_cli.policy.domains import is_public
from campaign_cli.policy.providers import Providers

PROVIDERS = Providers.of(shipped_providers().values())
SUFFIXES = [(name, suffix) for name, each in PROVIDERS.by_name.items() for suffix in each.mx_suffixes]
OWN = st.sampled_from(SUFFIXES).map(lambda each: "mx1" + each[1] if each[1][0] == "." else each[1])
HOSTS = st.lists(OWN | st.sampled_from(["mx.club.example", "notgoogle.com", "google.com.evil.example"]), min_size=1)


@given(HOSTS)
def test_a_domain_is_a_providers_only_if_every_mx_host_is(hosts: list[str]) -> None:
    group = PROVIDERS.group_of(hosts)
    if group in PROVIDERS.by_name:
        suffixes = tuple("." + suffix.lstrip(".") for suffix in PROVIDERS.by_name[group].mx_suffixes)
        assert all(f".{host}".endswith(suffixes) for host in hosts)
    else:
        owners = {PROVIDERS.group_of([host]) for host in hosts}
        assert len(owners) > 1 or not owners & set(PROVIDERS.by_name)


@given(HOSTS, HOSTS)
def test_a_group_without_a_provider_is_that_of_the_same_hosts_in_any_order(some: list[str], others: list[str]) -> None:
    one, other = PROVIDERS.group_of(some), PROVIDERS.group_of(others)
    assert one == PROVIDERS.group_of(some[::-1])
    if one.startswith("mx:"):
        assert (one == other) is (set(some) == set(others))


def test_of_two_suffixes_that_fit_the_longer_counts() -> None:
    hosts = ["hotmail-com.olc.protection.outlook.com"], ["club.mail.protection.outlook.com"]
    assert [PROVIDERS.group_of(each) for each in hosts] == ["hotmail", "microsoft365"]


def test_dns_is_asked_about_public_names_only() -> None:
    asked = ["club.org", "a.b.club.org", "testing.org", "myexample.com"]
    others = ["localhost", "x.test", "example.com", "a.example.com", "x.example", "desk.internal", "[192.0.2.1]"]
    assert [name for name in asked + others if is_public(name)] == asked
