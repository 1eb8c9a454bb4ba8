"""The part of the port about secrets that all processes of a database share."""

from __future__ import annotations

from typing import Protocol


class Secrets(Protocol):
    """Secrets by name. Each stays as it was stored first."""

    async def shared_secret(self, name: str, fresh: bytes) -> bytes:
        """Return the secret of this name; if there is none, store `fresh` and return it."""
        ...
