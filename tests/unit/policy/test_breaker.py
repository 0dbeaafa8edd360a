import pytest

from campaign_cli.policy.breaker import ILL_AMONG, ILL_OF, REFUSALS_IN_A_ROW, RefusalsInARow, SuppressionBreaker


@pytest.mark.parametrize("every", [1, 2])
def test_a_provider_that_calls_half_of_its_last_recipients_unknown_is_not_believed(every: int) -> None:
    breaker = SuppressionBreaker()
    opened = [breaker.unknown(result) for result in range(1, ILL_OF * every + 1, every)]
    assert opened == [False] * (ILL_OF - 1) + [True]
    assert breaker.open
    assert not breaker.unknown(ILL_AMONG * 9)
    assert breaker.open


def test_one_that_calls_fewer_unknown_is_believed_however_long_it_goes_on() -> None:
    breaker = SuppressionBreaker()
    assert not any(breaker.unknown(result) for result in range(1, 10_000, 3))


def test_refusals_are_believed_when_no_delivery_comes_between() -> None:
    refusals = RefusalsInARow()
    assert [refusals.refused(delivered) for delivered in (0, 0, 1, 1, 2)] == [False] * 5
    assert [refusals.refused(2) for _ in range(REFUSALS_IN_A_ROW - 1)] == [False] * (REFUSALS_IN_A_ROW - 2) + [True]
