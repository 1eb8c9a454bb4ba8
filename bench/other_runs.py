"""What other runs notice of something heavy: how long each takes before it, and meanwhile.

One client starts a run with a step after the other, and waits for each.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.flows import steps_in_a_row
from bench.series import quantile

BEFORE_SECONDS = 10.0
DEADLINE_SECONDS = 300.0


@dataclass(slots=True)
class OtherRuns:
    """How long the runs took, in milliseconds."""

    client: Any
    before: list[float] = field(default_factory=list)
    meanwhile: list[float] = field(default_factory=list)

    async def measure_before(self) -> None:
        """Start runs for some seconds, and measure those after the first third."""
        await self._start(time.monotonic() + BEFORE_SECONDS / 2)
        self.before = await self._start(time.monotonic() + BEFORE_SECONDS)

    @asynccontextmanager
    async def measured_meanwhile(self) -> AsyncIterator[None]:
        """Start runs as long as the context is open."""
        over = asyncio.Event()
        starting = asyncio.create_task(self._start(time.monotonic() + DEADLINE_SECONDS, over))
        try:
            yield
        finally:
            over.set()
            self.meanwhile = await starting

    def results(self) -> dict[str, Any]:
        """Return the figures for a report."""
        return {
            "p50_before_ms": quantile(self.before, 0.5),
            "p50_during_ms": quantile(self.meanwhile, 0.5),
            "p99_before_ms": quantile(self.before, 0.99),
            "p99_during_ms": quantile(self.meanwhile, 0.99),
            "probes": [len(self.before), len(self.meanwhile)],
        }

    async def _start(self, until: float, over: asyncio.Event | None = None) -> list[float]:
        took = []
        while time.monotonic() < until and not (over is not None and over.is_set()):
            began = time.perf_counter()
            handle = await self.client.start(steps_in_a_row, 1)
            await handle.result(DEADLINE_SECONDS)
            took.append((time.perf_counter() - began) * 1e3)
        return took
