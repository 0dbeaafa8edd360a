from pathlib import Path

import pytest

from campaign_cli.config.load import load_settings
from campaign_cli.config.settings import DkimFile
from campaign_cli.model.errors import ConfigError


def findings(folder: Path, text: str) -> list[str]:
    """What is said about a campaign.yaml with this text, its path as FILE."""
    file = folder / "campaign.yaml"
    file.write_text(text)
    try:
        load_settings(file, {})
    except ConfigError as error:
        return [finding.replace(str(file), "FILE") for finding in error.findings]
    return []


KEYS_AND_VALUES = "must be keys and values, such as {domain: example.org, selector: s1, key: dkim.pem}"
LINKS = "such as {url: 'https://example.org/u/{{ token }}', mailto: unsubscribe@example.org}"
NOTHING_ELSE = (
    "must be ASCII without spaces, < and >, of at most 300 characters, and there is nothing to fill in but {{ token }}"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dkim: key.pem", ["FILE:1: dkim: " + KEYS_AND_VALUES]),
        (
            "dkim: {domain: example.org, key: k}",
            ["FILE:1: dkim: has no selector: write it as keys and values, such as {"],
        ),
        (
            "dkim:\n- {domain: example.org, selector: s, key: k, file: x}\n- {domain: -, selector: s, key: k}\n- 7",
            [
                "FILE:2: dkim: 'file' is not understood: there are domain, selector, key",
                "FILE:3: dkim: '-' is not a domain: ",
                "FILE:4: dkim: " + KEYS_AND_VALUES,
            ],
        ),
        *[
            (
                f"dkim: {{domain: example.org, key: k, selector: '{selector}'}}",
                [
                    f"FILE:1: dkim: {selector!r} cannot be a selector, for it is a name in DNS: "
                    "use letters, digits and hyphens"
                ],
            )
            for selector in ("a b", "s;x=1", "é", "-s", "s.", "a..b", "s" * 64)
        ],
        ("unsubscribe: https://x", [f"FILE:1: unsubscribe: must be keys and values, {LINKS}"]),
        ("unsubscribe: {}", [f"FILE:1: unsubscribe: has neither url nor mailto: write it as keys and values, {LINKS}"]),
        ("unsubscribe: {link: x}", ["FILE:1: unsubscribe: 'link' is not understood: there are url, mailto, key"]),
        *[
            (
                f"unsubscribe:\n  url: '{url}'",
                ["FILE:2: unsubscribe: url: one click needs a link that begins with https:// (RFC 8058 3.1)"],
            )
            for url in ("http://x.example/{{ token }}", "https:///{{ token }}", "x{{ token }}", "https://{{ token }}/")
        ],
        *[
            (
                f"unsubscribe:\n  url: 'https://x.example/{path}'",
                ["FILE:2: unsubscribe: url: must have {{ token }} in it, once: it says who unsubscribes"],
            )
            for path in ("", "{{ email }}", "{{ token }}{{ token }}", "{ token }")
        ],
        *[
            (
                f"unsubscribe:\n  url: 'https://x.example/{path}{{{{ token }}}}'",
                [f"FILE:2: unsubscribe: url: {NOTHING_ELSE}"],
            )
            for path in ("a b", "<x>", "é", "{{ email }}", "{% x %}", "x" * 300)
        ],
        ('unsubscribe:\n  mailto: "u@x.example?subject=a\\nBcc: b"', ["FILE:2: unsubscribe: must be one line"]),
        ("unsubscribe:\n  mailto: nobody", ["FILE:2: unsubscribe: mailto: 'nobody' is not an address: "]),
        ("unsubscribe:\n  mailto: u@x.example?subject=a b", [f"FILE:2: unsubscribe: mailto: {NOTHING_ELSE}"]),
        (
            "utm: {source: x, nmae: y}",
            ["FILE:1: utm: 'nmae' is not understood: there are source, medium, campaign, term, content"],
        ),
        ("utm:\n  source: '{{ name }}'", ["FILE:2: utm: '{{ name }}': nothing is filled in but {{ variant }}"]),
        (
            "headers: x",
            ["FILE:1: headers: must be keys and values, such as {Feedback-ID: 'spring:club:news:gardenclub'}"],
        ),
        (
            'headers:\n  X-Note: "a\\nBcc: b"\n  X-Other: []',
            ["FILE:2: headers: must be one line", "FILE:3: headers: must be a text"],
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, said: list[str]) -> None:
    found = findings(tmp_path, text)
    assert len(found) == len(said)
    assert [each.startswith(start) for each, start in zip(found, said, strict=True)] == [True] * len(said), found


def test_one_key_needs_no_list_and_knows_where_it_was_given(tmp_path: Path) -> None:
    file = tmp_path / "campaign.yaml"
    file.write_text("\ndkim: {domain: Example.ORG, selector: A.b, key: ../k.pem}\n")
    (found,) = load_settings(file, {}).dkim
    assert found == DkimFile("example.org", "a.b", tmp_path / "../k.pem")
    assert found.place == f"{file}:2"
