"""Runs that mail has woken, announced to one worker: it may resume such a run before it owns it.

It reads the run with its history and its mail, and replays. The first write (`RunWrite.takes`) takes the run
only if nobody has owned it since: then nobody can have appended to its history or consumed its mail.
"""

from __future__ import annotations

from typing import NamedTuple

from continuum.engine.ids import RunId, is_run_id

_WOKEN = "mail "


class ResumedRun(NamedTuple):
    """A run that its first write takes: the token that its row had when it was read, and its version."""

    before: int
    version: str


def woken(run_id: RunId) -> str:
    """Return the text that announces a run that has mail to one worker, as SQL's `announce_mail` makes it."""
    return f"{_WOKEN}{run_id}"


def read_woken(text: str) -> RunId | None:
    """Return the run that has mail; None if the text is anything else."""
    run_id = text.removeprefix(_WOKEN)
    return RunId(run_id) if text.startswith(_WOKEN) and is_run_id(run_id) else None
