"""Random workflows with random crashes and a random order of results end as the model says."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from continuum.engine.events import Event, EventType
from continuum.engine.outcome import Cancelled, Completed
from tests.property.workflow_programs import (
    SIGNAL,
    Node,
    failed_once,
    programs,
    result_or_failure,
    signals_in,
    workflow_of,
)
from tests.unit.engine.driver import Driver, call_of, comparable, resume_exactly

lives = settings(max_examples=150)
seeds = st.integers(0, 2**16)
cuts = st.lists(st.floats(0, 1), min_size=1, max_size=4)


def live(node: Node, seed: int, history: Sequence[Event] = (), cancel_at: int | None = None) -> Driver:
    """Run a program to its end, from the history that a crash left."""
    delivered = sum(event.type == EventType.SIGNAL_RECEIVED for event in history)
    signals: list[tuple[str, object]] = [(SIGNAL, 1)] * (signals_in(node) - delivered)
    if not history:
        failed_once.clear()
    driver = Driver(workflow_of(node), seed=seed, signals=signals, history=history, cancel_at=cancel_at)
    driver.run()
    return driver


def assert_same_after(node: Node, driver: Driver, parts: list[float]) -> None:
    for part in parts:
        cut = round(part * len(driver.history))
        outcome, history = resume_exactly(workflow_of(node), driver.history, cut)
        assert history == driver.history
        assert comparable(outcome) == comparable(driver.outcome)


@lives
@given(programs, seeds)
def test_a_program_returns_what_the_model_says(node: Node, seed: int) -> None:
    assert live(node, seed).outcome == Completed(result_or_failure(node))


@lives
@given(programs, seeds, cuts)
def test_the_same_results_give_the_same_commands_from_every_prefix(
    node: Node, seed: int, parts: list[float]
) -> None:
    assert_same_after(node, live(node, seed), [0.0, *parts, 1.0])


@lives
@given(programs, st.lists(st.tuples(seeds, st.floats(0, 1)), min_size=1, max_size=4), seeds)
def test_a_run_that_crashes_anywhere_ends_as_the_model_says(
    node: Node, crashes: list[tuple[int, float]], last: int
) -> None:
    history: list[Event] = []
    for seed, part in crashes:
        driver = live(node, seed, history)
        assert driver.history[: len(history)] == history
        history = driver.history[: max(len(history), round(part * len(driver.history)))]
    end = live(node, last, history)
    assert end.outcome == Completed(result_or_failure(node))
    assert not results_in(history) & set(end.calls), "a journaled result was computed again"


def results_in(history: Sequence[Event]) -> set[tuple[str, tuple[object, ...]]]:
    """Return the calls whose results a history has."""
    completed = (EventType.ACTIVITY_COMPLETED, EventType.COMPENSATION_COMPLETED)
    return {call_of(history[event.body[0]]) for event in history if event.type in completed}


@lives
@given(programs, seeds, st.integers(0, 12), cuts)
def test_a_cancelled_program_ends_and_compensates_nothing_twice(
    node: Node, seed: int, when: int, parts: list[float]
) -> None:
    driver = live(node, seed, cancel_at=when)
    assert driver.outcome in (Cancelled(), Completed(result_or_failure(node)))
    undone = [call for call in driver.calls if call[0] == "program.undo"]
    # Fewer than requested: a task that is not awaited ends with its run, even in the middle of its saga.
    assert len(undone) == len(set(undone)) <= driver.scheduled.count("program.undo")
    assert_same_after(node, driver, parts)
