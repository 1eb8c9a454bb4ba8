"""What a batch carries beside plain writes: children, continuations, versions, refusals, cells, retention.

One parameter of the commit, a row of arrays that is NULL for a plain batch, so that
such a batch pays nothing for it. Generations are locked one by one only for a batch that
reaches over them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from continuum.journal.event_codec import pack_body
from continuum.journal.port import NewChild, Refusal, RunWrite, Successor, Transition
from continuum.journal.postgres import packed_arrays

# Stands for a token in the list of runs to lock: locked in its place, and not written to.
LOCK_ONLY = -1


class Composition:
    """Gathers these parts of the writes of a batch; runs are told by their packed ids.

    `depth` is that of the runs whose writes have none of these parts.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._depths: dict[bytes, int] = {}
        self._parents: dict[bytes, int] = {}
        self._children: list[tuple[bytes, NewChild]] = []
        self._cancels: list[tuple[bytes, bytes]] = []
        self._successors: list[tuple[bytes, Successor]] = []
        self._cells: dict[tuple[bytes, str], bytes] = {}
        self._versions: dict[bytes, str] = {}
        self._refusals: dict[bytes, Refusal] = {}
        self._reaches = False

    def add(self, run: bytes, write: RunWrite) -> None:
        """Take a write in; of several of one run the last word counts."""
        self._depths[run] = write.depth
        ends = write.transition is not None and write.transition.state.terminal
        if ends and write.parent is not None:
            self._parents[packed_arrays.uuid_bytes(write.parent)] = write.depth - 1
        if write.depth != self._depth or write.children or write.cancels or write.successor:
            self._reaches = True
        self._children.extend((run, child) for child in write.children)
        self._cancels.extend((run, packed_arrays.uuid_bytes(child)) for child in write.cancels)
        for name, value in write.published:
            self._cells[run, name] = value
        if write.version is not None:
            self._versions[run] = write.version
        if write.refusal is not None:
            self._refusals[run] = write.refusal
        if write.successor is not None:
            self._successors.append((run, write.successor))

    def to_lock(self, tokens: Mapping[bytes, int]) -> tuple[list[bytes], list[int], list[int]]:
        """Return the runs to lock with their tokens and depths, by which the server locks parents first.

        Without depths they are of one generation, and locked in this order.
        """
        if not self._reaches and not self._parents:
            ordered = sorted(tokens)
            return ordered, [tokens[run] for run in ordered], []
        depths = {**self._parents, **{run: self._depths.get(run, self._depth) for run in tokens}}
        ordered = list(depths)
        return ordered, [tokens.get(run, LOCK_ONLY) for run in ordered], [depths[run] for run in ordered]

    def packed(
        self, depths: list[int], cells_topic: str, transitions: Mapping[bytes, Transition]
    ) -> packed_arrays.PackedRow:
        """Return the parameter: a `composition` as the schema defines it.

        Its list of seconds is that of the transitions, in their order.
        """
        children = [child for _, child in self._children]
        successors = [successor for _, successor in self._successors]
        refusals = list(self._refusals.values())
        kept = [(successor, *signal) for successor in successors for signal in successor.signals]
        return packed_arrays.PackedRow(
            [
                packed_arrays.integers(depths),
                packed_arrays.packed_uuids([run for run, _ in self._children]),
                packed_arrays.integers([child.seq for child in children]),
                packed_arrays.uuids([child.id for child in children]),
                packed_arrays.texts([child.workflow for child in children]),
                packed_arrays.byteas([child.input for child in children]),
                packed_arrays.smallints([child.close_policy for child in children]),
                packed_arrays.packed_uuids([run for run, _ in self._cancels]),
                packed_arrays.packed_uuids([child for _, child in self._cancels]),
                packed_arrays.packed_uuids([run for run, _ in self._successors]),
                packed_arrays.uuids([successor.id for successor in successors]),
                packed_arrays.texts([successor.workflow for successor in successors]),
                packed_arrays.byteas([successor.input for successor in successors]),
                packed_arrays.uuids([successor.id for successor, _, _ in kept]),
                packed_arrays.texts([name for _, name, _ in kept]),
                packed_arrays.byteas([pack_body((value,)) for _, _, value in kept]),
                packed_arrays.packed_uuids([run for run, _ in self._cells]),
                packed_arrays.texts([name for _, name in self._cells]),
                packed_arrays.byteas(list(self._cells.values())),
                cells_topic,
                packed_arrays.packed_uuids(list(self._versions)),
                packed_arrays.texts(list(self._versions.values())),
                packed_arrays.packed_uuids(list(self._refusals)),
                packed_arrays.texts([refusal.version for refusal in refusals]),
                packed_arrays.texts([refusal.reason for refusal in refusals]),
                packed_arrays.texts(
                    [None if refusal.fault is None else refusal.fault.as_json() for refusal in refusals]
                ),
                packed_arrays.doubles(self._retentions(transitions)),
            ]
        )

    def _retentions(self, transitions: Mapping[bytes, Transition]) -> Sequence[float | None]:
        # A run that continued is kept for as long as its successor.
        continued = {run for run, _ in self._successors}
        return [None if run in continued else change.retention for run, change in transitions.items()]
