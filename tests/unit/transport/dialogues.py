"""Dialogues as several tests begin them."""

from campaign_cli.model.address import Address
from campaign_cli.model.envelope import Envelope
from campaign_cli.model.reply import Reply
from campaign_cli.transport.dialogue import Dialogue, Endings
from campaign_cli.transport.transaction import Offers, Transaction


def message(name: str = "ann", *, durable: bool = True) -> Transaction:
    return Transaction(
        Envelope(Address("ada", "s.example"), Address(name, "x.example")), b"hi " + name.encode(), durable=durable
    )


def begun(offers: Offers, *replies: bytes, durable: bool = True, of: int = 1) -> tuple[Dialogue, list[str]]:
    """A dialogue that starts transactions where there is room, at first and after each of `replies`; how they ended."""
    dialogue, started = Dialogue(offers), 0
    endings: Endings = []
    for reply in [b"", *replies]:
        endings += dialogue.received(reply)
        while started < of and dialogue.room > 0:
            dialogue.start(message(f"n{started}", durable=durable))
            started += 1
        dialogue.output()
    return dialogue, told(endings)


def told(endings: Endings) -> list[str]:
    """Each as `name phase code`, without a code where it is silence; `behind` where it is that."""
    return [
        f"{each.envelope.recipient.local} {ending.phase}"
        f"{f' {ending.answer.code}' if isinstance(ending.answer, Reply) else ''}{' behind' if each.behind else ''}"
        for each, ending in endings
    ]
