"""What is paused, in words and as options of commands: the same wherever people read it."""

from __future__ import annotations

import shlex
from datetime import datetime

from continuum.journal.pause_facts import PauseKind, PauseScope


def scope_words(scope: PauseScope) -> str:
    """Return what is paused."""
    within = f" in namespace {scope.namespace}" if scope.namespace else ""
    return f"{scope.kind} {scope.name}{within}"


def paused_words(since: datetime, by: str | None, reason: str | None) -> str:
    """Return since when something is paused, by whom and why."""
    who = "" if by is None else f" by {by}"
    why = "" if reason is None else f": {reason}"
    return f"paused since {since.isoformat(timespec='seconds')}{who}{why}"


def scope_options(scope: PauseScope) -> str:
    """Return the options of the commands that pause and resume this."""
    options = f"--{scope.kind} {shlex.quote(scope.name)}"
    if scope.kind is PauseKind.WORKFLOW and scope.namespace:
        options += f" --namespace {shlex.quote(scope.namespace)}"
    return options
