"""The documentation and the code never disagree."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from campaign_cli.cli.main import campaign, run
from campaign_cli.config.load import KEYS, load_settings
from campaign_cli.config.providers import shipped_providers
from campaign_cli.config.rules import shipped
from campaign_cli.config.settings import Settings
from campaign_cli.model.errors import EXIT_MEANINGS
from campaign_cli.model.lifecycle import RowStatus, State
from campaign_cli.model.outcome import Action
from campaign_cli.model.result import Result
from campaign_cli.policy.breaker import ILL_AMONG, ILL_OF, REFUSALS_IN_A_ROW
from campaign_cli.policy.outcomes import CLASSES
from campaign_cli.policy.providers import DEFAULT, Providers
from campaign_cli.policy.rules import RULES

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]

ON_EVERY_COMMAND = ("--help",)
"""Options that stand in no table, because every command has them."""

NOT_IN_THE_FILE = ("config", "to", "like", "variant")
"""Options of `campaign send` that cannot be keys of the file: where the file is, and that this is a test."""

Table = list[tuple[str, ...]]


def sections(page: str) -> dict[str, str]:
    """A page's text under each heading of the second level, "" being what goes before them."""
    head, *others = re.split(r"^## ", (DOCS / page).read_text("utf-8"), flags=re.MULTILINE)
    return {"": head} | {title: text for title, _, text in (other.partition("\n") for other in others)}


def tables(text: str) -> Iterator[Table]:
    """The body of each table in `text`, without heading and ruler."""
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        yield [tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]) for line in block.splitlines()[2:]]


def table(page: str, section: str) -> Table:
    (found,) = tables(sections(page)[section])
    return found


def names(cell: str) -> list[str]:
    """What stands in back quotes."""
    return re.findall(r"`([^`]+)`", cell)


def top() -> click.Context:
    """The context of `campaign` itself. Commands keep the help option of the first they see, so it is the usual one."""
    return click.Context(campaign, info_name="campaign", **campaign.context_settings)


def commands(command: click.Command, context: click.Context) -> Iterator[tuple[str, Table]]:
    """Each command that does something, as docs/commands.md heads it, and what --help says of its options."""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, click.Context(below, info_name=name, parent=context))
        return
    arguments = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
    records = [
        option.get_help_record(context) for option in command.get_params(context) if isinstance(option, click.Option)
    ]
    yield (
        f"`{' '.join([context.command_path, *arguments])}`",
        [
            (f"`{record[0]}`", re.sub(r"\s+", " ", record[1]))
            for record in records
            if record and record[0].split(", ")[-1] not in ON_EVERY_COMMAND
        ],
    )


def test_every_command_and_option_stands_in_the_docs_with_its_help_and_nothing_else_does() -> None:
    documented = {
        heading: next(tables(text)) for heading, text in sections("commands.md").items() if heading.startswith("`")
    }
    there = dict(commands(campaign, top()))
    assert documented == there
    assert list(documented) == list(there)


def test_every_rule_of_check_stands_in_the_docs_and_nothing_else_does() -> None:
    there = [(f"`{id_}`", each.severity, each.meaning, each.advice, each.source) for id_, each in RULES.items()]
    assert table("check.md", "Rules") == there


def test_the_exit_codes_are_the_same_in_the_docs_and_in_help(capsys: pytest.CaptureFixture[str]) -> None:
    meanings = [(str(code.value), meaning) for code, meaning in EXIT_MEANINGS.items()]
    assert table("commands.md", "Exit codes") == meanings
    for arguments in (["--help"], ["send", "--help"]):
        assert run(arguments) == 0
        shown = capsys.readouterr().out.partition("Exit codes:\n")[2]
        assert [tuple(line.split(maxsplit=1)) for line in shown.splitlines()] == meanings


