"""Reports of nodes as JSON: whatever a node of another release, or a person, has stored."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from continuum.engine.ids import NodeId
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.node_report_port import GivenReport
from continuum.journal.port import NodeFacts
from continuum.operations.node_report import (
    ActorReport,
    Load,
    NodeReport,
    ProcessReport,
    ProcessStacks,
    Stack,
)
from continuum.operations.node_watch import WatchedNode, ask_node, watch_node, watched_node
from continuum.operations.stored_records import MOST_CHARACTERS, UnreadableRecord, as_json, read_record

LEAF = ActorReport("registry", "worker", "idle", 3, "RunRegistry", 1, 2.5, "crashed with Boom: boom")
TREE = ActorReport("top", "supervisor", "busy", strategy="one_for_one", children=(LEAF,))
HOST = ProcessReport("run_host-1", "run_host", 7, load=Load(live_runs=2), tree=TREE, loop_lag=0.001)
REPORT = NodeReport("north", "up", (HOST, ProcessReport("run_host-2", "run_host", 8, silent_for=4.0)))
STACKS = ProcessStacks("run_host-1", "run_host", 7, (Stack("thread", "activity-1", ("a.py:1 f",), 2),), 3)


def stored(record: object) -> Any:
    """Return a record as a database gives it back."""
    return json.loads(json.dumps(as_json(record), allow_nan=False))


@pytest.mark.parametrize("record", [REPORT, STACKS], ids=["report", "stacks"])
def test_a_record_is_read_as_it_was_written(record: object) -> None:
    assert read_record(type(record), stored(record)) == record


def test_a_text_is_one_printable_line_of_limited_length() -> None:
    hostile = replace(LEAF, why="a\0b\nc \ud800" + "x" * 10_000)
    why = stored(hostile)["why"]
    assert why.isprintable()
    assert why.startswith("a b c x")
    assert len(why) == MOST_CHARACTERS


def test_a_number_that_json_does_not_have_is_not_known() -> None:
    assert stored(replace(HOST, loop_lag=math.inf))["loop_lag"] is None


def test_fields_of_a_newer_release_are_ignored_and_those_of_an_older_one_have_defaults() -> None:
    found = read_record(ProcessReport, {"process_id": "x", "role": "y", "pid": 1, "later": [1]})
    assert found == ProcessReport("x", "y", 1)


@pytest.mark.parametrize(
    "odd",
    [
        None,
        [],
        7,
        {},
        {"node": "north"},
        {"node": 7, "state": "up"},
        {"node": "north", "state": "up", "processes": {}},
        {"node": "north", "state": "up", "processes": [None]},
        {"node": "north", "state": "up", "processes": [{"process_id": "x", "role": "y", "pid": True}]},
        {"node": "north", "state": "up", "processes": [{"process_id": "x", "role": "y", "pid": 10**30}]},
        {"node": "north", "state": "up", "processes": [{"process_id": "x", "role": "y", "pid": 1.5}]},
    ],
    ids=str,
)
def test_anything_else_is_refused(odd: object) -> None:
    with pytest.raises(UnreadableRecord):
        read_record(NodeReport, odd)


def test_a_tree_without_end_is_refused() -> None:
    deep: dict[str, Any] = {"id": "x", "kind": "worker", "doing": "idle"}
    for _ in range(5_000):
        deep = {"id": "x", "kind": "worker", "doing": "idle", "children": [deep]}
    with pytest.raises(UnreadableRecord):
        read_record(ActorReport, deep)


async def answering(journal: MemoryJournal, given: GivenReport | None) -> None:
    """Renew as the node north does."""
    await journal.renew([], 60.0, NodeFacts(NodeId("north"), 1, "x", "up"), given)


async def test_a_node_that_is_watched_shows_its_latest_report() -> None:
    journal = MemoryJournal()
    await answering(journal, None)
    assert await watched_node(journal, "north") == WatchedNode("north")
    assert await watch_node(journal, "north", stacks=True) == 1

    await answering(journal, GivenReport(stored(REPORT), [stored(STACKS)], 1))

    found = await watched_node(journal, "north")
    assert (found.report, found.stacks, found.stacks_for, found.unreadable) == (REPORT, (STACKS,), 1, False)
    assert found.age is not None
    assert found.age >= 0.0


async def test_a_report_that_cannot_be_read_is_said_to_be_so() -> None:
    journal = MemoryJournal()
    await answering(journal, None)
    await watch_node(journal, "north")
    await answering(journal, GivenReport({"processes": 7}))
    assert await watched_node(journal, "north") == WatchedNode("north", unreadable=True)


async def test_a_node_that_does_not_answer_in_time_has_no_report_whatever_it_said_before() -> None:
    journal = MemoryJournal()
    await answering(journal, None)
    await watch_node(journal, "north")
    await answering(journal, GivenReport(stored(REPORT)))
    assert await ask_node(journal, "north", wait=0.0) == WatchedNode("north")


async def test_nobody_waits_for_a_node_that_is_not_there() -> None:
    assert await ask_node(MemoryJournal(), "north") is None
