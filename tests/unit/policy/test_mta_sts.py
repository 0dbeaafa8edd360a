"""The examples are those of RFC 8461."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.policy.mta_sts import LONGEST_AGE, Mode, StsPolicy, parse_policy, permits, record_id

POLICY = """version: STSv1
mode: enforce
mx: mail.example.com
mx: *.example.net
mx: backupmx.example.com
max_age: 604800
"""


def test_the_rfcs_own_policy_is_understood() -> None:
    expected = StsPolicy(Mode.ENFORCE, ("mail.example.com", "*.example.net", "backupmx.example.com"), 604800)
    assert parse_policy(POLICY) == parse_policy(POLICY.replace("\n", "\r\n")) == expected


LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
HOST = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
PATTERN = st.builds(str.__add__, st.sampled_from(["", "*."]), HOST)
EXTENSION = st.from_regex(r"x[A-Za-z0-9_.-]{0,31}:[ \t]*[!-~\u00a1-\ud7ff]([ !-~\u00a1-\ud7ff]*[!-~])?", fullmatch=True)
SPACE = st.sampled_from(["", " ", "\t", "  "])


@given(
    mode=st.sampled_from(Mode),
    mx=st.lists(PATTERN, min_size=1),
    max_age=st.integers(0, 10**10 - 1),
    extensions=st.lists(EXTENSION),
    space=SPACE,
    end=st.sampled_from(["\n", "\r\n"]),
    chance=st.randoms(),
)
def test_whatever_the_grammar_allows_is_understood_in_any_order(
    mode, mx, max_age, extensions, space, end, chance
) -> None:
    fields = [("version", "STSv1"), ("mode", mode.value), ("max_age", str(max_age))]
    lines = [f"{name}:{space}{value}{space}" for name, value in fields] + extensions
    chance.shuffle(lines)
    lines += [f"mx:{space}{pattern}" for pattern in mx]
    found = parse_policy(end.join(lines) + chance.choice(["", end]))
    assert found == StsPolicy(mode, tuple(mx), min(max_age, LONGEST_AGE))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("version: STSv1", "version: STSv2", "its version is not STSv1"),
        ("version: STSv1\n", "", "its version is not STSv1"),
        ("enforce", "Enforce", "its mode is not enforce, testing or none"),
        ("604800", "a week", "its max_age is no number"),
        ("604800", "-1", "its max_age is no number"),
        ("604800", "1" * 11, "its max_age is no number"),
        ("*.example.net", "*.*.example.net", r"mx: '\*\.\*\.example\.net' is no host"),
        ("*.example.net", "mx*.example.net", "is no host"),
        ("*.example.net", "example.net.", "is no host"),
        ("*.example.net", "a b", "is no host"),
        ("mode", "<html>\nmode", "'<html>' is no field"),
        ("mx: ", "x: ", "it names no mx"),
    ],
)
def test_what_is_wrong_is_said(before: str, after: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_policy(POLICY.replace(before, after))


def test_of_a_field_that_stands_there_twice_the_first_counts_and_none_needs_no_mx() -> None:
    assert parse_policy(f"mode: none\n{POLICY}").mode is Mode.NONE
    assert parse_policy("version: STSv1\nmode: none\nmax_age: 1\n") == StsPolicy(Mode.NONE, (), 1)


@pytest.mark.parametrize(
    ("records", "id_"),
    [
        (["v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        (["v=STSv1;id=1"], "1"),
        (["v=STSv1 ; x=y; id=a ; "], "a"),
        (["v=spf1 -all", "v=STSv1; id=1"], "1"),
        ([], None),
        (["v=STSv1; id=1", "v=STSv1; id=2"], None),
        (["v=STSv1"], None),
        (["v=STSv1; x=y"], None),
        (["v=STSv1; id=a-b"], None),
        (["v=STSv1; id=1; what"], None),
        ([f"v=STSv1; id={'1' * 33}"], None),
        (["v=STSv1x; id=1", "v=STSv1; id=2"], "2"),
        (["v=STSv1; id=1;;"], None),
        (["V=STSv1; id=1"], None),
        ([" v=STSv1; id=1"], None),
    ],
)
def test_a_record_says_by_its_id_that_there_is_a_policy(records: list[str], id_: str | None) -> None:
    assert record_id(records) == id_


@pytest.mark.parametrize(
    ("host", "permitted"),
    [
        ("mail.example.com", True),
        ("mx.example.net", True),
        ("example.net", False),
        ("a.mx.example.net", False),
        ("mail.example.com.evil.test", False),
        ("example.com", False),
        ("net", False),
    ],
)
def test_a_star_stands_for_one_label(host: str, permitted: bool) -> None:
    assert permits(parse_policy(POLICY).mx, host) is permitted
