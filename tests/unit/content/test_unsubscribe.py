import re
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.content.composer import Composer
from campaign_cli.content.template import load_template
from campaign_cli.content.unsubscribe import PLACEHOLDER, Unsubscribe
from campaign_cli.model.address import Address, Mailbox

DOCS = Path(__file__).parents[3] / "docs" / "dkim.md"
KEY = b"0123456789abcdef" * 4
ANN = Address("Ann+x", "x.example")
URL, MAILTO = "https://y.example/u/{{ token }}?b=1", "mailto:u@y.example?subject={{ token }}"


def documented(folder: Path) -> Callable[[str], tuple[str, str] | None]:
    """The function by which docs/dkim.md reads a token, with our key."""
    (recipe,) = re.findall(r"^```python\n(.*?)^```", DOCS.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (folder / "unsubscribe.key").write_bytes(KEY + b"\n")
    names: dict[str, Callable[[str], tuple[str, str] | None]] = {}
    exec(re.sub(r'Path\(".*?"\)', f'Path("{folder}/unsubscribe.key")', recipe), names)
    return names["read"]


def test_the_documented_recipe_reads_every_token_and_no_other(tmp_path: Path) -> None:
    read = documented(tmp_path)

    @given(st.from_regex(r"\w[\w. +@=,-]{0,30}", fullmatch=True), st.text(st.characters(exclude_categories=["Cs"])))
    def every(campaign: str, local: str) -> None:
        address = Address(local, "x.example")
        token = Unsubscribe(campaign, URL, None, KEY).token(address)
        assert re.fullmatch(r"[A-Za-z0-9_.-]+", token)
        assert read(token) == (campaign, address.key)

    every()
    token = Unsubscribe("spring", URL, None, KEY).token(ANN)
    said, _, mac = token.partition(".")
    other = Unsubscribe("spring", URL, None, KEY).token(Address("bob", "x.example"))
    forged = [Unsubscribe("spring", URL, None, b"x" * 64).token(ANN), f"{other.partition('.')[0]}.{mac}"]
    for wrong in (*forged, said, f"{said}.", f".{mac}", "", "é", f"{token}x", token[:-1], "a.b.c", PLACEHOLDER):
        assert read(wrong) is None


def test_one_person_has_one_token_in_a_campaign_and_another_in_the_next() -> None:
    spring, autumn = (Unsubscribe(name, URL, None, KEY) for name in ("spring", "autumn"))
    assert spring.token(ANN) == spring.token(Address("ANN+X", "x.example"))
    assert len({spring.token(ANN), autumn.token(ANN), spring.token(Address("bob", "x.example"))}) == 3
    assert Unsubscribe("spring", URL, None, None).token(ANN) == PLACEHOLDER


@pytest.mark.parametrize(
    ("url", "mailto", "expected"),
    [
        (URL, MAILTO, "<https://y.example/u/TOKEN?b=1>, <mailto:u@y.example?subject=TOKEN>"),
        (URL, None, "<https://y.example/u/TOKEN?b=1>"),
        (None, "mailto:u@y.example", "<mailto:u@y.example>"),
    ],
)
@pytest.mark.parametrize("file", ["mail.txt", "mail.html", "mail.md"])
def test_header_and_template_have_the_same_link(
    tmp_path: Path, url: str | None, mailto: str | None, expected: str, file: str
) -> None:
    path = tmp_path / file
    path.write_text("---\nsubject: Hi\n---\n{{ unsubscribe_url | default('none') }} for {{ name }}\n")
    links = Unsubscribe("spring", url, mailto, KEY)
    made = Composer(load_template(path), Mailbox("", Address("news", "y.example")), unsubscribe=links)
    content = made.compose(ANN, {"name": "Ann"}, message_id="<1@y.example>", date=0).content
    message = message_from_bytes(content, policy=policy.default)
    token = links.token(ANN)
    assert str(message["List-Unsubscribe"]) == expected.replace("TOKEN", token)
    assert message["List-Unsubscribe-Post"] == ("List-Unsubscribe=One-Click" if url else None)
    # No fold inside of the brackets (RFC 2369 2).
    assert all(line.count(b"<") == line.count(b">") for line in content.partition(b"\r\n\r\n")[0].split(b"\r\n"))
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert (f"https://y.example/u/{token}?b=1" if url else "none") in text
