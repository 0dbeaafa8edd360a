"""A process that reads a list, so that the one that enrols it has its hands free.

It is given the list and the providers; it answers with the batches that the ledger takes in, then with how it ended:
"", or what is wrong with the list. It is never more ahead than a batch and what the socket holds, and ends when nobody
is at the other end any more.
"""

from __future__ import annotations

import marshal
import pickle
import socket

from campaign_cli.ledger.entries import batch_of
from campaign_cli.model.errors import CampaignError
from campaign_cli.model.frames import framed, next_frame


def main(descriptor: int) -> None:
    """Read the list that comes through the socket `descriptor`."""
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rb") as frames:
        try:
            contacts, providers = pickle.loads(next_frame(frames))  # noqa: S301 (from our own process)
            for rows in contacts.together():
                connection.sendall(framed(marshal.dumps(batch_of(rows, providers))))
            ended = ""
        except CampaignError as error:
            ended = str(error)
        connection.sendall(framed(marshal.dumps(ended)))
