"""A campaign whose message has variants: a composer for each, and who gets which."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from typing import Any

from campaign_cli.content.composer import Composer
from campaign_cli.content.template import Template
from campaign_cli.model.address import Address, Mailbox
from campaign_cli.model.envelope import Message
from campaign_cli.model.errors import UsageError
from campaign_cli.model.variants import Split


def composer_for(template: Template, sender: Mailbox, *, campaign: str, **parts: Any) -> Composer:
    """What makes the messages of `campaign`; `parts` are those of a Composer."""
    if template.variants:
        return SplitComposer(template, sender, campaign=campaign, **parts)
    return Composer(template, sender, **parts)


def only(composer: Composer, variant: str) -> Composer:
    """The one that makes everybody's message in this variant. Raises UsageError where there is no such variant."""
    variants = composer.variants if isinstance(composer, SplitComposer) else {}
    if variant not in variants:
        there = f"there are: {', '.join(variants)}" if variants else "the template has no variants"
        raise UsageError(f"--variant {variant!r}: {there}")
    return variants[variant]


class SplitComposer(Composer):
    """Makes each recipient's message in the variant that is the recipient's."""

    split: Split

    def __init__(self, template: Template, sender: Mailbox, *, campaign: str, **parts: Any) -> None:
        super().__init__(template, sender, **parts)
        self.split = Split(campaign, tuple((name, each.weight) for name, each in template.variants.items()))
        self.variants = {name: Composer(template.of_variant(name), sender, **parts) for name in template.variants}

    @cached_property
    def digest(self) -> str:
        """As a Composer's, of all variants and of who gets which. Raises TemplateError."""
        return sha256(json.dumps([super().digest, self.split.text]).encode()).hexdigest()

    def of(self, address: Address) -> Composer:
        """The one that makes the messages of `address`."""
        return self.variants[self.split.variant_of(address.key)]

    def compose(self, address: Address, fields: Mapping[str, str], *, message_id: str, date: float) -> Message:
        """As a Composer does. Raises ComposeError."""
        return self.of(address).compose(address, fields, message_id=message_id, date=date)
