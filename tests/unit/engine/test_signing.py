from datetime import datetime
from email import message_from_bytes
from pathlib import Path

import pytest

from campaign_cli.config.providers import shipped_providers
from campaign_cli.config.settings import DkimFile, Settings, UnsubscribeLinks
from campaign_cli.content.keys import Algorithm
from campaign_cli.content.unsubscribe import PLACEHOLDER
from campaign_cli.engine.preparation import Prepared, prepare
from campaign_cli.model.address import Address
from campaign_cli.model.errors import CampaignError
from campaign_cli.model.relay import parse_relay
from campaign_cli.policy.providers import Providers
from tests.signatures import made_key, verdicts

PROVIDERS = Providers.of(shipped_providers().values())
LINKS = UnsubscribeLinks("https://y.example/{{ token }}", place="campaign.yaml:3")


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CAMPAIGN_STATE", "kept")
    Path("list.csv").write_text("email,name\nann@example.org,Ann\n")


def key_file(domain: str, selector: str, algorithm: Algorithm = Algorithm.ED25519, bits: int = 2048) -> DkimFile:
    path = Path(f"{selector}.pem")
    path.write_bytes(made_key(algorithm, selector, domain, bits).pem)
    path.chmod(0o600)
    return DkimFile(domain, selector, path, "campaign.yaml:2")


def prepared(front: str = "", body: str = "Hello {{ name }}", **settings: object) -> Prepared:
    Path("hello.txt").write_text(f"---\nsubject: Hi\nfrom: Ada <ada@news.y.example>\n{front}---\n{body}\n")
    given = {"template": Path("hello.txt"), "relays": (parse_relay("smtp://mail.example.org"),), "name": "spring"}
    return prepare(Settings(PROVIDERS, **given | settings), "list.csv", now=datetime(2026, 3, 9))  # type: ignore[arg-type]


def refused(**settings: object) -> str:
    with pytest.raises(CampaignError) as error:
        prepared(**settings)  # type: ignore[arg-type]
    return str(error.value)


def content(found: Prepared) -> bytes:
    return found.composer.compose(Address("ann", "x.example"), {"name": "Ann"}, message_id="<1@x>", date=0.0).content


def test_the_keys_of_the_senders_domain_sign_and_no_others() -> None:
    files = (
        key_file("y.example", "r1", Algorithm.RSA),
        key_file("y.example", "e1"),
        key_file("z.example", "other"),
    )
    found = prepared(dkim=files)
    assert found.warnings == ()
    keys = [made_key(Algorithm.RSA, "r1"), made_key(Algorithm.ED25519, "e1")]
    assert verdicts(content(found), {key.name: key.record for key in keys}) == [True, True]


def test_everything_that_is_wrong_with_keys_is_told_before_anything_else_happens() -> None:
    good, open_to_all = key_file("z.example", "good"), key_file("y.example", "open")
    open_to_all.key.chmod(0o644)
    assert refused(dkim=(good, open_to_all, DkimFile("y.example", "s", Path("none.pem"), "campaign.yaml:4"))) == (
        f"campaign.yaml:2: dkim: open.pem: others can read it: chmod 600 {open_to_all.key.resolve()}\n"
        "campaign.yaml:4: dkim: none.pem: cannot be read: No such file or directory"
    )
    assert refused(dkim=(good,), unsubscribe=LINKS) == (
        "campaign.yaml:2: dkim: there is a key for z.example, and none for news.y.example, where From is: add one for "
        "news.y.example, or take dkim out"
    )
    assert not Path("kept").exists()


def test_a_key_that_is_weak_or_that_few_can_read_is_told_and_used() -> None:
    found = prepared(dkim=(key_file("y.example", "weak", Algorithm.RSA, 1024),))
    assert found.warnings == ("campaign.yaml:2: dkim: weak.pem has 1024 bits: make one of 2048 (RFC 8301 3.2)",)
    assert content(found).startswith(b"DKIM-Signature:")
    (warning,) = prepared(dkim=(key_file("y.example", "e1"),)).warnings
    assert warning.startswith("dkim: y.example has an Ed25519 key only")


