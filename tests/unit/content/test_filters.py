"""Dates, numbers and money as a locale writes them; what cannot be read fails its row, with file and line."""

import quopri
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaign_cli.content.filters import url
from campaign_cli.content.pages import Pages
from campaign_cli.content.plaintext import plaintext
from campaign_cli.content.shapes import Filled, filled
from campaign_cli.content.template import Template, load_template
from campaign_cli.content.transfer import encoded
from campaign_cli.model.errors import ComposeError, TemplateError


def template(folder: Path, body: str, name: str = "mail.txt", **given: str) -> Template:
    (folder / name).write_text(f"---\nsubject: s\n---\n{body}", "utf-8")
    return load_template(folder / name, **given)


def shown(folder: Path, expression: str, locale: str | None = None, **fields: str) -> str:
    """What `{{ expression }}` becomes; spaces that no line breaks at are shown as others are."""
    made = template(folder, f"{{{{ {expression} }}}}", **({"locale": locale} if locale else {}))
    made.check(fields)
    text = "".join(filled(*made.render(fields).text))
    return text.replace("\u00a0", " ").replace("\u202f", " ")


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-27", "20261127", "2026-11-27 18:30", "2026-11-27T18:30:00+01:00", "2026-11-27T18:30Z", "2026/11/27"),
        *("27.11.2026", "27. 11. 2026", "27.11.2026 18:30", "27 November 2026", "27 Nov 2026", "27th nov. 2026"),
        *("November 27, 2026", "Nov 27 2026", " 27  November 2026, 18:30:05"),
    ],
)
def test_dates_are_read_as_they_are_commonly_written(tmp_path: Path, text: str) -> None:
    assert shown(tmp_path, "x | date('long')", x=text) == "November 27, 2026"
    if ":" in text:
        assert shown(tmp_path, "x | time", x=text) == "6:30 PM"


@pytest.mark.parametrize(
    ("expression", "locale", "expected"),
    [
        ("'2026-11-27' | date", "de", "27.11.2026"),
        ("'2026-11-27' | date('long')", "de", "27. November 2026"),
        ("'2026-11-27' | date('full')", "pt-BR", "sexta-feira, 27 de novembro de 2026"),
        ("'2026-11-27' | date('EEE d MMM')", "fr", "ven. 27 nov."),
        ("'2026-11-27' | date('long', locale='ja')", "de", "2026年11月27日"),
        ("'05/06/2026' | date('long', given='%d/%m/%Y')", None, "June 5, 2026"),
        ("'2026-11-27 18:30' | datetime('short')", "en-GB", "27/11/2026, 18:30"),
        ("'2026-11-27 18:30' | time", "de", "18:30"),
        ("'1234567.891' | number", None, "1,234,567.891"),
        ("'1234.5' | number(2)", "de", "1.234,50"),
        ("'1234567' | number(0)", "hi", "12,34,567"),
        ("(3 * 4) | number", None, "12"),
        ("'0.256' | percent", None, "26%"),
        ("'0.256' | percent(1)", "de", "25,6 %"),
        ("'1234.5' | money('EUR')", "de", "1.234,50 €"),
        ("'1234.5' | money('usd')", None, "$1,234.50"),
        ("'1234.5' | money('JPY')", "ja", "￥1,234"),
        ("'-3' | money('GBP')", "en-GB", "-£3.00"),
        ("'a b/c?&é' | url", None, "a%20b%2Fc%3F%26%C3%A9"),
    ],
)
def test_they_are_written_as_the_locale_has_it(
    tmp_path: Path, expression: str, locale: str | None, expected: str
) -> None:
    assert shown(tmp_path, expression, locale) == expected


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(
            ("1234.5", "1234.5"),
            ("1,234.5", "1234.5"),
            ("1.234,5", "1234.5"),
            ("1234,5", "1234.5"),
            ("1 234,5", "1234.5"),
        ),
        *(("1,234,567", "1234567"), ("1.234.567", "1234567"), (" -7 ", "-7"), (".5", "0.5"), ("1e3", "1000")),
    ],
)
def test_numbers_are_read_with_either_mark(tmp_path: Path, text: str, number: str) -> None:
    assert shown(tmp_path, "x | number", x=text).replace(",", "") == number


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("'' | date", "'' is not a date: write 2026-11-27"),
        ("'soon' | date", "'soon' is not a date: write 2026-11-27"),
        ("'2026-02-30' | date", "'2026-02-30' is not a date: write 2026-11-27"),
        ("'27 Ju 2026' | date", "'27 Ju 2026' is not a date: write 2026-11-27"),
        (
            "'05/06/2026' | date",
            "'05/06/2026' may be read in two ways: write 2026-11-27, or say how it is written, as given='%d/%m/%Y'",
        ),
        ("'x' | date(given='%d')", "'x' is not a date that is written as '%d'"),
        ("'2026-11-27' | time", "'2026-11-27' has no time of day: write 2026-11-27 18:30"),
        (
            "'2026-11-27' | date('%d')",
            "'%d' is no form of a date: write short, medium, long, full, or a pattern such as 'd MMMM yyyy'",
        ),
        (
            "'2026-11-27' | date('HH:mm')",
            "'HH:mm' is no form of a date: write short, medium, long, full, or a pattern such as 'd MMMM yyyy'",
        ),
        ("'1,234' | number", "'1,234' may be read in two ways: write 1234 or 1.234"),
        ("'many' | number", "'many' is not a number: write 1234.50"),
        ("'nan' | number", "'nan' is not a number: write 1234.50"),
        ("'1e99999' | money('EUR')", "'1e99999' is not a number: write 1234.50"),
        ("1 | number(999999999)", "999999999 decimals cannot be had: 0 to 20"),
        ("1 | money('Euro')", "'Euro' is not a currency: write EUR, USD, GBP (ISO 4217)"),
        ("1 | number(locale='xx')", "'xx' is not a locale that is known: write de, en-GB, pt-BR"),
        ("1 | number(locale='../x')", "'../x' is not a locale that is known: write de, en-GB, pt-BR"),
    ],
)
def test_what_cannot_be_read_fails_its_row_with_file_and_line(tmp_path: Path, expression: str, told: str) -> None:
    made = template(tmp_path, f"\n{{{{ {expression} }}}}")
    made.check([])
    with pytest.raises(ComposeError) as caught:
        made.render({})
    assert str(caught.value) == f"{tmp_path}/mail.txt:5: {told}"


