import pytest

from campaign_cli.model.relay import Relay, Tls, parse_relay


@pytest.mark.parametrize(
    ("text", "relay"),
    [
        ("smtps://ann@mail.example.org", Relay("mail.example.org", 465, Tls.IMPLICIT, "ann")),
        ("smtp://mail.example.org", Relay("mail.example.org", 587, Tls.VERIFIED)),
        ("smtp://a%40b.example@mail.example.org:2525", Relay("mail.example.org", 2525, Tls.VERIFIED, "a@b.example")),
        ("smtp://localhost:1025", Relay("localhost", 1025, Tls.OPPORTUNISTIC)),
        ("smtp://127.0.0.1:25?tls=off", Relay("127.0.0.1", 25, Tls.OFF)),
        ("smtp://[::1]:25?tls=required", Relay("::1", 25, Tls.VERIFIED)),
        ("smtp://[::1]:25?tls=verified", Relay("::1", 25, Tls.VERIFIED)),
        ("smtp://mail.example.org?chunking=off", Relay("mail.example.org", 587, Tls.VERIFIED, chunking=False)),
        ("smtps://ann@mail.example.org?chunking=on", Relay("mail.example.org", 465, Tls.IMPLICIT, "ann")),
        ("smtp://h:25?tls=off&chunking=off", Relay("h", 25, Tls.OFF, chunking=False)),
        ("smtp://mail.example.org?tls=opportunistic", Relay("mail.example.org", 587, Tls.OPPORTUNISTIC)),
    ],
)
def test_a_url_says_where_and_how_protected(text: str, relay: Relay) -> None:
    assert parse_relay(text) == relay


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("mail.example.org", "write it as smtps://"),
        ("http://mail.example.org", "write smtps:// or smtp://"),
        ("smtp://mail.example.org:99999", "port"),
        ("smtp://", "write it as smtps://"),
        ("smtp://host/path", "write it as smtps://"),
        ("smtps://host?tls=off", "always TLS"),
        ("smtp://host?tls=maybe", "write verified, required, opportunistic or off"),
        ("smtp://host?chunking=maybe", r"\?chunking=maybe is not known: write on or off"),
        ("smtp://host?chunking=", "write on or off"),
        ("smtp://host?tsl=off", r"\?tsl=, which is not known: only \?tls= and \?chunking= are"),
    ],
)
def test_what_is_no_relay_is_refused_with_what_to_write(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_relay(text)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="CAMPAIGN_SMTP_PASSWORD") as refusal:
        parse_relay("smtp://ann:hunter2@mail.example.org")
    assert "hunter2" not in str(refusal.value)
