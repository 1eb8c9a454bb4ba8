"""What was done and stands: no compensation has undone it for sure. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from continuum.engine.events import Event, EventType
from continuum.operations.call_ends import answers_of, has_failed
from continuum.operations.cut_facts import CutStanding, History
from continuum.operations.undone_effects import reaches_back, undoes_from


def standing(history: History, done: Sequence[Event]) -> Iterator[CutStanding]:
    """Yield which of these calls, which have completed, no compensation has undone for sure."""
    events = history.events
    ends = answers_of(events)
    own = [event for event in events if event.type == EventType.COMPENSATION_SCHEDULED]
    elsewhere = [
        (event, other.shared)
        for other in history.relatives
        for ended in (answers_of(other.events),)
        for event in other.events
        if event.type == EventType.COMPENSATION_SCHEDULED
        and not has_failed(ended.get(event.seq))
        and (not other.continues or reaches_back(event))
    ]
    for call in done:
        if any(undoes_from(event) <= call.seq < shared for event, shared in elsewhere):
            continue
        reaching = [event for event in own if undoes_from(event) <= call.seq < event.seq]
        # Several may say that they undo it, as those of a block do: what one of them was for may stand.
        undecided = [event for event in reaching if event.seq not in ends or has_failed(ends[event.seq])]
        if undecided:
            first = undecided[0]
            among = 1 if _is_for(call, first, reaching) else len(reaching)
            yield CutStanding(call.seq, str(call.body[0]), str(first.body[0]), first.seq, among)
        elif not reaching:
            yield CutStanding(call.seq, str(call.body[0]))


def _is_for(call: Event, compensation: Event, reaching: Sequence[Event]) -> bool:
    """Whether this compensation alone says that what it undoes begins with the call."""
    from_here = [event for event in reaching if undoes_from(event) == call.seq]
    return from_here == [compensation]
