"""Stored histories, inbox rows and snapshots, read as a node reads them and replayed through the code."""

from __future__ import annotations

import asyncio
import contextlib
import random
import zlib
from collections.abc import Sequence
from typing import Any

import msgpack

from continuum import ActivityError, ChildFailed
from continuum.client.histories import history_of as history_for_people
from continuum.client.runs import error_of
from continuum.definitions.effects import RunInfo
from continuum.engine.dry_replay import dry_pass
from continuum.engine.events import Event, EventType
from continuum.engine.execution import Execution
from continuum.engine.ids import RunId
from continuum.engine.outcome import Failed
from continuum.engine.snapshot_history import CompactHistory
from continuum.journal.event_codec import CorruptBody, pack_body
from continuum.journal.event_rows import events_of, rows_of
from continuum.journal.facts import InboxKind
from continuum.journal.postgres.inbox_rows import inbox_row
from continuum.journal.repeated_calls import Call, WrittenCalls
from continuum.journal.snapshot_codec import Part, Uncompactable, pack_snapshot, unpack_parts
from continuum.testing import History
from tests.fuzzing.mutation import Mutator
from tests.fuzzing.target import Broken, Target
from tests.golden.programs import PROGRAMS, Declined
from tests.golden.replaying import history_of

_NAMES = sorted(PROGRAMS)
_KINDS = {
    InboxKind.CHILD_COMPLETED: EventType.CHILD_COMPLETED,
    InboxKind.CHILD_FAILED: EventType.CHILD_FAILED,
    InboxKind.CHILD_CANCELLED: EventType.CHILD_CANCELLED,
    InboxKind.ACTIVITY_COMPLETED: EventType.ACTIVITY_COMPLETED,
}


# Events in one row.
_SEVERAL = 5


def _packed(value: Any) -> bytes:
    packed: bytes = msgpack.packb(value)
    return packed


# What the programs raise themselves, or get from an activity or a child.
_OF_THE_PROGRAMS = (
    Declined,
    ActivityError,
    ChildFailed,
    BaseExceptionGroup,
    TimeoutError,
    asyncio.CancelledError,
)


class _Stored(Target):
    """What a database has stored of a run of a golden program: `[program, rows]`, as msgpack."""

    def __init__(self) -> None:
        self._histories = {name: history_of(name) for name in _NAMES}
        # Compiles what is made on first use, wherever a run stops.
        for data in self.seeds():
            name, rows = msgpack.unpackb(data)
            for cut in range(len(rows) + 1):
                self.read(_packed([name, rows[:cut]]))

    def mutate(self, mutator: Mutator, data: bytes, others: Sequence[bytes]) -> bytes:
        try:
            name, rows = msgpack.unpackb(data)
            other: list[Any] = msgpack.unpackb(mutator.random.choice(others))[1]
        except (ValueError, TypeError, msgpack.exceptions.UnpackException):
            return data
        for _ in range(mutator.random.randint(1, 2)):
            rows = self._mutated_rows(mutator, rows, other)
        try:
            return _packed([name, rows])
        except (ValueError, OverflowError, TypeError):
            return data

    def _mutated_rows(self, mutator: Mutator, rows: list[Any], other: list[Any]) -> list[Any]:
        draw = mutator.random
        rows = [list(row) for row in rows]
        if not rows:
            return other
        at = draw.randrange(len(rows))
        row = rows[at]
        match draw.randrange(8):
            case 0:
                del rows[at]
            case 1:
                rows = rows[:at]
            case 2:
                rows.insert(at, draw.choice(other or rows))
            case 3:
                row[-1] = mutator.bytes_of(row[-1], [row[-1]])
            case 4:
                row[draw.randrange(len(row) - 1)] = draw.choice(
                    (0, 1, 3, 7, 8, 12, 16, 17, 23, 24, 99, 2**40, -1, -2, -3, -(2**15))
                )
            case _:
                row[-1] = self._mutated_body(mutator, row[-1])
        return [[place, *row[1:]] for place, row in enumerate(rows)] if draw.randrange(2) else rows

    def _mutated_body(self, mutator: Mutator, stored: bytes) -> bytes:
        # An array without a version is a row of several events.
        version = 0 if stored[:1] >= b"\x90" else 1
        try:
            tree = mutator.tree_of(msgpack.unpackb(stored[version:], strict_map_key=False))
            return stored[:version] + _packed(tree)
        except (ValueError, OverflowError, TypeError, msgpack.exceptions.UnpackException):
            return mutator.bytes_of(stored, [stored])

    def _execution(self, name: str) -> tuple[History, Execution, Any]:
        history, program = self._histories[name], PROGRAMS[name]
        start = history.beginning
        info = RunInfo(RunId(start.run_id), program.name, program.label, start.namespace, 1)
        args, kwargs = program.arguments.decode_call(start.input)
        execution = Execution(info, random.Random(0).randbytes, program, start.depth)
        return history, execution, program.fn(*args, **kwargs)

    def _finish(self, execution: Execution) -> None:
        """Do what the owner of an execution does after a step."""
        if isinstance(execution.outcome, Failed) and not isinstance(
            execution.outcome.error, _OF_THE_PROGRAMS
        ):
            raise Broken("the run failed by what its journal has") from execution.outcome.error
        execution.take_opened()
        execution.next_due()
        execution.take_due(2**62)
        for event in execution.log.take_events():
            pack_body(event.body)
        execution.signals_kept()
        execution.signals_waited_for()
        execution.close()


def _rows_of(data: bytes) -> tuple[str, list[list[Any]]] | None:
    """Return program and rows; None if the database could not hold them, whose columns have types."""
    try:
        name, rows = msgpack.unpackb(data)
        return (name, rows) if name in PROGRAMS and isinstance(rows, list) else None
    except (ValueError, TypeError, msgpack.exceptions.UnpackException):
        return None