def test_the_contacts_locale_goes_before_the_campaigns_also_in_macros_of_other_files(tmp_path: Path) -> None:
    (tmp_path / "macros.txt").write_text("{% macro due(day) %}{{ day | date('long') }}{% endmacro %}")
    made = template(tmp_path, "{% from 'macros.txt' import due %}{{ due(day) }} {{ day | date('long') }}", locale="de")
    for locale, said in (("fr", "27 novembre 2026"), ("", "27. November 2026"), ("nl-BE", "27 november 2026")):
        fields = {"day": "2026-11-27", "locale": locale}
        assert "".join(filled(*made.render(fields).text)) == f"{said} {said}"
    with pytest.raises(ComposeError, match="'xx' is not a locale"):
        made.render({"day": "2026-11-27", "locale": "xx"})


def test_the_front_matters_locale_is_for_all_its_lines_and_part_of_what_messages_are_made_of(tmp_path: Path) -> None:
    path = tmp_path / "mail.txt"
    path.write_text("---\nlocale: de\nsubject: '{{ day | date(\"long\") }}'\n---\n{{ 1.5 | number }}")
    made = load_template(path)
    rendered = made.render({"day": "2026-11-27"})
    assert (rendered.subject, "".join(filled(*rendered.text))) == ("27. November 2026", "1,5")
    assert load_template(path, locale="en").made_of() != made.made_of()
    path.write_text("---\nlocale: xx\nsubject: s\n---\n")
    with pytest.raises(TemplateError, match=r"mail\.txt:2: locale: 'xx' is not a locale that is known"):
        load_template(path)


def test_an_empty_cell_counts_as_missing_where_there_is_a_default(tmp_path: Path) -> None:
    for empty in ("", " "):
        assert shown(tmp_path, "x | default('you')", x=empty) == "you"
        assert shown(tmp_path, "x | d('you') | upper", x=empty) == "YOU"
    assert shown(tmp_path, "x | default('you')") == "you"
    assert shown(tmp_path, "x | default('you')", x="Bo") == "Bo"
    assert shown(tmp_path, "0 | default('you')") == "0"
    assert shown(tmp_path, "0 | default('you', true)") == "you"


@given(st.text())
def test_a_part_of_a_url_comes_back_as_it_was(text: str) -> None:
    text = text.encode(errors="ignore").decode()
    made = url(text)
    assert (unquote(made), made.isascii()) == (text, True)
    assert not set(made) & set("/?&#=+ ")


def test_amounts_cost_no_layout_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("campaign_cli.content.pages.plaintext", lambda page: asked.append(page) or plaintext(page))
    pages = Pages()
    for number in range(50):
        _, text = pages.page(Filled(("<p>Due: ", 0, "</p>"), [f"{number},00\u00a0€"]))
        assert "".join(filled(*text)) == f"Due: {number},00 €\n"
    assert len(asked) <= 2


def test_amounts_are_encoded_as_other_values_are() -> None:
    encoding, body = encoded(("Due: ", 0, "\nThank you all.\n"), ["7,00\u00a0€"])
    assert (encoding, quopri.decodestring(body)) == (
        "quoted-printable",
        "Due: 7,00\u00a0€\r\nThank you all.\r\n".encode(),
    )
