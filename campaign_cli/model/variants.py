"""Which variant of a campaign's message a recipient gets: worked out whenever it is asked, and stored nowhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import blake2b
from math import log

VARIABLE = "variant"
"""What templates call a message's variant."""


@dataclass(frozen=True, slots=True)
class Split:
    """How the recipients of `campaign` are shared out among variants: each has its name and its weight, above 0."""

    campaign: str
    weights: tuple[tuple[str, float], ...]

    def variant_of(self, key: str) -> str:
        """That of the recipient with this key (`Address.key`): it depends on nothing else, and on no order.

        Weighted rendezvous hashing (Schindelhauer and Schomaker 2005, the logarithmic method): when a variant is added,
        taken out or weighed anew, recipients move to it or from it, and nobody between two others.
        """
        return max(self.weights, key=lambda each: each[1] / -log(self._chance(each[0], key)))[0]

    def _chance(self, variant: str, key: str) -> float:
        """Between 0 and 1, and neither: 52 bits, so that with the half added nothing is rounded."""
        digest = blake2b(f"{self.campaign}\n{variant}\n{key}".encode(), digest_size=8).digest()
        return ((int.from_bytes(digest) >> 12) + 0.5) / 2**52

    @property
    def text(self) -> str:
        """As the ledger keeps it; `split_of` reads it again."""
        return json.dumps([self.campaign, dict(sorted(self.weights))])


def split_of(text: str) -> Split | None:
    """The split whose `text` that is; None for ""."""
    if not text:
        return None
    campaign, weights = json.loads(text)
    return Split(campaign, tuple(weights.items()))
