"""The part of the port about reports of nodes: asked for by those who look, brought with a renewal.

A report is JSON here: `continuum.operations.node_report` says what it holds, and checks what it reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from continuum.engine.ids import NodeId


class WantedReport(NamedTuple):
    """Somebody looks at a node; `stacks` is the request for stacks to answer, 0 if there is none."""

    stacks: int = 0


class GivenReport(NamedTuple):
    """The report of a node, and its stacks in answer to the request of this number; None if none is due."""

    report: Mapping[str, Any]
    stacks: Sequence[Mapping[str, Any]] | None = None
    stacks_for: int = 0


class StoredReport(NamedTuple):
    """What a node has reported as last, as it is stored: `report` and `stacks` may be any JSON, or None.

    The stacks answer the request of the number `stacks_for`, and those before it. Times, and `read_at`, when
    it was read, are in microseconds on the journal's clock.
    """

    report: Any
    reported_at: int | None
    stacks: Any
    stacks_for: int
    stacks_at: int | None
    read_at: int


class NodeReports(Protocol):
    """Reports of nodes, for those who look. None outlives a crash of the database."""

    async def want_report(self, node: NodeId, seconds: float, *, stacks: bool = False) -> int | None:
        """Have a node report about itself for so many seconds, at most `MOST_WATCHED_SECONDS`.

        With `stacks` it also brings its stacks, once. It is notified when either is new. Return the number of
        the latest request for stacks, None if there is no such node.
        """
        ...

    async def node_report(self, node: NodeId) -> StoredReport | None:
        """Return what a node has reported as last; None if nobody has asked."""
        ...
