"""Results without a live run are kept for the run's next actor, and for the right dispatch."""

from __future__ import annotations

import pytest

from continuum.engine.ids import RunId
from continuum_actors.activity import orphaned_results
from continuum_actors.activity.orphaned_results import OrphanedResults
from continuum_actors.host.messages import ActivityCompleted, ActivityRaised

RUN = RunId("01a20000-0000-7000-8000-000000000000")
VALUE = ActivityCompleted(4, b"value")
FAILURE = ActivityRaised(4, "Boom", "no", "", frozenset({"Boom"}))


def test_a_value_is_good_for_every_dispatch() -> None:
    results = OrphanedResults()
    results.keep(RUN, 1, VALUE)
    assert results.take(RUN, 4, dispatch=3) == VALUE


@pytest.mark.parametrize(("dispatch", "expected"), [(1, FAILURE), (2, None)])
def test_a_failure_is_good_for_its_own_dispatch_only(dispatch: int, expected: ActivityRaised | None) -> None:
    results = OrphanedResults()
    results.keep(RUN, 1, FAILURE)
    assert results.take(RUN, 4, dispatch) == expected


def test_a_result_is_taken_once() -> None:
    results = OrphanedResults()
    results.keep(RUN, 1, VALUE)
    results.take(RUN, 4, 1)
    assert results.take(RUN, 4, 1) is None


def test_the_oldest_result_makes_room_for_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orphaned_results, "ORPHANED_RESULTS", 2)
    results = OrphanedResults()
    for seq in range(3):
        results.keep(RUN, 1, ActivityCompleted(seq, b"value"))
    assert [results.take(RUN, seq, 1) is not None for seq in range(3)] == [False, True, True]