class Histories(_Stored):
    """Rows of events: `seq, type, at, payload`, each of one event or of several."""

    name = "histories"

    def seeds(self) -> Sequence[bytes]:
        return [
            _packed([name, [list(row) for part in _parts(events, width) for row in rows_of(part, calls)]])
            for width in (1, 2, _SEVERAL)
            for name in _NAMES
            for events, calls in [(self._histories[name].stored, WrittenCalls(1))]
        ]

    def read(self, data: bytes) -> None:
        found = _rows_of(data)
        if found is None:
            return
        name, rows = found
        calls: dict[int, Call] = {}
        events = [event for row in rows for event in _events(calls, *row)]
        history_for_people(events)
        history, execution, program = self._execution(name)
        execution.begin(program, events, started_at=history.beginning.started_at, now=2**50)
        self._finish(execution)
        _, execution, program = self._execution(name)
        dry_pass(
            program, events, execution.info, started_at=0, now=0, definition=PROGRAMS[name], complete=True
        )


def _parts(events: Sequence[Event], width: int) -> list[Sequence[Event]]:
    return [events[begin : begin + width] for begin in range(0, len(events), width)]


def _events(calls: dict[int, Call], seq: int, type: int, at: int, stored: bytes) -> list[Event]:
    """Return the events of a row as the journal loads them."""
    try:
        return events_of(seq, type, at, stored, calls)
    except CorruptBody:
        return [Event(-1, type, 0, ())]


class Snapshots(_Stored):
    """A blob that stands for the first half of a history: `first, events, blob`."""

    name = "snapshots"

    def seeds(self) -> Sequence[bytes]:
        halves = {name: self._histories[name].stored[: len(self._histories[name]) // 2] for name in _NAMES}
        found = []
        for name, half in halves.items():
            # No snapshot is made of a history that was cut while a call was pending.
            with contextlib.suppress(Uncompactable):
                if half:
                    found.append(_packed([name, [[0, len(half), pack_snapshot(half)]]]))
        return found

    def _mutated_body(self, mutator: Mutator, stored: bytes) -> bytes:
        try:
            return zlib.compress(super()._mutated_body(mutator, zlib.decompress(stored)), 1)
        except zlib.error:
            return mutator.bytes_of(stored, [stored])

    def read(self, data: bytes) -> None:
        found = _rows_of(data)
        if found is None:
            return
        name, rows = found
        if not all(type(first) is type(count) is int and count >= 0 for first, count, _ in rows):
            return
        compact = unpack_parts([Part(*row) for row in rows])
        if compact is None:
            return
        self._replay(name, compact)

    def _replay(self, name: str, compact: CompactHistory) -> None:
        history, execution, program = self._execution(name)
        rest = history.stored[compact.end :]
        execution.begin(program, rest, started_at=history.beginning.started_at, now=2**50, compact=compact)
        self._finish(execution)


class Inboxes(_Stored):
    """Inbox rows that come to a run whose history was cut: `kind, name, key, cut, payload`."""

    name = "inboxes"

    def seeds(self) -> Sequence[bytes]:
        failed = pack_body(("Declined", "no", "trace", ("Declined", "Exception")))
        rows = [
            [int(InboxKind.SIGNAL), "review", "id-1", pack_body((b"\x01\xa2ok",))],
            [int(InboxKind.CANCEL), "parent", "cancel", b""],
            [int(InboxKind.CHILD_COMPLETED), "1", "", b"\x01\x07"],
            [int(InboxKind.CHILD_FAILED), "2", "", failed],
            [int(InboxKind.CHILD_CANCELLED), "0", "", b""],
            [int(InboxKind.ACTIVITY_COMPLETED), "0", "1", pack_body((b"\x01\xa2ok",))],
            *([int(kind), "0", "1", failed] for kind in InboxKind if kind > InboxKind.ACTIVITY_COMPLETED),
        ]
        return [_packed([name, rows]) for name in _NAMES]

    def read(self, data: bytes) -> None:
        found = _rows_of(data)
        if found is None:
            return
        name, rows = found
        history, execution, program = self._execution(name)
        half = history.stored[: len(history) // 2]
        execution.begin(program, half, started_at=history.beginning.started_at, now=2**50)
        for kind, text, key, payload in rows:
            if isinstance(kind, int) and isinstance(text, str) and -(2**15) <= kind < 2**15:
                self._apply(execution, kind, text, str(key), payload)
        self._finish(execution)
        for *_, payload in rows:
            error_of(payload)

    def _apply(self, execution: Execution, kind: int, name: str, key: str, payload: bytes) -> None:
        row = inbox_row(1, execution.info.run_id, kind, name, payload, key)
        match row.kind:
            case InboxKind.CORRUPT:
                return
            case InboxKind.SIGNAL:
                execution.apply(EventType.SIGNAL_RECEIVED, (row.name, row.body[0], row.key), at=0)
            case InboxKind.CANCEL:
                execution.apply(EventType.CANCEL_REQUESTED, ("parent",), at=0)
            case InboxKind.ACTIVITY_COMPLETED:
                execution.apply(EventType.ACTIVITY_COMPLETED, (int(row.name), row.body[0]), at=0)
            case InboxKind.ACTIVITY_RAISED:
                type, text, traceback, names = row.body
                if not all(isinstance(part, str) for part in (type, text, traceback, *names)):
                    raise Broken("an error that is no text")
            case kind if kind in _KINDS:
                execution.apply(_KINDS[kind], (int(row.name), *row.body), at=0)
            case _:
                int(row.name)
