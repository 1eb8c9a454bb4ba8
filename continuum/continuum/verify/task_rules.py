"""Rules of activity tasks: each belongs to a pending activity of its run's history."""

from __future__ import annotations

from collections.abc import Iterator

from continuum.journal.facts import RunState
from continuum.journal.mend import Mend, MendKind
from continuum.journal.stored_facts import StoredRunFacts
from continuum.verify.findings import Finding
from continuum.verify.open_effects import OpenEffects
from continuum.verify.tail_rules import next_seq


def task_findings(run: StoredRunFacts, effects: OpenEffects) -> Iterator[Finding]:
    """Check the tasks of a run that has not ended."""
    if run.state >= RunState.COMPLETED:
        return
    for task in run.tasks:
        if task.seq >= next_seq(run):
            # The history has lost its end.
            continue
        activity = effects.activities.get(task.seq)
        if activity is None or activity.name != task.activity:
            text = f"task {task.seq} ({task.activity}) is for no pending activity of the history"
            yield Finding(run.id, "task-without-activity", text, (Mend(MendKind.DROP_TASK, task.seq),))
        elif task.dispatch < activity.attempt + activity.crashes or task.attempt != activity.attempt:
            text = (
                f"task {task.seq} is dispatch {task.dispatch} of attempt {task.attempt}, and the history "
                f"is at attempt {activity.attempt} with {activity.crashes} crashes"
            )
            yield Finding(run.id, "task-dispatch", text, (effects.requeued(task.seq),))
