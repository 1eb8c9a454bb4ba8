"""Imported by name in the processes of a node: makes polls so rare that they explain nothing."""

from __future__ import annotations

from continuum_actors.host import limits
from tests.process.node.flows import order

__all__ = ["order"]

limits.DEAF_POLL_SECONDS = 600.0
