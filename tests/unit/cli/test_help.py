import subprocess
import sys

import pytest

from campaign_cli import __version__
from campaign_cli.cli.main import COMMANDS, run


@pytest.mark.parametrize(
    "arguments", [[], ["send"], ["report"], ["status"], ["resolve"], ["providers"], ["suppress"], ["suppress", "add"]]
)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_is_no_error(arguments: list[str], option: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run([*arguments, option])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: {' '.join(['campaign', *arguments])} ")


def test_help_lists_every_command_and_version_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    listed = [
        line.split()[0] for line in capsys.readouterr().out.partition("Commands:\n")[2].split("\n\n")[0].splitlines()
    ]
    assert listed == list(COMMANDS)
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"campaign, version {__version__}\n"


HEAVY = ("jinja2", "aiosmtplib", "aiosmtpd", "apsw", "rich", "lxml", "yaml", "email_validator", "platformdirs")


@pytest.mark.parametrize("arguments", [["--help"], ["send", "--help"], ["suppress", "add", "--help"], ["send"]])
def test_nothing_heavy_is_imported_to_show_help(arguments: list[str]) -> None:
    program = f"""
import sys
from campaign_cli.cli.main import run
code = run({arguments!r})
print(code, sorted({{name.partition(".")[0] for name in sys.modules}} & set({HEAVY!r})), file=sys.stderr)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stderr.splitlines()[-1] == f"{64 if arguments == ['send'] else 0} []"
