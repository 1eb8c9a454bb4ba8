"""An idle node leaves its database alone, on virtual time: also one that has tried suspects before."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from tests.simulation.programs import DeadlyProgram, Program
from tests.simulation.stand_ins import standing_in
from tests.simulation.universe import MIXED, SECOND, SPLIT, Universe

ONE_PROCESS, SEVERAL_PROCESSES = MIXED - 1, SPLIT
WATCHED = 600 * SECOND


def idle_requests(kind: int, programs: Sequence[type[Program]], *, listening: bool) -> float:
    """Return how many requests a second one node makes after these programs have ended."""
    logging.disable(logging.CRITICAL)
    universe = Universe(0, ())
    universe.kind, universe.node_count, universe.listening = kind, 1, listening
    universe.programs = [
        program(number, universe.choices.stream("")) for number, program in enumerate(programs)
    ]
    with standing_in(universe):
        try:
            universe.begin()
            assert universe.timeline.run_until(universe.finished, WATCHED) or not programs
            # What suspects leave behind is over by then.
            universe.timeline.run_until(lambda: False, universe.timeline.now + WATCHED)
            before = universe.requests
            universe.timeline.run_until(lambda: False, universe.timeline.now + WATCHED)
        finally:
            universe.end_all()
            logging.disable(logging.NOTSET)
    return (universe.requests - before) * SECOND / WATCHED


@pytest.mark.parametrize("kind", [ONE_PROCESS, SEVERAL_PROCESSES], ids=["one process", "several processes"])
@pytest.mark.parametrize("programs", [[], [DeadlyProgram]], ids=["new", "after suspects"])
@pytest.mark.parametrize("listening", [True, False], ids=["listening", "behind a pooler"])
def test_an_idle_node_makes_at_most_two_requests_a_second(
    kind: int, programs: Sequence[type[Program]], listening: bool
) -> None:
    assert 0 < idle_requests(kind, programs, listening=listening) <= 2
