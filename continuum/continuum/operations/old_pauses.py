"""The findings about pauses that stand for long: a person may have forgotten them."""

from __future__ import annotations

import shlex

from continuum.journal.health_port import OldPause
from continuum.journal.pause_facts import PauseKind
from continuum.journal.untyped_values import at
from continuum.operations.commands import command
from continuum.operations.findings import Finding, amount, verb
from continuum.operations.health_codes import health_finding
from continuum.operations.pause_words import paused_words, scope_options, scope_words
from continuum.operations.scene import REASON_CHARACTERS
from continuum.operations.search import searched
from continuum.quoting import one_line, quoted


def old_pause_finding(old: OldPause, schema: str | None) -> Finding:
    """Return since when and why something is paused, what that holds, and the command that resumes it."""
    pause = old.pause
    why = None if pause.reason is None else one_line(pause.reason, REASON_CHARACTERS)
    words = paused_words(at(pause.since), pause.by, why)
    if pause.scope is not None:
        subject = scope_words(pause.scope)
        text = f"{subject} is {words}; this holds {_held(old)}; resume it if it is to continue"
        fix = command(schema, "resume", *shlex.split(scope_options(pause.scope)))
    else:
        subject, name = f"runs of {old.workflow}", str(old.workflow)
        if old.runs == 1 and not old.more:
            text = f"run {old.example} of workflow {quoted(name)} is {words}; resume it if it is to continue"
            fix = command(schema, "runs", "resume", str(old.example))
        else:
            runs = amount(old.runs, "run", more=old.more)
            are = verb(old.runs, "is", "are", more=old.more)
            text = (
                f"{runs} of workflow {quoted(name)} {are} paused one by one; the first, run {old.example}, "
                f"is {words}; resume them if they are to continue"
            )
            search = f"workflow:{searched(name)} paused:>1d"
            fix = command(schema, "runs", "resume", "--find", search)
    return health_finding(
        "paused-long",
        subject,
        text,
        fix,
        since=pause.since,
        count=old.runs,
        more=old.more,
        latest=old.latest,
    )


def _held(old: OldPause) -> str:
    tasks = amount(old.tasks, "waiting task", more=old.more_tasks)
    if old.pause.scope is not None and old.pause.scope.kind is PauseKind.QUEUE:
        return tasks
    return f"{amount(old.runs, 'open run', more=old.more)} and {tasks}"
