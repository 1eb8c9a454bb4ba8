"""`journal_of`: the journal behind a client, for what is built on both."""

from __future__ import annotations

from continuum.client.client import Client
from continuum.journal.port import Journal


def journal_of(client: Client) -> Journal:
    """Return the journal of a client. Closing the client leaves it open."""
    journal: Journal = client._journal  # type: ignore[assignment]  # every journal is whole; clients use a part
    return journal
