from pathlib import Path
from typing import Any

import pytest

from campaign_cli.config.given import Given
from campaign_cli.config.values import EntriesError
from campaign_cli.config.warmup import warmup_plan
from campaign_cli.policy.budgets import Warmup


def given(**entries: Any) -> Given:
    return Given({key: Given(value, "campaign.yaml:3", Path()) for key, value in entries.items()}, "c:2", Path())


def test_a_warm_up_is_read_as_it_is_written() -> None:
    assert warmup_plan(given(start="50/d", growth=1.5, until="20000 / d")) == Warmup(50, 1.5, 20000)
    assert warmup_plan(given(start=50, growth=2, until=200)) == Warmup(50, 2.0, 200)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"start": "50/d", "growth": 1.5}, "has no until"),
        ({"start": 50, "growth": 1.5, "until": 50}, "starts with as many as it ends with"),
        ({"start": "50/h", "growth": 1.5, "until": 99}, "start must be so many a day"),
        ({"start": 0, "growth": 1.5, "until": 99}, "start must be so many a day"),
        ({"start": 5, "growth": 1, "until": 99}, "growth must be a number from 1.01 to 10"),
        ({"start": 5, "growth": True, "until": 99}, "growth must be a number from 1.01 to 10"),
        ({"begin": 5, "growth": 2, "until": 99}, "'begin' is not understood"),
    ],
)
def test_what_is_wrong_with_it_is_told(entries: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError) as raised:  # noqa: PT011 (what it says may stand in its findings)
        warmup_plan(given(**entries))
    findings = raised.value.findings if isinstance(raised.value, EntriesError) else [("", str(raised.value))]
    assert any(what.startswith(said) for _, what in findings)
