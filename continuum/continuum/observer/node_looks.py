"""`NodeLooks`: has nodes report while somebody looks at them, and remembers since when.

A node reports for ten seconds after a look, so a page that stays open looks again every few seconds. Pages of
several people share these looks.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from continuum.errors import ContinuumError, NodeNotFound
from continuum.journal.port import Journal
from continuum.observer.limits import LOOK_EVERY_SECONDS, LOOKS_REMEMBERED
from continuum.operations.node_watch import LOOK_SECONDS, watch_node


@dataclass(slots=True)
class _Look:
    first: float
    last: float
    trouble: str | None = None


class NodeLooks:
    """The looks at nodes of one database."""

    def __init__(self) -> None:
        self._looks: dict[str, _Look] = {}

    async def look(self, journal: Journal, node: str) -> tuple[float, str | None]:
        """Have a node report, unless that was asked just now.

        Return for how many seconds somebody has been looking, and why asking it failed, if so.
        """
        now = asyncio.get_running_loop().time()
        look = self._looks.get(node)
        if look is None or look.last < now - LOOK_SECONDS:
            look = self._looks[node] = _Look(now, now - LOOK_SECONDS)
            while len(self._looks) > LOOKS_REMEMBERED:
                del self._looks[min(self._looks, key=lambda name: self._looks[name].last)]
        if look.last < now - LOOK_EVERY_SECONDS:
            look.last, look.trouble = now, None
            try:
                if await watch_node(journal, node) is None:
                    raise NodeNotFound(node)
            except ContinuumError as error:
                look.trouble = str(error)
        return now - look.first, look.trouble
