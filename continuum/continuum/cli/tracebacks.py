"""Tracebacks on a terminal: that of a run's error, and that of the failure which the error repeats."""

from __future__ import annotations

from continuum.cli.printing import say
from continuum.client.error_causes import ErrorCause
from continuum.client.runs import RunError

# The last frames say where it failed; those above are how the engine got there.
LINES_SHOWN = 16


def print_tracebacks(error: RunError, cause: ErrorCause | None, *, whole: bool) -> None:
    """Print the traceback of an error and that of its cause, shortened unless `whole`."""
    if error.traceback:
        say(f"\n{_text(error.traceback, whole=whole)}")
    if cause is None:
        return
    if cause.child_run_id is not None:
        say(f"\nevent {cause.event}: the child {cause.child_run_id} of {cause.name} failed:")
    else:
        on_attempt = "" if cause.attempt is None else f" on attempt {cause.attempt}"
        say(f"\nevent {cause.event}: {cause.name} failed{on_attempt}:")
    say(_text(cause.traceback or f"{cause.type}: {cause.message}", whole=whole))


def _text(traceback: str, *, whole: bool) -> str:
    lines = traceback.rstrip().splitlines()
    if whole or len(lines) <= LINES_SHOWN:
        return "\n".join(lines)
    first, last = lines[0], lines[2 - LINES_SHOWN :]
    return "\n".join((first, f"  … {len(lines) - len(last) - 1} lines, which -v shows", *last))