def test_the_first_run_makes_the_key_for_tokens_and_all_others_use_it() -> None:
    first = content(prepared(body="{{ unsubscribe_url }}", unsubscribe=LINKS))
    made = Path("kept/unsubscribe.key")
    assert (made.stat().st_mode & 0o777, made.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [path.name for path in made.parent.iterdir()] == ["unsubscribe.key"]
    assert content(prepared(body="{{ unsubscribe_url }}", unsubscribe=LINKS)) == first
    assert content(prepared(body="{{ unsubscribe_url }}", unsubscribe=LINKS, dry_run=True)) == first
    Path("mine.key").write_text("k" * 32)
    Path("mine.key").chmod(0o600)
    mine = UnsubscribeLinks(LINKS.url, key=Path("mine.key"))
    assert content(prepared(body="{{ unsubscribe_url }}", unsubscribe=mine)) != first


def test_a_dry_run_makes_no_key_and_says_so() -> None:
    found = prepared(unsubscribe=LINKS, dry_run=True)
    assert message_from_bytes(content(found))["List-Unsubscribe"] == f"<https://y.example/{PLACEHOLDER}>"
    assert not Path("kept").exists()
    assert found.warnings[-1] == (
        "unsubscribe: the first run makes the key for the tokens; the links shown here have none yet"
    )


def test_one_click_without_dkim_is_told() -> None:
    told = (
        "campaign.yaml:3: unsubscribe: one click counts only where a DKIM signature covers it (RFC 8058 4): "
        "add dkim, or see to it that the relay signs List-Unsubscribe and List-Unsubscribe-Post"
    )
    assert prepared(unsubscribe=LINKS).warnings == (told,)
    keys = (key_file("y.example", "r1", Algorithm.RSA),)
    assert prepared(unsubscribe=LINKS, dkim=keys).warnings == ()
    assert prepared(unsubscribe=UnsubscribeLinks(mailto="mailto:u@y.example")).warnings == ()


@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_token_key_that_others_can_read_or_that_is_short_is_refused(mode: int) -> None:
    prepared(unsubscribe=LINKS)
    key = Path("kept/unsubscribe.key")
    key.chmod(mode)
    assert refused(unsubscribe=LINKS) == f"kept/unsubscribe.key: others can read it: chmod 600 {key.resolve()}"
    key.chmod(0o600)
    key.write_text("short\n")
    assert refused(unsubscribe=LINKS) == (
        "kept/unsubscribe.key: has fewer than 32 characters: write openssl rand -hex 32 into it"
    )


def test_a_header_is_made_once() -> None:
    told = "campaign.yaml:3: unsubscribe makes list-unsubscribe, which hello.txt or list_unsubscribe has as well"
    assert refused(front="List-Unsubscribe: <https://x>\n", unsubscribe=LINKS).startswith(told)
    assert refused(list_unsubscribe="https://x", unsubscribe=LINKS).startswith(told)


def test_headers_of_the_configuration_go_before_the_templates_and_none_can_be_forged() -> None:
    front = "X-Note: from the template\nX-Other: stays\n"
    found = message_from_bytes(content(prepared(front, headers=(("X-NOTE", "for {{ name }}"),))))
    assert (found.get_all("X-Note"), found.get_all("X-Other")) == (["for Ann"], ["stays"])
    made = prepared(headers=(("X-Note", "{{ note | default('') }}"),)).composer
    with pytest.raises(CampaignError, match="the X-Note header would have a line break in it"):
        made.compose(Address("a", "x.example"), {"name": "Ann", "note": "x\r\nBcc: y"}, message_id="<1@x>", date=0.0)
    assert refused(headers=(("Bcc", "x@x.example"),)) == "headers: Bcc: Bcc is made for each message; take it out"
    assert "DKIM-Signature is made for each message" in refused(headers=(("DKIM-Signature", "v=1"),))
    assert "is not a key" in refused(headers=(("X-A: b\r\nBcc", "x"),))


def test_the_digest_tells_keys_and_links_apart_and_stays_without_them() -> None:
    plain = prepared().composer.digest
    signed = {"dkim": (key_file("y.example", "e1"),)}
    found = [
        plain,
        prepared(headers=(("X-Note", "x"),)).composer.digest,
        prepared(unsubscribe=LINKS).composer.digest,
        prepared(unsubscribe=LINKS, name="autumn").composer.digest,
        prepared(**signed).composer.digest,  # type: ignore[arg-type]
        prepared(dkim=(DkimFile("news.y.example", "e1", Path("e1.pem")),)).composer.digest,
        prepared(dkim=(key_file("y.example", "e2"),)).composer.digest,
    ]
    assert len(set(found)) == len(found)
    assert prepared(**signed).composer.digest == found[4]  # type: ignore[arg-type]
    # As a release without keys and links recorded it: nobody is asked about a change that there is not.
    assert prepared().composer.digest == plain
