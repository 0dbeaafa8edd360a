import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st

from campaign_cli.audience import addresses
from campaign_cli.audience.addresses import SPECIAL_ENDINGS, parse_address, parse_mailbox
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.envelope import Envelope

ATOM = st.text("abzAZ019!#$%&'*+/=?^_`{|}~-", min_size=1, max_size=12)
LOCAL = st.lists(ATOM, min_size=1, max_size=3).map(".".join)
LABEL = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,8}[a-zA-Z0-9])?", fullmatch=True)
TOP = st.sampled_from(["com", "ORG", "example", "museum", "co.uk", "xn--p1ai", "test", "de"])
GOOD = st.builds("{}@{}.{}".format, LOCAL, st.lists(LABEL, min_size=1, max_size=3).map(".".join), TOP)

NEAR_LOCAL = LOCAL | st.text('ab.-_+"() \\@,', max_size=6) | st.integers(60, 68).map("l".__mul__)
NEAR_LABEL = (
    LABEL
    | st.text("aB0-_.", max_size=6)
    | st.integers(60, 66).map("d".__mul__)
    | st.sampled_from(["", "-", "a-", "-a", "a--b", "ab--c", "xn--bcher-kva", "xn--zzzzzz", "XN--A"])
)
NEAR_TOP = st.sampled_from(
    [
        *(
            "c",
            "1",
            "12",
            "1a",
            "a1",
            "123",
            "com.",
            "c-",
            "a--b",
            "ab--c",
            "xn--0",
            "",
            "home.arpa",
            "x" * 63,
            "x" * 64,
        ),
        *SPECIAL_ENDINGS,
        *(ending.title() for ending in SPECIAL_ENDINGS),
        *("example", "com"),
    ]
)
NEAR = st.builds("{}@{}.{}".format, NEAR_LOCAL, st.lists(NEAR_LABEL, min_size=1, max_size=5).map(".".join), NEAR_TOP)
ANY = GOOD | NEAR | st.text(st.characters(max_codepoint=127), max_size=20) | NEAR_TOP.map("a@{}".format)

LETTERS = st.text("abzéüöñßøžя", min_size=1, max_size=8)
INTERNATIONAL = st.builds("{}@{}.example".format, LETTERS, st.sampled_from(["bücher", "пример", "例え", "abc"]))


def judged(text: str) -> Address | None:
    try:
        verdict = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return Address(verdict.local_part, verdict.ascii_domain.lower()) if "." in verdict.ascii_domain else None


def parsed(text: str) -> Address | None:
    try:
        return parse_address(text)
    except ValueError:
        return None


@settings(max_examples=1500, deadline=None)
@given(ANY)
@example("l" * 64 + "@" + ".".join(["d" * 62] * 3) + ".com")
@example("l" * 60 + "@" + ".".join(["d" * 62] * 3) + ".com")
@example("l" * 61 + "@" + ".".join(["d" * 62] * 3) + ".com")
@example("l" * 65 + "@b.org")
@example("a@" + "d" * 63 + ".org")
@example("a@" + "d" * 64 + ".org")
def test_the_fast_path_and_the_judge_say_the_same_of_every_ascii_text(text: str) -> None:
    assert parsed(text) == judged(text.strip())


@given(GOOD)
def test_a_usual_address_does_not_wait_for_the_judge_and_only_its_domain_changes_case(text: str) -> None:
    local, _, domain = text.rpartition("@")
    found = addresses._PLAIN_LOCAL.fullmatch(local) and addresses._PLAIN_DOMAIN.fullmatch(domain)
    if found and not domain.lower().endswith(SPECIAL_ENDINGS):
        assert parse_address(text) == Address(local, domain.lower())


@pytest.mark.parametrize("letter", ["\u212a", "\u017f", "\u0130", "\u0131"])
def test_letters_that_only_look_ascii_to_a_regex_are_the_judges(letter: str) -> None:
    for text in (f"a{letter}@b.org", f"a@b{letter}c.org"):
        address = parsed(text)
        assert (address, True) == (judged(text), address is None or address.domain.isascii())


