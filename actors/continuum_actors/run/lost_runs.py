"""Live runs that are said to have been ended from outside: each stops once the journal says so too.

A notification proves nothing. A run that stopped on its word alone would keep its owner without having an
actor, and the results of its activities would be lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice

from continuum.engine.ids import RunId
from continuum_actors.host.host import Host
from continuum_actors.host.messages import EndedElsewhere

_ENDED_ELSEWHERE = EndedElsewhere()
# So many are looked for with one statement.
RUNS_PER_LOOK = 500


class LostRuns:
    """Ends the actors of lost runs, as a loop of the signal router."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._named: dict[RunId, None] = {}
        self._wanted = asyncio.Event()

    def named(self, run_ids: Sequence[RunId]) -> None:
        """A notification says that these runs have been ended."""
        self._named.update(dict.fromkeys(run_ids))
        self._wanted.set()

    async def stop_for_ever(self) -> None:
        """Stop the actors of those that have."""
        host = self._host
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._named:
                run_ids = list(islice(self._named, RUNS_PER_LOOK))
                for run_id in run_ids:
                    del self._named[run_id]
                for ended in await host.journal.ended(run_ids):
                    run = host.registry.whereis(ended.id)
                    if run is not None:
                        run.cast(_ENDED_ELSEWHERE)
