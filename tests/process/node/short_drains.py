"""Imported by name in the processes of a node: makes a drain short."""

from __future__ import annotations

from continuum_actors.host import limits
from tests.process.node.flows import brewing, order

__all__ = ["brewing", "order"]

limits.DRAIN_SECONDS = 1.0
