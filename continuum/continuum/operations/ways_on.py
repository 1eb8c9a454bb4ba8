"""How a failed, cancelled or waiting run continues: `explain` offers the commands that the plans allow.

A command is offered only if `plan` makes it now, so that what is offered is not refused.
"""

from __future__ import annotations

from continuum.engine.events import EventType, Forking
from continuum.errors import CutRefused
from continuum.journal.event_codec import CorruptBody
from continuum.journal.facts import RunRow, RunState
from continuum.journal.situation import Situation
from continuum.operations.cut_facts import Cut
from continuum.operations.cut_words import anew_words, standing_words
from continuum.operations.explanation import Fix
from continuum.operations.failure_cuts import failed_child, failed_compensation
from continuum.operations.family_walk import CutRuns
from continuum.operations.forks import error_text, parent_that_heard, plan
from continuum.operations.history_cuts import readable, unreadable
from continuum.operations.run_history import read_history
from continuum.operations.scene import MICROSECONDS
from continuum.quoting import listed

MENDED = "once the cause of its failure is mended"
# An attempt that begins sooner is there before a person has read why it waits.
LONG_BACK_OFF = 60 * MICROSECONDS


async def ways_on(journal: CutRuns, run: RunRow, *, short: bool) -> tuple[Fix, ...]:
    """Return how a run continues that has failed, was cancelled or cannot be read.

    With `short` its history is short enough to be looked at. If its parent has received its end, the parent
    has to be reset.
    """
    if run.continued_to is not None and run.state.terminal:
        # It was restarted or reset meanwhile.
        return (Fix(f"continuum explain {run.continued_to}"),)
    if run.state is RunState.CANCELLED:
        return await _of_cancelled(journal, run) if short else ()
    if run.state is RunState.BLOCKED:
        return await _of_corrupt(journal, run) if short else ()
    if run.state is not RunState.FAILED:
        return ()
    parent = await parent_that_heard(journal, run)
    if parent is not None:
        return await _at_parent(journal, run, parent)
    if not short:
        # The command looks at all of it.
        return (Fix(f"continuum runs restart {run.id}", MENDED),)
    return await _of_failed(journal, run)


async def try_now(journal: CutRuns, situation: Situation) -> tuple[Fix, ...]:
    """Return how a run whose calls all wait long for another attempt begins them at once.

    It is a reset that keeps all events. Nothing may be under way: that would be done twice.
    """
    run, events = situation.run, situation.events
    open_run = run.state in (RunState.RUNNING, RunState.SUSPENDED) and run.pause is None
    if not open_run or situation.first or situation.tasks or situation.mail:
        return ()
    history = read_history(events)
    calls = list(history.calls.values())
    late = [call.retry_due is not None and call.retry_due - situation.now >= LONG_BACK_OFF for call in calls]
    if not calls or not all(late) or history.cancelled_at is not None:
        return ()
    cut, _ = await _cut(journal, run, Forking.RESET, len(events))
    if cut is None or len(cut.runs_again) != len(calls):
        return ()
    names = listed(sorted({call.name for call in calls}))
    when = f"once its cause is mended, to try {names} now, with all attempts anew"
    return (Fix(f"continuum runs reset {run.id} --at {len(events)}", when),)


async def _of_failed(journal: CutRuns, run: RunRow) -> tuple[Fix, ...]:
    cut, nearest = await _cut(journal, run, Forking.RESTART, None)
    if cut is not None:
        when = MENDED
        if again := [call.name for call in cut.runs_again if call.compensation]:
            tried = "that is tried again, and then the run ends as before"
            when = f"once {' and '.join(again)} can succeed: {tried}"
        return (Fix(f"continuum runs restart {run.id}", when),)
    by_hand = await _by_hand(journal, run)
    if nearest is None:
        return by_hand
    cut, _ = await _cut(journal, run, Forking.RESET, nearest)
    return by_hand if cut is None else (*by_hand, _reset(cut, MENDED))


async def _by_hand(journal: CutRuns, run: RunRow) -> tuple[Fix, ...]:
    """Return which compensations have failed and are not tried again, of a run that is not restarted."""
    events = readable((await journal.load([run.id]))[run.id])
    if unreadable(events) is not None or failed_compensation(events, error_text(run)) is None:
        return ()
    failures = [event.body[0] for event in events if event.type == EventType.COMPENSATION_FAILED]
    names = listed([f"{events[seq].body[0]} (event {seq})" for seq in failures])
    why = f"to undo by hand what {names} should have undone: no restart tries it again; the history has it"
    return (Fix(f"continuum runs history {run.id}", why),)


async def _of_cancelled(journal: CutRuns, run: RunRow) -> tuple[Fix, ...]:
    """Return how the compensation that failed when a run was cancelled is tried again."""
    events = readable((await journal.load([run.id]))[run.id])
    failed = failed_compensation(events) if unreadable(events) is None else None
    if failed is None or await parent_that_heard(journal, run) is not None:
        return ()
    cut, _ = await _cut(journal, run, Forking.RESET, failed.seq)
    when = f"once {events[failed.body[0]].body[0]} can succeed, to try it again"
    return () if cut is None else (Fix(f"continuum runs reset {run.id} --at {failed.seq}", when),)


async def _of_corrupt(journal: CutRuns, run: RunRow) -> tuple[Fix, ...]:
    """Return how a run continues from before what cannot be read, if that is in its history."""
    place = unreadable((await journal.load([run.id]))[run.id])
    if place is None:
        return ()
    cut, nearest = await _cut(journal, run, Forking.RESET, place)
    if nearest is not None:
        cut, _ = await _cut(journal, run, Forking.RESET, nearest)
    return () if cut is None else (_reset(cut, "if it cannot be restored"),)


def _reset(cut: Cut, when: str) -> Fix:
    """Return the command of a reset, with what it does again."""
    words = (when, "it does again what was done since", *anew_words(cut), *standing_words(cut))
    return Fix(f"continuum runs reset {cut.run_id} --at {cut.at}", "; ".join(words))


async def _cut(journal: CutRuns, run: RunRow, how: Forking, at: int | None) -> tuple[Cut | None, int | None]:
    """Return what a change would do, or else the place that works; neither if what is stored is damaged."""
    try:
        return (await plan(journal, run, how, at)).cut, None
    except CutRefused as refused:
        return None, refused.nearest
    except (CorruptBody, ValueError):
        # The error of a child, or its id.
        return None, None


async def _at_parent(journal: CutRuns, run: RunRow, parent: RunRow) -> tuple[Fix, ...]:
    """Return how the parent starts a child anew that it has seen fail, if it has failed because of that."""
    while parent.continued_to is not None:
        latest = await journal.get_run(parent.continued_to)
        if latest is None:
            return ()
        parent = latest
    if parent.state is RunState.FAILED:
        events = readable((await journal.load([parent.id]))[parent.id])
        if unreadable(events) is None and failed_child(events, error_text(parent)) == run.parent_seq:
            return await ways_on(journal, parent, short=True)
    return (Fix(f"continuum explain {parent.id}", "its parent has received its end"),)
