"""Starts that are announced to one worker: it may begin the run before it owns it.

The announcement carries everything that the first step needs. It proves nothing: the first write
(`RunWrite.takes`) takes the run only if the row in the database is the same and has no owner.
"""

from __future__ import annotations

from typing import NamedTuple

from continuum.engine.ids import RunId


class AnnouncedRun(NamedTuple):
    """A run that has just been started by itself. `started_at` is on the journal's clock."""

    id: RunId
    workflow: str
    namespace: str
    input: bytes
    trace_context: str | None
    started_at: int


class TakenRun(NamedTuple):
    """A run that its first write takes, under the version that has executed its first step."""

    announced: AnnouncedRun
    version: str
