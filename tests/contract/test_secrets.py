"""Secrets: shared by all processes of a database, and never replaced."""

from __future__ import annotations

from continuum.journal.port import Journal


async def test_a_secret_stays_as_it_was_stored_first(journal: Journal) -> None:
    assert await journal.shared_secret("observer", b"first") == b"first"
    assert await journal.shared_secret("observer", b"second") == b"first"
    assert await journal.shared_secret("other", b"third") == b"third"
