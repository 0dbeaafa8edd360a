"""`campaign explain`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from campaign_cli.cli.options import json_option, settings_of
from campaign_cli.cli.streams import check_written, print_json, shown

if TYPE_CHECKING:
    from campaign_cli.model.reply import Reply

PHASES = ("greeting", "ehlo", "tls", "auth", "mail", "rcpt", "data", "dot")


@click.command(short_help="Say how a server's reply is read, and by which rule.")
@click.argument("reply", metavar="REPLY")
@click.option("--provider", metavar="NAME", help="Who said it: a provider's name, or a domain.")
@click.option(
    "--phase",
    type=click.Choice(PHASES),
    metavar="PHASE",
    help=f"What it answers: {', '.join(PHASES)}. [default: rcpt; of a 2yz: dot]",
)
@json_option
@click.option(
    "--config", type=click.Path(path_type=Path), metavar="FILE", help="The configuration. [default: campaign.yaml]"
)
def explain(reply: str, provider: str | None, phase: str | None, json: bool, config: Path | None) -> None:
    """Say how REPLY is read: what becomes of its recipient, what else follows, and by which rule.

    REPLY is what the server said, as a report or a log has it: '550 5.1.1 no such user'. Nothing is sent.
    """
    parsed = _parsed(reply)
    settings = settings_of(config)

    from campaign_cli.config.replies import replies_of
    from campaign_cli.config.shaping import shaping_of
    from campaign_cli.model.reply import Phase
    from campaign_cli.policy.outcomes import CLASSES

    known = settings.providers
    name = provider.lower() if provider else ""
    name = known.provider_of(name) if "." in name else name
    if name and "." not in name and name not in known.by_name:
        raise click.UsageError(f"no provider is named {provider!r}: `campaign providers` lists them")
    answered = Phase(phase or ("dot" if parsed.code // 100 == 2 else "rcpt"))
    replies = replies_of(settings)
    verdict = replies.classify(parsed, answered, name)
    said: dict[str, Any] = {
        "outcome": str(verdict.outcome),
        "class": str(verdict.reply_class),
        "suppress": verdict.suppress,
        "radius": str(verdict.radius),
        "action": str(verdict.action),
        "rule": verdict.rule,
        "shaping": [rule.id for rule in shaping_of(settings).rules_for(parsed, answered, name, verdict.reply_class)],
    }
    if json:
        print_json(said)
        return
    said["class"] = f"{verdict.reply_class}: {CLASSES[verdict.reply_class].words}"
    said["suppress"] = "yes" if verdict.suppress else "no"
    said["rule"] = f"{verdict.rule} ({replies.source(verdict.rule)})"
    said["shaping"] = ", ".join(said["shaping"])
    for key, value in said.items():
        if value:
            print(shown(f"{key:<9}{value}"))
    check_written()


def _parsed(text: str) -> Reply:
    """The reply as a session would have read it. Raises UsageError."""
    from campaign_cli.model.reply import Reply
    from campaign_cli.transport.replies import ReplyParser

    lines = [line.strip() for line in text.strip().splitlines()]
    if lines:
        # Pages and logs quote single lines of longer replies.
        lines[-1] = re.sub(r"^(\d{3})-", r"\1 ", lines[-1])
    answers = ReplyParser().feed("".join(f"{line}\r\n" for line in lines).encode())
    if len(answers) != 1 or not isinstance(answers[0], Reply):
        raise click.UsageError(f"{text!r} is no SMTP reply: write it with its code, as in '550 5.1.1 no such user'")
    return answers[0]
