"""Every row's message, made as a run makes it, and looked at."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from campaign_cli.content.lint import lint, measured
from campaign_cli.content.variants import only
from campaign_cli.engine.composers import Composers, workers_for
from campaign_cli.engine.findings import Findings
from campaign_cli.engine.material import Material
from campaign_cli.engine.samples import FreshIds
from campaign_cli.engine.samples import composed as composed_now
from campaign_cli.model.contact import Contact
from campaign_cli.model.envelope import Message
from campaign_cli.model.errors import CampaignError
from campaign_cli.model.finding import Finding
from campaign_cli.model.recipient import Recipient

LOOKED_AT = 1_000
"""Messages that are taken apart: that takes milliseconds each. Of all others only the octets are looked at."""

BATCH = 50
"""Recipients composed together: little to wait for, and much more than handing them over costs."""


class Inspection:
    """Looks at the messages of a campaign. `sizes` is what each relay takes, in octets."""

    def __init__(
        self, material: Material, found: Findings, sizes: Mapping[str, int], progress: Callable[[int], None]
    ) -> None:
        self._material = material
        self._found = found
        self._sizes = sizes
        self._progress = progress
        self._variants: set[str] = set()
        self._left = 0
        self._wake = asyncio.Event()
        self._failure: CampaignError | None = None
        self.first: tuple[Recipient, Message] | None = None
        """The first row whose message could be made, and that."""

    async def look(self, workers: int | None) -> None:
        """At the message of every row, made by so many workers; None: as many as suit the machine."""
        count = workers_for(2 * BATCH) if workers is None else workers
        composer = self._material.composer
        composers = None
        if composer:
            composers = Composers(composer, FreshIds(), workers=count, clock=time.time, failed=self._failed)
        try:
            for batch in self._batches():
                if composers is None:
                    continue
                self._left += len(batch)
                composers.compose(batch, self._composed)
                await self._until(2 * BATCH * max(count, 1))
            await self._until(0)
        finally:
            if composers:
                composers.close()

    def look_at_unused_variants(self) -> None:
        """At the first row's message in each variant that no row of the list happens to get."""
        composer = self._material.composer
        if composer is None or composer.split is None or self.first is None:
            return
        recipient = self.first[0]
        for name, _ in composer.split.weights:
            if name not in self._variants:
                self._look_at(recipient, composed_now([recipient], only(composer, name), FreshIds())[0], name)

    async def _until(self, left: int) -> None:
        """Until no more than so many are still to be made. Raises what made the workers fail."""
        while self._left > left and not self._failure:
            self._wake.clear()
            await self._wake.wait()
        if self._failure:
            raise self._failure

    def _failed(self, error: CampaignError) -> None:
        self._failure = error
        self._wake.set()

    def _composed(self, those: Sequence[Recipient], messages: Sequence[Message | str]) -> None:
        composer = self._material.composer
        assert composer
        for recipient, message in zip(those, messages, strict=True):
            self._look_at(recipient, message, composer.of(recipient.address).variant)
            self._found.rendered += 1
        self._left -= len(those)
        self._progress(self._found.rendered)
        self._wake.set()

    def _look_at(self, recipient: Recipient, message: Message | str, variant: str) -> None:
        line = recipient.line
        taken_apart = self._found.rendered < LOOKED_AT or variant not in self._variants
        self._variants.add(variant)
        if isinstance(message, str):
            if not self._material.faulty:
                place = f"{self._found.source}:{line}"
                self._found.of_row(line, Finding("row.fails", place, message))
            return
        if self.first is None or line < self.first[0].line:
            self.first = recipient, message
        for finding in lint(message.content) if taken_apart else measured(message.content):
            # What is wrong with one variant's subject is not so with another's.
            whose = f", variant {variant}" if variant and finding.rule.startswith("subject.") else ""
            self._found.of_row(line, finding._replace(place=finding.place + whose))
        for relay, size in self._sizes.items():
            if len(message.content) > size:
                what = f"the message has {len(message.content):,} octets, and it takes {size:,}"
                self._found.of_row(line, Finding("size.relay", f"relay {relay}", what))

    def _batches(self) -> Iterator[list[Recipient]]:
        """The good rows as recipients, nobody twice; bad ones and repetitions are counted."""
        material, found = self._material, self._found
        seen: set[str] = set()
        batch: list[Recipient] = []
        stand_ins = {name: name for name in material.standing_in}
        for row in material.contacts or ():
            found.rows += 1
            if not isinstance(row, Contact):
                found.invalid += 1
                what = f"{row.email!r}: {row.reason}"
                found.of_row(row.line, Finding("list.invalid", found.source, what))
            elif row.address.key in seen:
                found.duplicates += 1
                found.of_row(row.line, Finding("list.duplicate", found.source, f"{row.address.email} is there again"))
            else:
                seen.add(row.address.key)
                fields = json.dumps({**stand_ins, **json.loads(row.fields)}) if stand_ins else row.fields
                batch.append(Recipient(len(seen), row.line, row.address, "", fields, 0, None, None))
                if len(batch) == BATCH:
                    yield batch
                    batch = []
        if batch:
            yield batch
