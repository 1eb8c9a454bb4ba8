"""A history that was compacted anywhere, in any parts, replays like its events."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from continuum.engine.events import COMMANDS, Event, EventType
from continuum.engine.execution import Execution
from continuum.engine.outcome import Outcome
from continuum.engine.snapshot_history import CompactHistory
from continuum.journal.snapshot_codec import pack_snapshot, unpack_snapshot
from tests.property.test_workflows import live
from tests.property.workflow_programs import Node, programs, workflow_of
from tests.unit.engine.driver import STARTED_AT, Program, comparable, new_execution

replays = settings(max_examples=150)
parts = st.lists(st.floats(0, 1), min_size=1, max_size=4)


def snapshot(events: Sequence[Event]) -> CompactHistory:
    """Return events as a snapshot restores them."""
    compact = unpack_snapshot(pack_snapshot(events), events[0].seq, len(events))
    assert compact is not None
    return compact


def compacted(history: Sequence[Event], places: Sequence[int]) -> CompactHistory | None:
    """Return the history up to the last of these places, in parts that end at each of them."""
    following: CompactHistory | None = None
    for first, last in reversed(list(zip([0, *places], places, strict=False))):
        part = snapshot(history[first:last])
        part.following = following
        following = part
    return following


def replayed(program: Program, history: Sequence[Event], compact: CompactHistory | None) -> Execution:
    """Return an execution that has replayed a history beginning with `compact`."""
    execution = new_execution()
    tail = history[compact.end :] if compact is not None else history
    now = history[-1].at if history else STARTED_AT
    execution.begin(program(), tail, started_at=STARTED_AT, now=now, compact=compact)
    return execution


def end_of(
    execution: Execution, history: Sequence[Event], cut: int
) -> tuple[Outcome | None, list[Event], list[int]]:
    """Supply the remaining results; return the outcome, the new events and what is pending."""
    journaled = execution.log.take_events()
    for event in history[cut:]:
        if event.type not in COMMANDS:
            assert execution.apply(EventType(event.type), event.body, at=event.at), event
            journaled += execution.log.take_events()
    return execution.outcome, journaled, sorted(execution.pending)


@replays
@given(programs, st.integers(0, 2**16), parts, st.floats(0, 1))
def test_compact_parts_of_a_history_replay_like_its_events(
    node: Node, seed: int, cuts: list[float], known: float
) -> None:
    history = live(node, seed).history
    cut = round(known * len(history))
    places = sorted({round(part * cut) for part in cuts} - {0})
    program = workflow_of(node)
    execution = replayed(program, history[:cut], compacted(history, places))
    assert not execution.log.snapshot_mismatch
    outcome, journaled, pending = end_of(execution, history, cut)
    raw = end_of(replayed(program, history[:cut], None), history, cut)
    assert (comparable(outcome), journaled, pending) == (comparable(raw[0]), raw[1], raw[2])


@replays
@given(programs, programs, st.integers(0, 2**16))
def test_code_that_does_not_match_a_compact_history_is_never_accepted(
    node: Node, other: Node, seed: int
) -> None:
    """B3"""
    history = live(node, seed).history
    if not history:
        return
    compactly = replayed(workflow_of(other), history, snapshot(history))
    by_events = replayed(workflow_of(other), history, None)
    if compactly.log.snapshot_mismatch:
        # In that case nothing was journaled that would bind a second attempt.
        assert not [event for event in compactly.log.take_events() if event.seq < len(history)]
    else:
        assert comparable(compactly.outcome) == comparable(by_events.outcome)
        assert compactly.log.take_events() == by_events.log.take_events()
