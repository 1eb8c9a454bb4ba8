"""Many seeds in pieces, which several processes share."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

from tests.simulation.broken import BROKEN
from tests.simulation.shrinking import Outcome, run_seeds

# Seeds in one piece of work of a process, and pieces before another process replaces it.
PIECE = 250
PIECES_PER_PROCESS = 20


def outcomes(first: int, seeds: int, jobs: int, broken: str | None) -> Iterator[Outcome]:
    """Yield what happened to each piece of a range of seeds, in order."""
    pieces = [range(at, min(at + PIECE, first + seeds)) for at in range(first, first + seeds, PIECE)]
    if jobs == 1:
        yield from (outcome_of(piece, broken) for piece in pieces)
        return
    with ProcessPoolExecutor(jobs, max_tasks_per_child=PIECES_PER_PROCESS) as pool:
        try:
            yield from pool.map(outcome_of, pieces, repeat(broken))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def outcome_of(seeds: range, broken: str | None) -> Outcome:
    """Run one piece in this process."""
    logging.disable(logging.CRITICAL)
    return run_seeds(seeds, None if broken is None else BROKEN[broken])
