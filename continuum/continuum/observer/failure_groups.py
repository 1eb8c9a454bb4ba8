"""`read_failures`: the latest failed runs in groups of one workflow, one type of error and one place."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from continuum.client.runs import error_of
from continuum.journal.facts import Query, RunRow, RunState
from continuum.journal.failure_causes import failure_cause
from continuum.journal.port import Runs
from continuum.journal.untyped_values import at
from continuum.observer.limits import FAILURES_LOOKED_AT

_FRAME = re.compile(r'^  File "([^"\n]+)", line (\d+), in (\S+)$', re.MULTILINE)
_ACTIVITY = re.compile(r"(\S+) failed on attempt \d+")
# Frames that are no code of a user.
_OURS = re.compile(r"[/\\](?:continuum|continuum_actors|site-packages|lib[/\\]python[\d.]+)[/\\]")


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Failed runs of one workflow with one type of error at one place: `place` is an activity or a line.

    `runs` are those among the latest that were looked at; `first` and `last` are when the first and the last
    of these ended, and `example` is the last one, which ended with this `message`.
    """

    workflow: str
    error: str
    place: str | None
    runs: int
    first: datetime
    last: datetime
    example: str
    message: str | None


@dataclass(frozen=True, slots=True)
class Failures:
    """Groups of failed runs, the largest first. With `more` there are failed runs that started earlier."""

    groups: Sequence[FailureGroup]
    looked_at: int
    more: bool


async def read_failures(
    journal: Runs, *, workflow: str | None = None, messages: bool = True, most: int = FAILURES_LOOKED_AT
) -> Failures:
    """Return the failed runs that started latest, of a workflow or of all, in groups."""
    where: list[tuple[str, str, object]] = [("state", "in", [RunState.FAILED])]
    if workflow is not None:
        where.append(("workflow", "eq", workflow))
    rows = await journal.query(Query(None, where, ("started_at", True), most + 1, None, payloads=False))
    return Failures(groups_of(rows[:most], messages=messages), min(len(rows), most), len(rows) > most)


def groups_of(rows: Iterable[RunRow], *, messages: bool = True) -> list[FailureGroup]:
    """Return failed runs in groups, the largest first."""
    groups: defaultdict[tuple[str, str, str | None], list[tuple[int, RunRow, str]]] = defaultdict(list)
    for row in rows:
        error = error_of(row.error)
        kind = failure_cause(row.error or b"") or error.type
        ended = row.updated_at if row.completed_at is None else row.completed_at
        groups[row.workflow, kind, place_of(error.message, error.traceback)].append(
            (ended, row, error.message)
        )
    found = []
    for (workflow, kind, place), runs in groups.items():
        last, latest, message = max(runs, key=lambda each: (each[0], each[1].id))
        first = min(ended for ended, _, _ in runs)
        found.append(
            FailureGroup(
                workflow,
                kind,
                place,
                len(runs),
                at(first),
                at(last),
                latest.id,
                message if messages else None,
            )
        )
    return sorted(found, key=lambda group: (-group.runs, group.workflow, group.error, group.place or ""))


def place_of(message: str, traceback: str) -> str | None:
    """Return where a run failed: in an activity, or else at the last line that is not ours."""
    activity = _ACTIVITY.match(message)
    if activity is not None:
        return f"activity {activity[1]}"
    frames = [frame for frame in _FRAME.findall(traceback) if not _OURS.search(frame[0])]
    if not frames:
        return None
    path, line, function = frames[-1]
    file = re.split(r"[/\\]", path)[-1]
    return f"{file}:{line} in {function}"
