"""`campaign`: the group of commands, and what every command's errors end in."""

from __future__ import annotations

import importlib
import io
import os
import sys

import click

from campaign_cli import __version__
from campaign_cli.cli.streams import complain, open_streams
from campaign_cli.engine import signals
from campaign_cli.model.errors import EXIT_MEANINGS, CampaignError, ExitCode
from campaign_cli.model.shortage import MORE, shortage_in
from campaign_cli.model.spelling import did_you_mean

COMMANDS = (
    "new",
    "preview",
    "check",
    "send",
    "report",
    "status",
    "resolve",
    "providers",
    "explain",
    "suppress",
    "dkim",
)

EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code.value:>3}  {meaning}" for code, meaning in EXIT_MEANINGS.items())


class Commands(click.Group):
    """Finds a command in the file of its name, so that only what is asked for is imported."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are needed."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command in `cli/<name>.py`."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"campaign_cli.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named; for none, the nearest is told."""
        if args[0] not in COMMANDS:
            hint = did_you_mean(args[0], COMMANDS)
            ctx.fail(f"No such command {args[0]!r}{f'; {hint}' if hint else '.'}")
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="campaign")
def campaign() -> None:
    """Send a personalised message to every contact on a list, at the pace each mailbox provider tolerates.

    Start with `campaign send list.csv --template hello.html --dry-run`, which shows what would happen and
    touches nothing; then the same with --sandbox, which sends to a server of its own on this machine.
    """


def main() -> None:
    """Run the command line and exit with its code."""
    open_streams()
    signals.end_as_interrupted()
    code = run(sys.argv[1:])
    signals.ignore()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """The command line's exit code; errors are said in one line each, on standard error."""
    try:
        os.getcwd()
    except OSError as error:
        complain(f"campaign: the current folder cannot be used: {error.strerror}; change to another one")
        return ExitCode.USAGE
    try:
        code = campaign.main(arguments, prog_name="campaign", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return ExitCode.USAGE
    except click.ClickException as error:
        error.show(told := io.StringIO())
        for line in told.getvalue().splitlines():
            complain(line)
        return ExitCode.USAGE
    except CampaignError as error:
        for line in str(error).splitlines():
            complain(f"campaign: {line}")
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        # click ends the line on which an interrupt is shown, but not that of a question.
        if isinstance(error, click.Abort) and not error.__cause__:
            complain("")
        complain("campaign: interrupted")
        return ExitCode.INTERRUPTED
    except (OSError, ImportError, MemoryError, RuntimeError, ExceptionGroup) as error:
        if (shortage := shortage_in(error)) is None:
            raise
        complain(f"campaign: {shortage}: {MORE}")
        return ExitCode.SYSTEM
    return code if isinstance(code, int) else ExitCode.DONE
