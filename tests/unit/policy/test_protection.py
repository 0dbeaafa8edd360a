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
        *((least, (), (), Protection(least)) for least in (OFF, MAY, MUST, VERIFIED)),
        # Who wants none wants nobody else's.
        (OFF, ("b.test",), (USABLE,), Protection(OFF)),
        *((least, ("a.test",), (), STS) for least in (MAY, MUST, VERIFIED)),
        (MAY, ("b.test",), (), None),
        *((least, sts, (USELESS, USABLE), DANE) for least in (MAY, MUST, VERIFIED) for sts in ((), ("b.test",))),
        (MAY, (), (USELESS,), Protection(MUST, "dane")),
        (MUST, (), (USELESS,), Protection(MUST, "dane")),
        (VERIFIED, (), (USELESS,), Protection(VERIFIED)),
        (MAY, ("a.test",), (USELESS,), STS),
    ],
)
def test_the_most_that_anybody_wants_is_what_there_has_to_be(
    least: Tls, sts: tuple[str, ...], tlsa: tuple[Tlsa, ...], wanted: Protection | None
) -> None:
    assert protection(least, "a.test", sts=sts, tlsa=tlsa) == wanted
