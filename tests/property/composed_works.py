"""Programs as data that use every effect together, and strategies that generate them.

A `Work` is what one chain of runs does: its stages, each of them a run, the next one started by
`continue_as_new`. Steps are `Node`s; blocks hold further steps, some of them as a child's `Work`.
`model.py` predicts the outcome, `composed_programs.py` has the code that executes a work. Outcomes do
not depend on the order of results: a timeout is far longer than everything in it, or around something
that never happens, and failures look alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from typing import Any

from hypothesis import strategies as st

import continuum

ACTIVITIES = ("act", "fail", "flaky", "broken", "queued", "values")
WAITS = ("sleep", "signal", "late", "stopped", "outrun")
LEAVES = (*ACTIVITIES, *WAITS, "side", "patched", "publish", "fail", "signal")
TASKS = ("gather", "group", "completed", "wait")
UNDOING = ("saga", "booked", "undone", "torn")
BLOCKS = (*TASKS, *UNDOING, *UNDOING, "seq", "in_time", "catch")
CHILDREN = ("child", "chain", "fan_out", "left")
AT_THE_TOP = ("mail", "undo_all", "tell")


@dataclass(frozen=True, slots=True)
class Node:
    """One step; its `number` is unique, so that every call can be identified."""

    kind: str
    number: int
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Work:
    """The work of a chain. A failure ends a strict one; others continue. A tick is `unit` seconds."""

    number: int
    stages: tuple[tuple[Node, ...], ...]
    strict: bool
    unit: float


@continuum.pure
def child_works(node: Node, unit: float) -> list[Work]:
    """Return the works of the children that a block runs."""
    match node.kind:
        case "child" | "left":
            return [Work(node.number, (node.children,), True, unit)]
        case "chain":
            return [Work(node.number, tuple((stage,) for stage in node.children), True, unit)]
        case "fan_out":
            # A single step may start a child too.
            return [Work(-child.number, ((child,),), True, unit) for child in node.children]
        case _:
            return []


def _numbered(shape: Any, numbers: count[int]) -> Node:
    kind, children = (shape, ()) if isinstance(shape, str) else shape
    return Node(kind, next(numbers), tuple(_numbered(child, numbers) for child in children))


def _blocks_of(inner: st.SearchStrategy[Any], kinds: Iterable[str]) -> st.SearchStrategy[Any]:
    return st.tuples(st.sampled_from(tuple(kinds)), st.lists(inner, min_size=1, max_size=3))


def _trees_of(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(leaves, lambda inner: _blocks_of(inner, BLOCKS), max_leaves=3)


_leaves = st.sampled_from(LEAVES)
_grandchildren = _trees_of(_leaves)
_children = _trees_of(_leaves | _blocks_of(_grandchildren, CHILDREN))
_steps = _trees_of(_leaves | _blocks_of(_children, CHILDREN)) | st.sampled_from(AT_THE_TOP)


def _work_of(shapes: list[list[Any]]) -> Work:
    numbers = count(1)
    return Work(0, tuple(tuple(_numbered(shape, numbers) for shape in stage) for stage in shapes), False, 1.0)


works = st.lists(st.lists(_steps, min_size=1, max_size=4), min_size=1, max_size=3).map(_work_of)


def shifted(work: Work, by: int, unit: float) -> Work:
    """Return the same work with other numbers, which no other work has."""

    def moved(node: Node) -> Node:
        return Node(node.kind, node.number + by, tuple(moved(child) for child in node.children))

    return Work(by, tuple(tuple(moved(node) for node in stage) for stage in work.stages), work.strict, unit)


def signals_of(work: Work) -> list[tuple[str, int]]:
    """Return the signals that the runs of a chain wait for, without its children's, in order by name."""
    sent: list[tuple[str, int]] = []
    for stage in work.stages:
        for node in stage:
            if node.kind == "mail":
                sent.append(("mail", sum(name == "mail" for name, _ in sent)))
            else:
                sent += [(f"s{number}", number) for number in _waiting_in(node)]
    return sent


def _waiting_in(node: Node) -> list[int]:
    if node.kind == "signal":
        return [node.number] if node.number else []  # a child that is to be stopped receives no signal
    if child_works(node, 0):
        return []
    return [number for child in node.children for number in _waiting_in(child)]
