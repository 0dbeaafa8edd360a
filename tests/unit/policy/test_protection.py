import pytest

from campaign_cli.model.dns import Tlsa
from campaign_cli.model.relay import Tls
from campaign_cli.policy.protection import Protection, protection

USABLE, USELESS = Tlsa(3, 1, 1, b"x" * 32), Tlsa(1, 1, 1, b"x" * 32)
OFF, MAY, MUST, VERIFIED = Tls.OFF, Tls.OPPORTUNISTIC, Tls.REQUIRED, Tls.VERIFIED
DANE, STS = Protection(VERIFIED, "dane", (USABLE,)), Protection(VERIFIED, "mta-sts")


@pytest.mark.parametrize(
    ("least", "sts", "tlsa", "wanted"),
    [
        *((least, None, (), Protection(least)) for least in (OFF, MAY, MUST, VERIFIED)),
        # Who wants none wants nobody else's.
        (OFF, False, (USABLE,), Protection(OFF)),
        *((least, True, (), STS) for least in (MAY, MUST, VERIFIED)),
        (MAY, False, (), None),
        *((least, sts, (USELESS, USABLE), DANE) for least in (MAY, MUST, VERIFIED) for sts in (None, False)),
        (MAY, None, (USELESS,), Protection(MUST, "dane")),
        (MUST, None, (USELESS,), Protection(MUST, "dane")),
        (VERIFIED, None, (USELESS,), Protection(VERIFIED)),
        (MAY, True, (USELESS,), STS),
    ],
)
def test_the_most_that_anybody_wants_is_what_there_has_to_be(
    least: Tls, sts: bool | None, tlsa: tuple[Tlsa, ...], wanted: Protection | None
) -> None:
    assert protection(least, sts=sts, tlsa=tlsa) == wanted