def test_the_readme_names_no_exit_code_that_there_is_not() -> None:
    (paragraph,) = re.findall(r"\*\*7\. Exit codes\.\*\*.*?\n\n", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert set(re.findall(r"(\d+)(?=:| to)", paragraph)) | {"78"} <= {str(code.value) for code in EXIT_MEANINGS}


def test_every_key_of_the_file_stands_in_the_docs_and_nothing_else_does() -> None:
    documented = [names(row[0]) for row in table("configuration.md", "")]
    assert sorted(documented) == sorted([key] for key in KEYS)


def test_every_option_of_send_is_a_key_of_the_file() -> None:
    send = campaign.get_command(top(), "send")
    assert send is not None
    options = {option.name for option in send.params if isinstance(option, click.Option)}
    assert options - set(KEYS) == set(NOT_IN_THE_FILE)


def test_what_a_missing_key_means_is_what_the_docs_say(tmp_path: Path) -> None:
    missing = {names(row[0])[0]: row[2].strip("`") for row in table("configuration.md", "")}
    (retry,) = [names(row[1])[0] for row in table("configuration.md", "") if row[0] == "`retry`"]
    flags = [key for key, value in Settings.__dataclass_fields__.items() if value.default is False]
    file = tmp_path / "campaign.yaml"
    file.write_text(
        f"retry: {retry}\n" + "".join(f"{key}: {missing[key]}\n" for key in ("patience", "max_connections", *flags))
    )
    assert load_settings(file, {}) == Settings(providers=Providers.of(shipped_providers().values()))
    assert sorted(flags) == sorted(key for key, value in missing.items() if value == "false")


def test_the_examples_of_the_configuration_can_be_read(tmp_path: Path) -> None:
    named = ("configuration", "providers", "shaping", "replies", "dkim", "direct")
    pages = [ROOT / "README.md", *[DOCS / f"{name}.md" for name in named]]
    examples = [
        text for page in pages for text in re.findall(r"^```yaml\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    ]
    relays = re.findall(r"^relay: .*$|^relays:\n(?: .*\n)+", (DOCS / "sending.md").read_text("utf-8"), re.MULTILINE)
    file = tmp_path / "campaign.yaml"
    for text in [*examples, *relays]:
        file.write_text(text)
        assert load_settings(file, {}) != Settings(providers=Providers.of(shipped_providers().values()))
    assert (len(examples), len(relays)) == (13, 7)


def domains_shown(domains: tuple[str, ...], name: str) -> str:
    shown = ", ".join(f"`{domain}`" for domain in domains[:3])
    if not domains:
        return "every other domain" if name == DEFAULT else "by MX hosts alone"
    return shown + (f" and {len(domains) - 3} more" * (len(domains) > 3))


def test_the_shipped_providers_are_those_of_the_docs() -> None:
    assert table("providers.md", "As shipped") == [
        (
            f"`{name}`",
            each.pace.text,
            str(each.connections),
            str(each.messages_per_connection),
            domains_shown(each.domains, name),
        )
        for name, each in shipped_providers().items()
    ]


def test_the_classes_of_replies_are_those_of_the_docs() -> None:
    assert table("replies.md", "Classes") == [
        (
            f"`{name}`",
            each.words,
            f"`{each.outcome}`",
            "yes" if each.action is Action.SUPPRESS else "",
            f"`{each.radius}`",
            str(each.action),
        )
        for name, each in CLASSES.items()
    ]


def test_the_shipped_rules_for_shaping_are_those_of_the_docs() -> None:
    def follows(rule: dict[str, str]) -> str:
        parts = [f"nothing for {rule['suspend']}"] if "suspend" in rule else []
        parts += [f"{rule['connections']} connection for {rule['for']}"] if "connections" in rule else []
        return ", ".join(parts)

    assert next(tables(sections("shaping.md")["Rules"])) == [
        (f"`{each['id']}`", each.get("provider", "every"), each.get("after", "at once"), follows(each))
        for each in shipped("shaping.toml")
    ]


def test_the_numbers_of_the_breakers_are_those_of_the_docs() -> None:
    text = sections("replies.md")["What follows"]
    assert f"calls {ILL_OF} of its last {ILL_AMONG} recipients unknown" in text
    assert ("The third such refusal" in text, REFUSALS_IN_A_ROW) == (True, 3)


def test_the_example_of_explain_is_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    command, _, output = sections("replies.md")[""].partition("$ campaign ")[2].partition("\n")
    assert run(shlex.split(command)) == 0
    assert capsys.readouterr().out == output.partition("```")[0]


def test_the_reports_columns_and_statuses_are_those_of_the_docs() -> None:
    rows = table("sending.md", "The report")
    assert [name for row in rows for name in names(row[0])] == list(Result._fields)
    (status,) = [names(row[1]) for row in rows if row[0] == "`status`"]
    assert sorted(status) == sorted({*State, *RowStatus} - {State.SUBMITTING})


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if "://" not in link and (not target.is_file() or (anchor and anchor not in anchors(target))):
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert [page.name for page in PAGES[1:] if f"({page.relative_to(ROOT)})" not in readme] == []
