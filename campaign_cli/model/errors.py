"""Errors that stop a command, and the exit codes they end in.

A server's reply is never one of these: replies are data.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """What the process says to its caller; the numbers above 63 are those of sysexits.h."""

    DONE = 0
    INCOMPLETE = 3
    USAGE = 64
    INPUT = 65
    NO_ROUTE = 69
    SYSTEM = 71
    DISK = 74
    REMAINING = 75
    CONFIG = 78
    INTERRUPTED = 130


EXIT_MEANINGS: dict[ExitCode, str] = {
    ExitCode.DONE: "every recipient has a final result",
    ExitCode.INCOMPLETE: "finished, but some are failed or uncertain",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.INPUT: "list or template is wrong, check finds errors, what is sent has changed meanwhile, or is refused",
    ExitCode.NO_ROUTE: "no relay works",
    ExitCode.SYSTEM: "the system has no more memory, processes or open files for it",
    ExitCode.DISK: "the disk is full or cannot be written, or the state is not to be sent from",
    ExitCode.REMAINING: "some recipients remain, or another run holds the campaign: run it again later",
    ExitCode.CONFIG: "the configuration is wrong",
    ExitCode.INTERRUPTED: "interrupted",
}


class CampaignError(Exception):
    """Something the user can put right. The text says what is wrong, where, and what to do."""

    exit_code = ExitCode.INPUT

    parts: tuple[CampaignError, ...] = ()
    """What it is made of, where it says several things."""

    def singles(self) -> list[CampaignError]:
        """Itself, or all that it is made of."""
        return [single for part in self.parts for single in part.singles()] if self.parts else [self]


class UsageError(CampaignError):
    """The command line asks for something that cannot be."""

    exit_code = ExitCode.USAGE


class ListError(CampaignError):
    """The list cannot be read. The text names file and line."""


class TemplateError(CampaignError):
    """The template cannot be used. The text names file and line."""


class ColumnError(TemplateError):
    """The template asks for `column`, which the list does not have."""

    def __init__(self, text: str, column: str) -> None:
        super().__init__(text)
        self.column = column


class IncludeError(TemplateError):
    """A file that the template names is not there, or leads back to itself."""


class ImageError(TemplateError):
    """Images that the page shows are missing."""


class AttachmentError(TemplateError):
    """Files that go with messages are missing."""


class ChangedError(CampaignError):
    """The template or the sender is not the one that others were sent to with, and nobody has agreed to that."""


class ComposeError(CampaignError):
    """One recipient's message cannot be made; the others go on."""


class ConfigError(CampaignError):
    """Everything that is wrong with the configuration, one finding a line."""

    exit_code = ExitCode.CONFIG

    def __init__(self, findings: Sequence[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = tuple(findings)


class AlignmentError(ConfigError):
    """No key signs for the domain of From."""


class NoRouteError(CampaignError):
    """No relay accepts a session."""

    exit_code = ExitCode.NO_ROUTE


class RefusedError(CampaignError):
    """Servers refuse what is sent, whoever it is for."""


class ResourceError(CampaignError):
    """The system gives no more memory, processes, threads or open files."""

    exit_code = ExitCode.SYSTEM


class StateError(CampaignError):
    """The state folder cannot be read or written, or is not one to send from."""

    exit_code = ExitCode.DISK


class HeldError(CampaignError):
    """Another run holds the campaign."""

    exit_code = ExitCode.REMAINING
