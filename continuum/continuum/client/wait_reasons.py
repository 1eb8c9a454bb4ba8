"""The reason of a run: what the journal says about it, or what the run waits for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from continuum.journal.facts import NodeRow, RunRow, RunState
from continuum.journal.node_code import NodeCode
from continuum.journal.untyped_values import at
from continuum.operations.findings import amount
from continuum.operations.pause_words import paused_words, scope_words
from continuum.operations.scene import LONGEST_RENEWAL_SECONDS, is_late
from continuum.quoting import quoted

WAITS_FOR_A_NODE = "waits for a node"
"""The start of the reason of a run that no running node can execute."""


_NAMED = ("signal", "activity", "child")
_MOST_NAMES = 3


class Present(NamedTuple):
    """What a reason depends on besides the row: the time of the database, and the nodes.

    `nodes` are needed for a run that `waits_for_a_node`: they tell a node that claims
    it soon from a missing one, and a missing node from missing code.
    """

    now: int
    nodes: Sequence[NodeRow] = ()


def reason_of(row: RunRow, present: Present) -> str | None:
    """Return why a run is in its state; None if there is nothing to say about it."""
    if row.reason is not None or row.state.terminal:
        return row.reason
    if row.pause is not None:
        held = "" if row.pause.scope is None else f" with {scope_words(row.pause.scope)}"
        return f"is{held} {paused_words(at(row.pause.since), row.pause.by, row.pause.reason)}"
    if waits_for_a_node(row, present.now):
        return _claimed_by(row, present.nodes) or f"{WAITS_FOR_A_NODE}{_missing(row, present.nodes)}"
    if row.state is not RunState.SUSPENDED:
        return None
    if row.due_at is not None and row.due_at <= present.now:
        return None
    until = None if row.due_at is None else f"until {at(row.due_at).isoformat(timespec='seconds')}"
    if row.waits is None:
        # Written by a release that did not record them.
        anything = "waits for a signal, an activity or a child"
        return anything if until is None else f"waits {until}, or for a signal"
    awaited = [f"{wait.kind} {quoted(wait.name)}" for wait in row.waits if wait.kind in _NAMED]
    parts = [*([f"for {_some(awaited)}"] if awaited else []), *([until] if until else [])]
    return f"waits {', or '.join(parts)}" if parts else None


def _some(awaited: Sequence[str]) -> str:
    """Return the first of these in words, and how many more there are."""
    different = list(dict.fromkeys(awaited))
    more = len(different) - _MOST_NAMES
    return ", ".join(different[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def waits_for_a_node(row: RunRow, now: int) -> bool:
    """Return whether a node could execute this run now, and none does."""
    if row.reason is not None or row.owner is not None or row.pause is not None:
        return False
    if row.state is RunState.SUSPENDED:
        return row.due_at is not None and row.due_at <= now
    return row.state is RunState.RUNNING


def _claimed_by(row: RunRow, nodes: Sequence[NodeRow]) -> str | None:
    """Return which nodes claim a run that is due; None if no running node may execute it."""
    able = [node for node in nodes if _claims(node) and _serves(node, row) and row.workflow in node.workflows]
    if any(node.code is None or _has_its_code(node.code, row) for node in able):
        return "is due, and a node that has its code claims it as soon as it has room"
    codes = [node.code for node in able if node.code is not None]
    if any(code.may_execute(row.workflow, row.version, row.refused) for code in codes):
        return f"is due, and a node that has another version of {row.workflow} may claim it"
    return None


def _claims(node: NodeRow) -> bool:
    return node.state not in ("lost", "draining") and not is_late(node.lease_age, LONGEST_RENEWAL_SECONDS)


def _serves(node: NodeRow, row: RunRow) -> bool:
    return node.namespaces is None or row.namespace in node.namespaces


def _has_its_code(code: NodeCode, row: RunRow) -> bool:
    return any(each.workflow == row.workflow and row.version in (None, each.version) for each in code.loaded)


def _missing(row: RunRow, nodes: Sequence[NodeRow]) -> str:
    live = [node for node in nodes if node.state != "lost"]
    if live and not any(_serves(node, row) for node in live):
        return f": no node serves namespace {row.namespace}"
    version = "" if row.version is None else f" version {row.version}"
    loaded = f" that has loaded {row.workflow}{version}"
    number = len(row.refused)
    return f"{loaded}: {amount(number, 'other version')} cannot continue it" if number else loaded
