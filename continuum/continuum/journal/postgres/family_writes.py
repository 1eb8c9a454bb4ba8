"""What writes mean for other runs and for readers: children, continuations, versions, published values.

This is one parameter of the commit, NULL for a plain batch, which pays nothing for it. Generations are
locked one by one only for a batch that reaches over them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Set
from typing import Any

from continuum.journal.event_codec import pack_body
from continuum.journal.port import NewChild, Refusal, RunState, RunWrite, Successor
from continuum.journal.postgres import commit_parts, packed_arrays

# In place of a token: the run is locked in its place, and nothing is written to it.
LOCK_ONLY = -1
# Attributes are sent like a published value, as JSON. No published value is without a name.
ATTRIBUTES = ""


class FamilyWrites:
    """Gathers these parts of the writes of a batch; runs are named by their packed ids.

    `depth` is that of the runs whose writes have none of these parts.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._depths: dict[bytes, int] = {}
        self._parents: dict[bytes, int] = {}
        self._children: list[tuple[bytes, NewChild]] = []
        self._cancels: list[tuple[bytes, bytes]] = []
        self._successors: list[tuple[bytes, Successor]] = []
        self._published: dict[tuple[bytes, str], bytes] = {}
        self._attributes: dict[bytes, dict[str, Any]] = {}
        self._versions: dict[bytes, str] = {}
        self._refusals: dict[bytes, Refusal] = {}
        self._refused_by: dict[bytes, str | None] = {}
        self._reaches = False

    def add(self, run: bytes, write: RunWrite) -> None:
        """Add a write; among several of one run the last counts."""
        self._depths[run] = write.depth
        change = write.transition
        # A run without a history that is blocked, or blocked again, ends if it was asked to stop.
        ends = change is not None and (change.state >= RunState.BLOCKED or write.refusal is not None)
        if ends and write.parent is not None:
            self._parents[packed_arrays.uuid_bytes(write.parent)] = write.depth - 1
        if write.depth != self._depth or write.children or write.cancels or write.successor:
            self._reaches = True
        self._children.extend((run, child) for child in write.children)
        self._cancels.extend((run, packed_arrays.uuid_bytes(child)) for child in write.cancels)
        for name, value in write.published:
            self._published[run, name] = value
        if write.attributes is not None:
            self._attributes.setdefault(run, {}).update(write.attributes)
        if write.version is not None:
            self._versions[run] = write.version
        if write.refusal is not None:
            self._refusals[run] = write.refusal
            self._refused_by[run] = None if change is None else change.code
        if write.successor is not None:
            self._successors.append((run, write.successor))

    def to_lock(self, tokens: Mapping[bytes, int]) -> tuple[list[bytes], list[int], list[int]]:
        """Return the runs to lock with their tokens and depths; by depth the server locks parents first.

        Without depths the runs are of one generation, and locked in this order.
        """
        if not self._reaches and not self._parents:
            ordered = sorted(tokens)
            return ordered, [tokens[run] for run in ordered], []
        depths = {**self._parents, **{run: self._depths.get(run, self._depth) for run in tokens}}
        ordered = list(depths)
        return ordered, [tokens.get(run, LOCK_ONLY) for run in ordered], [depths[run] for run in ordered]

    @property
    def continued(self) -> Set[bytes]:
        """The runs that continue as new."""
        return {run for run, _ in self._successors}

    def row(self) -> packed_arrays.PackedRow | None:
        """Return this part of the batch, None when there is nothing but depths."""
        if not (
            self._children
            or self._cancels
            or self._successors
            or self._published
            or self._attributes
            or self._versions
            or self._refusals
        ):
            return None
        children = [child for _, child in self._children]
        successors = [successor for _, successor in self._successors]
        inherited = [(successor, *signal) for successor in successors for signal in successor.signals]
        refusals = list(self._refusals.values())
        published = self._published | {
            (run, ATTRIBUTES): json.dumps(attributes).encode() for run, attributes in self._attributes.items()
        }
        return commit_parts.FAMILY.row(
            child_parent=packed_arrays.packed_uuids([run for run, _ in self._children]),
            child_seq=packed_arrays.integers([child.seq for child in children]),
            child_id=packed_arrays.uuids([child.id for child in children]),
            child_workflow=packed_arrays.texts([child.workflow for child in children]),
            child_input=packed_arrays.byteas([child.input for child in children]),
            child_policy=packed_arrays.smallints([child.close_policy for child in children]),
            cancel_run=packed_arrays.packed_uuids([run for run, _ in self._cancels]),
            cancel_child=packed_arrays.packed_uuids([child for _, child in self._cancels]),
            next_run=packed_arrays.packed_uuids([run for run, _ in self._successors]),
            next_id=packed_arrays.uuids([successor.id for successor in successors]),
            next_workflow=packed_arrays.texts([successor.workflow for successor in successors]),
            next_input=packed_arrays.byteas([successor.input for successor in successors]),
            signal_run=packed_arrays.uuids([successor.id for successor, _, _ in inherited]),
            signal_name=packed_arrays.texts([name for _, name, _ in inherited]),
            signal_payload=packed_arrays.byteas([pack_body((value,)) for _, _, value in inherited]),
            published_run=packed_arrays.packed_uuids([run for run, _ in published]),
            published_name=packed_arrays.texts([name for _, name in published]),
            published_value=packed_arrays.byteas(list(published.values())),
            version_run=packed_arrays.packed_uuids(list(self._versions)),
            version=packed_arrays.texts(list(self._versions.values())),
            refused_run=packed_arrays.packed_uuids(list(self._refusals)),
            refused_version=packed_arrays.texts([refusal.version for refusal in refusals]),
            refused_reason=packed_arrays.texts([refusal.reason for refusal in refusals]),
            refused_fault=packed_arrays.texts(
                [
                    each.fault and each.fault.as_json(self._refused_by[run])
                    for run, each in self._refusals.items()
                ]
            ),
        )
