"""The data check: finds what open runs hold that the types of new code do not take.

It decodes the input of a run, the results and signals in its history, its unread mail, and the arguments of
its activities that are still to run, and executes no code of a workflow. A node does not decode the
arguments of completed activities again, so this does not either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from continuum.codec.arguments import TAKE_OLD_CALLS
from continuum.definitions.signal import Signal
from continuum.definitions.workflow import Workflow
from continuum.drift.deploy_check import Finding, StoredRuns
from continuum.engine.events import ANSWERS, CHILD_ENDS, SCHEDULES, Event, EventType, is_whole
from continuum.engine.ids import RunId
from continuum.errors import DurableTermError
from continuum.journal.facts import InboxKind, InboxRow
from continuum.journal.port import RunRow
from continuum.quoting import one_line
from continuum.versions.loaded_code import Code

# More places of one run would only repeat the first: what is wrong is the type.
PLACES_OF_A_RUN = 5
# What lies unread in one run; more of it is most likely more of the same signal.
UNREAD_OF_A_RUN = 1_000

_OLD_VALUES = "let the type take values from before, too: a new field needs a default, a changed one a union"
_END_IT = "or end the run"
_OLD_CALLS = f"{TAKE_OLD_CALLS}; {_OLD_VALUES}, {_END_IT}"
_RESULTS = (InboxKind.ACTIVITY_COMPLETED, InboxKind.CHILD_COMPLETED)
_COMPLETES = frozenset((EventType.ACTIVITY_COMPLETED, EventType.COMPENSATION_COMPLETED))

Decode = Callable[[bytes], Any]


@dataclass(frozen=True, slots=True)
class _Value:
    """A stored value: where it is, and what reads it."""

    place: str
    data: bytes
    decode: Decode
    advice: str = f"{_OLD_VALUES}, {_END_IT}"


async def data_findings(
    journal: StoredRuns, code: Code, rows: Sequence[RunRow], histories: Mapping[RunId, Sequence[Event]]
) -> list[Finding]:
    """Return what these runs hold that the code cannot read."""
    mail: defaultdict[RunId, list[InboxRow]] = defaultdict(list)
    for row in await journal.unread([row.id for row in rows], UNREAD_OF_A_RUN):
        mail[row.run_id].append(row)
    return [finding for row in rows for finding in _findings_of(code, row, histories[row.id], mail[row.id])]


def _findings_of(
    code: Code, row: RunRow, history: Sequence[Event], mail: Sequence[InboxRow]
) -> Iterator[Finding]:
    current = code.workflows.get(row.workflow)
    none = Finding(row.id, row.workflow, row.version or "", "data", "")
    if current is None:
        reason = f"no workflow named {row.workflow!r} is defined there"
        advice = f"keep it, with name={row.workflow!r} if it has another name now, {_END_IT}"
        yield replace(none, problem="missing", reason=reason, place="its code", advice=advice)
        return
    known = row.version is None or code.knows(row.workflow, row.version)
    if not known and current.on_change != "replay":
        # It continues with its own code, or waits for a node that has that.
        return
    workflow = code.workflow_for(row.workflow, row.version)
    found = (each for value in _values(code, workflow, row, history, mail) if (each := _refused(none, value)))
    for number, finding in enumerate(found):
        if number == PLACES_OF_A_RUN:
            return
        yield finding


def _refused(none: Finding, value: _Value) -> Finding | None:
    try:
        value.decode(value.data)
    except DurableTermError as error:
        return replace(none, place=value.place, reason=one_line(str(error)), advice=value.advice)
    return None


def _values(
    code: Code,
    workflow: Workflow[..., Any],
    row: RunRow,
    history: Sequence[Event],
    mail: Sequence[InboxRow],
) -> Iterator[_Value]:
    """Yield the values that a run which continues with this code has to read."""
    yield _Value("its input", row.input, workflow.arguments.decode_call, _OLD_CALLS)
    signals = _signals_of(workflow)
    begun: dict[int, Event] = {}
    open_calls: dict[int, Event] = {}
    for event in history:
        if not is_whole(event):
            return
        if event.type in SCHEDULES or event.type == EventType.CHILD_STARTED:
            begun[event.seq] = event
            if event.type in SCHEDULES:
                open_calls[event.seq] = event
        elif event.type in ANSWERS or event.type in CHILD_ENDS:
            open_calls.pop(event.body[0], None)
            if event.type in _COMPLETES or event.type == EventType.CHILD_COMPLETED:
                yield from _result(code, begun.get(event.body[0]), event.body[1], f"event {event.seq}")
        elif event.type == EventType.SIGNAL_RECEIVED:
            yield from _signal(signals, event.body[0], event.body[1], f"event {event.seq}")
    for letter in mail:
        if letter.kind is InboxKind.SIGNAL:
            yield from _signal(signals, letter.name, letter.body[0], "unread")
        elif letter.kind in _RESULTS:
            open_calls.pop(int(letter.name), None)
            yield from _result(code, begun.get(int(letter.name)), letter.body[0], "unread")
    yield from _arguments(code, open_calls.values())


def _arguments(code: Code, calls: Iterable[Event]) -> Iterator[_Value]:
    """Yield the arguments of the activities that are still to run."""
    for call in calls:
        activity = code.activities.get(call.body[0])
        if activity is not None:
            place = f"the arguments of {activity.name} (event {call.seq}), which is still to run"
            yield _Value(place, call.body[3], activity.arguments.decode_call, _OLD_CALLS)


def _signals_of(workflow: Workflow[..., Any]) -> Mapping[str, Signal[Any]]:
    """Return the signals that a workflow declares, or those that its module names."""
    if workflow.signals:
        return workflow.signals
    named: dict[str, Signal[Any]] = {}
    several: set[str] = set()
    for value in workflow.fn.__globals__.values():
        if isinstance(value, Signal) and named.setdefault(value.name, value) is not value:
            several.add(value.name)
    return {name: signal for name, signal in named.items() if name not in several}


def _signal(signals: Mapping[str, Signal[Any]], name: str, data: bytes, where: str) -> Iterator[_Value]:
    if name in signals:
        yield _Value(f"signal {name} ({where})", data, signals[name].decode)


def _result(code: Code, begun: Event | None, data: bytes, where: str) -> Iterator[_Value]:
    """Yield a result, unless what made it is not there any more: a replay says that better."""
    if begun is None:
        return
    known = code.workflows if begun.type == EventType.CHILD_STARTED else code.activities
    target = known.get(begun.body[0])
    if target is not None:
        yield _Value(f"the result of {target.name} ({where})", data, target.decode_result)
