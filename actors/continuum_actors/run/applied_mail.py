"""One row of an inbox, turned into history: what it tells the code of its run."""

from __future__ import annotations

from continuum.engine.events import EventType
from continuum.journal.port import InboxKind, InboxRow
from continuum_actors.activity.deadline import out_of_time
from continuum_actors.run.own_activities import OwnActivities
from continuum_actors.run.run_writes import dispatch_number, options_of
from continuum_actors.run.watched_execution import WatchedExecution

# A run that receives signals for years keeps the senders of its latest.
MOST_KEPT = 31

_CHILD_ENDED: dict[int, EventType] = {
    InboxKind.CHILD_COMPLETED: EventType.CHILD_COMPLETED,
    InboxKind.CHILD_FAILED: EventType.CHILD_FAILED,
    InboxKind.CHILD_CANCELLED: EventType.CHILD_CANCELLED,
}


def apply_row(row: InboxRow, watched: WatchedExecution, activities: OwnActivities) -> None:
    """Apply a row that can be read."""
    match row.kind:
        case InboxKind.SIGNAL:
            watched.apply(EventType.SIGNAL_RECEIVED, (row.name, row.body[0], row.key))
            if len(row.body) > 1 and isinstance(row.body[1], str):
                watched.signalled_in = (*watched.signalled_in[-MOST_KEPT:], row.body[1])
        case InboxKind.CANCEL:
            watched.apply(EventType.CANCEL_REQUESTED, ("parent",) if row.name == "parent" else ())
        case InboxKind.CHILD_COMPLETED | InboxKind.CHILD_FAILED | InboxKind.CHILD_CANCELLED:
            watched.apply(_CHILD_ENDED[row.kind], (int(row.name), *row.body))
        case InboxKind.ACTIVITY_COMPLETED:
            activities.answered(int(row.name))
            activities.completed(int(row.name), row.body[0])
        case _:
            _apply_failure(row, watched, activities)


def _apply_failure(row: InboxRow, watched: WatchedExecution, activities: OwnActivities) -> None:
    activity = watched.execution.pending.get(int(row.name))
    if activity is None or row.key != str(dispatch_number(activity)):
        return  # the result of a dispatch that has been given up
    match row.kind:
        case InboxKind.ACTIVITY_RAISED:
            type, text, traceback, names = row.body[:4]
            activities.raised(activity.seq, type, text, traceback, frozenset(names))
        case InboxKind.ACTIVITY_TIMED_OUT:
            text = out_of_time(options_of(activity).timeout)
            activities.raised(activity.seq, "TimeoutError", text, "", frozenset({"TimeoutError"}))
        case InboxKind.ACTIVITY_INTERRUPTED:
            activities.interrupted(activity.seq)
        case _:
            activities.crashed(activity.seq)