@given(GOOD | INTERNATIONAL, st.data())
def test_any_case_and_white_space_around_leave_the_key_the_same(text: str, draw: st.DataObject) -> None:
    address = parsed(text)
    if address is None:
        return
    upper = draw.draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    other = "".join(c.upper() if up else c.lower() for c, up in zip(text, upper, strict=True))
    before, after = draw.draw(st.tuples(*[st.text(" \t\r\n\u00a0", max_size=3)] * 2))
    assert parse_address(before + other + after).key == address.key


@given(*[st.builds("{}@{}.org".format, st.text("aAbB.+", min_size=1, max_size=3), st.sampled_from("aAbB"))] * 2)
def test_two_addresses_have_one_key_only_if_they_differ_in_nothing_but_case(one: str, other: str) -> None:
    first, second = parsed(one), parsed(other)
    if first and second:
        assert (first.key == second.key) == (one.casefold() == other.casefold())


@pytest.mark.parametrize(
    "text", ["info@bücher.example", "info@BÜCHER.example", "info@bu\u0308cher.example", "info@XN--BCHER-KVA.example"]
)
def test_every_spelling_of_an_international_domain_is_one_address(text: str) -> None:
    assert parse_address(text) == Address("info", "xn--bcher-kva.example")


def test_a_local_part_beyond_ascii_stays_and_needs_smtputf8() -> None:
    address = parse_address("jörg@bücher.example")
    assert (address.email, Envelope(ADA, address).needs_smtputf8) == ("jörg@xn--bcher-kva.example", True)


@given(GOOD, st.sampled_from(["\r", "\n", "\r\n", "\0", "\r\nBcc: eve@x.org", "\u2028", "\x85"]), st.data())
def test_a_line_break_or_nul_inside_an_address_is_refused(text: str, mark: str, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(1, len(text) - 1))
    with pytest.raises(ValueError, match=r"^[^\r\n\0]+$"):
        parse_address(text[:at] + mark + text[at:])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (" ", "there is no address"),
        ("ann", "the email address must|an email address must have an @-sign"),
        ("ann@test", "its domain has no dot in it"),
        ("ann@printer.local", "special-use"),
    ],
)
def test_a_refusal_says_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_address(text)


ADA = Address("ada", "example.org")


@pytest.mark.parametrize(
    ("text", "mailbox"),
    [
        ("ada@example.org", Mailbox("", ADA)),
        ("<ada@example.org>", Mailbox("", ADA)),
        (" Ada Lovelace  < ada@Example.org > ", Mailbox("Ada Lovelace", ADA)),
        ("Ada<ada@example.org>", Mailbox("Ada", ADA)),
        ('"Lovelace, Ada" <ada@example.org>', Mailbox("Lovelace, Ada", ADA)),
        (r'"Ada \"the \\ first\"" <ada@example.org>', Mailbox(r'Ada "the \ first"', ADA)),
        ('"" <ada@example.org>', Mailbox("", ADA)),
        ("Zoë 李 <ada@example.org>", Mailbox("Zoë 李", ADA)),
    ],
)
def test_a_mailbox_is_an_address_with_or_without_a_name(text: str, mailbox: Mailbox) -> None:
    assert parse_mailbox(text) == mailbox


@pytest.mark.parametrize(
    "text",
    [
        *("", "Ada", "Ada <ada>", "<>", "Ada <ada@example.org> x", 'Ada "x <ada@example.org>', "a@b.org, c@d.org"),
        *("Ada\r\nBcc: eve@x.org <ada@example.org>", '"A\nB" <ada@example.org>', "A\0 <ada@example.org>"),
    ],
)
def test_what_is_not_one_mailbox_on_one_line_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\r\n\0]+$"):
        parse_mailbox(text)
