"""A template's variants: read, told where they are wrong, and filled in."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from campaign_cli.content.composer import Composer
from campaign_cli.content.template import load_template
from campaign_cli.content.variants import SplitComposer, composer_for, only
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.errors import TemplateError, UsageError

ADA = Mailbox("Ada", Address("ada", "club.example"))
HEAD = """variants:
  plain: "Hello {{ name }}"
  lively:
    subject: "{{ name }}, guess what ({{ variant }})"
    weight: 2.5
"""
BODY = (
    "{% if variant == 'lively' %}Guess!{% else %}News.{% endif %} <a href='https://club.example/'>{{ variant }}</a>\n"
)


def written(folder: Path, head: str = HEAD, body: str = BODY, name: str = "page.html") -> Path:
    path = folder / name
    path.write_text(f"---\n{head}---\n{body}")
    return path


def composer(path: Path, campaign: str = "spring", **said: object) -> Composer:
    return composer_for(load_template(path, **said), ADA, campaign=campaign)


def message(made: Composer, number: int) -> EmailMessage:
    address = Address(f"p{number}", "x.example")
    content = made.compose(address, {"name": "Bo"}, message_id="<1@x>", date=0.0).content
    return message_from_bytes(content, policy=policy.default)


def test_each_recipient_gets_the_subject_the_body_and_the_links_of_their_variant(tmp_path: Path) -> None:
    made = composer(written(tmp_path), utm=(("content", "v-{{ variant }}"),))
    seen = set()
    for number in range(20):
        got = message(made, number)
        variant = made.of(Address(f"p{number}", "x.example")).variant
        subject, word = {"plain": ("Hello Bo", "News."), "lively": ("Bo, guess what (lively)", "Guess!")}[variant]
        assert got["Subject"] == subject
        html = got.get_body(("html",)).get_content()
        assert f"{word} <a href='https://club.example/?utm_content=v-{variant}'>{variant}</a>" in html
        seen.add(variant)
    assert seen == {"plain", "lively"}


def test_an_address_in_another_spelling_gets_the_same_one(tmp_path: Path) -> None:
    made = composer(written(tmp_path))
    for number in range(50):
        assert made.of(Address(f"p{number}", "x.example")) is made.of(Address(f"P{number}", "x.example"))


def test_a_template_without_variants_has_a_composer_as_it_always_was(tmp_path: Path) -> None:
    path = written(tmp_path, "subject: Hello\n", "Hello\n")
    made = composer(path)
    assert type(made) is Composer
    assert (made.split, made.variant, made.of(ADA.address)) == (None, "", made)
    assert made.digest == Composer(load_template(path), ADA).digest
    with pytest.raises(UsageError, match="--variant 'a': the template has no variants"):
        only(made, "a")


def test_the_digest_is_that_of_who_gets_what(tmp_path: Path) -> None:
    told = {
        key: composer(written(tmp_path, head), campaign).digest
        for key, head, campaign in [
            ("as it is", "variants: {a: One, b: Two}\n", "spring"),
            ("another campaign", "variants: {a: One, b: Two}\n", "summer"),
            ("another weight", "variants: {a: {subject: One, weight: 2}, b: Two}\n", "spring"),
            ("another subject", "variants: {a: One, b: Three}\n", "spring"),
            ("swapped", "variants: {b: One, a: Two}\n", "spring"),
            ("one less", "variants: {a: One}\n", "spring"),
        ]
    }
    assert len(set(told.values())) == len(told)
    reordered = composer(written(tmp_path, "variants: {b: Two, a: {subject: One, weight: 1.0}}\n"))
    assert reordered.digest == told["as it is"]


def test_in_a_folder_they_stand_in_the_headers_and_share_its_subject(tmp_path: Path) -> None:
    (tmp_path / "subject.txt").write_text("Hello\n")
    (tmp_path / "headers.yaml").write_text("variants:\n  plain:\n  other: {subject: Guess}\n")
    (tmp_path / "body.txt").write_text("{{ variant }}\n")
    made = composer(tmp_path)
    subjects = {name: message(only(made, name), 1)["Subject"] for name in ("plain", "other")}
    assert subjects == {"plain": "Hello", "other": "Guess"}
    assert isinstance(made, SplitComposer)
    assert made.split.weights == (("plain", 1.0), ("other", 1.0))


def test_a_subject_that_is_given_is_that_of_all_and_a_person_is_told(tmp_path: Path) -> None:
    template = load_template(written(tmp_path), subject="Mine")
    assert template.notes == ("variants: all of them have the subject that was given: Mine",)
    made = composer_for(template, ADA, campaign="spring")
    assert {message(only(made, name), 1)["Subject"] for name in template.variants} == {"Mine"}


def test_a_test_message_of_a_variant_is_marked(tmp_path: Path) -> None:
    assert message(only(composer(written(tmp_path)), "lively").for_trial(), 1)["Subject"].startswith("[Test] Bo, guess")


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("variants: [Hello, You]\n", "2: variants must be names with what they stand for, such as a: Hello"),
        ("variants:\n", "2: variants must be names with what they stand for"),
        ("variants: {}\n", "2: variants: there is none: give each its name and subject"),
        ("variants:\n  a: One\n  a: Two\n", "4: variants: 'a' stands here a second time, first on line 3"),
        ("variants: {a: One}\nvariants: {b: One}\n", "3: 'variants' stands here a second time, first on line 2"),
        ("variants:\n  a b: One\n", "3: variants: 'a b' cannot be a name: use letters, digits, _ . and -"),
        ("variants:\n  a: One\n  b:\n    weight: 2\n", "4: variants: b has no subject: give it one, or"),
        ("variants:\n  a: One\n  b:\n    subject: Two\n    wait: 2\n", "6: variants: b: 'wait' is not understood"),
        ("variants:\n  a:\n    subject: [One]\n", "4: a: subject must be one text"),
        ("variants:\n  a: [One]\n", "3: a must be one text, or keys and texts"),
        *[
            (f"variants: {{a: {{subject: One, weight: {wrong}}}}}\n", f"2: variants: a: '{wrong}' cannot be a weight")
            for wrong in ("0", "-1", "much", "nan", "inf", "1e7")
        ],
        ("variants:\n  a: '{{ name'\n", "3: "),
        ("variant: {a: One}\n", "2: variant must be one text"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_file_and_line(tmp_path: Path, head: str, said: str) -> None:
    path = written(tmp_path, head)
    with pytest.raises(TemplateError) as raised:
        load_template(path).check(None)
    assert str(raised.value).startswith(f"{path}:{said}")


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "variants:\n  a: {weight: 0}\n  b: {weight: x, colour: red}\n")
    with pytest.raises(TemplateError) as raised:
        load_template(path)
    assert str(raised.value).count("\n") == 4


def test_every_variants_columns_are_checked_and_the_list_may_have_none_of_that_name(tmp_path: Path) -> None:
    template = load_template(written(tmp_path, "variants: {a: One, b: 'Two {{ nmae }}'}\n"))
    with pytest.raises(TemplateError, match=r"page.html:2: 'nmae' is not a column of the list .did you mean 'name'"):
        template.check(["name"])
    with pytest.raises(TemplateError, match=r"page.html:3: variants: the list has a column 'variant', too: rename it"):
        load_template(written(tmp_path)).check(["name", "variant"])
    load_template(written(tmp_path)).check(["name"])


def test_links_ask_for_the_variant_only_where_there_is_one(tmp_path: Path) -> None:
    path = written(tmp_path, "subject: One\n")
    with pytest.raises(TemplateError, match=r"utm: content: it asks for the variant, and .*page.html has no variants"):
        load_template(path, utm=(("content", "{{ variant }}"),))
