"""The reason of a run: what the journal says about it, or what the run waits for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from continuum.journal.facts import NodeRow, RunRow, RunState
from continuum.journal.untyped_values import at

WAITS_FOR_A_NODE = "waits for a node"
"""The start of the reason of a run that no running node can execute."""


class Present(NamedTuple):
    """What a reason depends on besides the row: the time of the database, and the nodes.

    `nodes` are needed for a run that `waits_for_a_node`: they tell a missing node from missing code.
    """

    now: int
    nodes: Sequence[NodeRow] = ()


def reason_of(row: RunRow, present: Present) -> str | None:
    """Return why a run is in its state; None if there is nothing to say about it."""
    if row.reason is not None or row.state.terminal:
        return row.reason
    if waits_for_a_node(row, present.now):
        return f"{WAITS_FOR_A_NODE}{_missing(row, present.nodes)}"
    if row.state is not RunState.SUSPENDED:
        return None
    if row.due_at is None:
        return "waits for a signal, an activity or a child"
    if row.due_at > present.now:
        return f"waits until {at(row.due_at).isoformat(timespec='seconds')}, or for a signal"
    return None


def waits_for_a_node(row: RunRow, now: int) -> bool:
    """Return whether a node could execute this run now, and none does."""
    if row.reason is not None or row.owner is not None:
        return False
    if row.state is RunState.SUSPENDED:
        return row.due_at is not None and row.due_at <= now
    return row.state is RunState.RUNNING


def _missing(row: RunRow, nodes: Sequence[NodeRow]) -> str:
    live = [node for node in nodes if node.state != "lost"]
    served = any(node.namespaces is None or row.namespace in node.namespaces for node in live)
    if live and not served:
        return f": no node serves namespace {row.namespace}"
    version = "" if row.version is None else f" version {row.version}"
    return f" that has loaded {row.workflow}{version}"
