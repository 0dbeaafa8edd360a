from pathlib import Path

import pytest

from campaign_cli.config.given import MAX_SIZE, Given, from_command_line, read_yaml
from campaign_cli.model.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "campaign.yaml"


def refusal(file: Path, content: str | bytes) -> str:
    """What is said about `content`, with the file's path as FILE."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as error:
        read_yaml(file, [])
    return str(error.value).replace(str(file), "FILE")


def test_each_value_knows_its_line_nested_ones_too(file: Path) -> None:
    file.write_text(
        "# a comment\nname: spring\n\nrate:\n  yahoo: 500/h\nrelay:\n  - smtp://a\n  - smtp://b\nlimit: 5\n"
    )

    def given(value: object, line: int) -> Given:
        return Given(value, f"{file}:{line}", file.parent)  # type: ignore[arg-type]

    assert read_yaml(file, []) == {
        "name": given("spring", 2),
        "rate": given({"yahoo": given("500/h", 5)}, 4),
        "relay": given([given("smtp://a", 7), given("smtp://b", 8)], 6),
        "limit": given(5, 9),
    }


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x: 5", 5),
        ("x: 2.5", 2.5),
        ("x: true", True),
        ("x: 'true'", "true"),
        ("x:", None),
        ("x: ~", None),
        ("x: 2026-11-25", "2026-11-25"),
        ("x: !!binary aGk=", "aGk="),
        ("x: !!python/object/apply:os.getcwd []", []),
        ("x: !ours thing", "thing"),
        ("x: |\n  two\n  lines\n", "two\nlines\n"),
        ("\ufeffx: 5", 5),
        ("defaults: &d smtp://a\nx: *d", "smtp://a"),
    ],
)
def test_a_value_is_plain_whatever_yaml_could_make_of_it(file: Path, text: str, value: object) -> None:
    file.write_text(text, "utf-8")
    assert read_yaml(file, [])["x"].value == value


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n"])
def test_an_empty_file_gives_nothing(file: Path, text: str) -> None:
    file.write_text(text)
    assert read_yaml(file, []) == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name: x\nrelay: [", "FILE:2: is not YAML: expected the node content, but found '<stream end>'"),
        ("a: b: c\n", "FILE:1: is not YAML: mapping values are not allowed here"),
        ("name: *nobody\n", "FILE:1: is not YAML: found undefined alias 'nobody'"),
        ("name: a\n---\nname: b\n", "FILE:2: is not YAML: but found another document"),
        ("\tname: a\n", "FILE:1: is not YAML: found character '\\t' that cannot start any token"),
        ("name: a\nyes: \x1b[2J\n", "FILE:2: is not YAML: the character U+001B cannot stand in it; take it out"),
        ("name: Ā\n".encode("utf-16"), "FILE:1: is not UTF-8 text; save it as UTF-8"),
        ("name: x\nsubject: Zoë\n".encode("latin-1"), "FILE:2: is not UTF-8 text; save it as UTF-8"),
        ("- name\n", "FILE:1: is not a list of keys and values: write lines such as 'template: hello.html'"),
        ("hello\n", "FILE:1: is not a list of keys and values: write lines such as 'template: hello.html'"),
        (b"#" * (MAX_SIZE + 1), f"FILE: has more than {MAX_SIZE} bytes, so it is not a configuration"),
    ],
)
def test_what_is_no_configuration_is_told_in_one_line_with_its_place(
    file: Path, content: str | bytes, said: str
) -> None:
    assert refusal(file, content) == said


@pytest.mark.parametrize(
    "text",
    [
        "rate: &r [*r]\n",
        "rate: &r {yahoo: *r}\n",
        "rate: [[[[[[1]]]]]]\n",
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi")),  # noqa: B905
    ],
)
def test_nesting_that_would_explode_is_refused(file: Path, text: str) -> None:
    assert refusal(file, text).endswith("is nested too deep")


def test_a_key_that_stands_there_twice_is_told_and_the_first_is_kept(file: Path) -> None:
    file.write_text("name: a\nlimit: 1\nname: b\nrate:\n  yahoo: 1/h\n  yahoo: 2/h\n")
    findings: list[str] = []
    assert read_yaml(file, findings)["name"].value == "a"
    assert [finding.replace(str(file), "FILE") for finding in findings] == [
        "FILE:3: 'name' stands here a second time, first at FILE:1",
        "FILE:6: 'yahoo' stands here a second time, first at FILE:5",
    ]


def test_a_file_that_cannot_be_read_is_told_in_the_systems_words(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.yaml", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError) as error:
            read_yaml(path, [])
        assert error.value.findings == (f"{path}: cannot be read: {reason}; name another with --config",)


def test_of_the_command_line_only_what_was_given_is_kept_under_the_options_name() -> None:
    options = {
        "name": "spring",
        "max_runtime": "2h",
        "limit": 0,
        "dry_run": True,
        "relay": ("smtp://a", "smtp://b"),
        "template": None,
        "quiet": False,
        "rate": (),
    }
    relays = [Given(url, "--relay", Path()) for url in ("smtp://a", "smtp://b")]
    assert from_command_line(options) == {
        "name": Given("spring", "--name", Path()),
        "max_runtime": Given("2h", "--max-runtime", Path()),
        "limit": Given(0, "--limit", Path()),
        "dry_run": Given(True, "--dry-run", Path()),
        "relay": Given(relays, "--relay", Path()),
    }
