"""Secrets that all observers of this journal share."""

from __future__ import annotations

from continuum.journal.memory.tables import MemoryTables


class MemorySecrets(MemoryTables):
    """Secrets by name."""

    async def shared_secret(self, name: str, fresh: bytes) -> bytes:
        """Return the secret of this name; if there is none, store `fresh` and return it."""
        return self._secrets.setdefault(name, fresh)
