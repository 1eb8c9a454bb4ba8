"""The deploy check: finds the open runs that code on disk could not continue.

It reads and never writes, looks at each open run once, by id, and holds only a few histories in memory at a
time. A check that was interrupted can continue after the last run that it has looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

from continuum.codec.arguments import unreadable_input
from continuum.definitions.effects import RunInfo
from continuum.definitions.workflow import Workflow
from continuum.drift.comparison import Mismatch, Row, diff, mismatch_of
from continuum.drift.ownership import own_workflows
from continuum.drift.patch_suggestion import suggest_patch
from continuum.drift.source_location import locate
from continuum.engine.dry_replay import dry_pass
from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.engine.outcome import Blocked
from continuum.errors import DurableTermError
from continuum.journal.port import Fault, Histories, RunRow, Runs, VersionRow, Versions
from continuum.journal.situation import Situations
from continuum.versions.loaded_code import Code

# Rows are small, histories are large.
PAGE_RUNS = 500
# Histories are loaded for this many runs at least, and for more if they are short.
HISTORIES = 8
EVENTS = 10_000


class StoredRuns(Runs, Histories, Situations, Versions, Protocol):
    """Runs, their histories, their mail, and the versions of their code."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A run that the code could not continue, and a possible fix.

    `problem` is "missing" (no such workflow), "waits" (its version is not loaded, and the workflow's
    policy is to wait for it), "drift", "input" (the code cannot read it), "corrupt" or "data" (it cannot
    read what is stored at `place`; `advice` is what to do). A drift comes with its mismatch, a diff around
    it, the line of code, and a sketch of code that serves old and new runs. After a replay `fault` has its
    facts and `replayed_version` is the version of the code.
    """

    run_id: str
    workflow: str
    version: str
    problem: str
    reason: str
    mismatch: Mismatch | None = None
    rows: Sequence[Row] = ()
    line: str = ""
    suggestion: str = ""
    fault: Fault | None = None
    replayed_version: str | None = None
    place: str = ""
    advice: str = ""


Inspection: TypeAlias = Callable[
    [StoredRuns, Code, Sequence[RunRow], Mapping[RunId, Sequence[Event]]], Awaitable[Sequence[Finding]]
]
"""Returns what is wrong with a few runs, whose histories it gets."""


@dataclass(frozen=True, slots=True)
class CheckedRuns:
    """The findings, oldest run first; `elsewhere` counts the runs of other applications by workflow."""

    findings: Sequence[Finding]
    elsewhere: Mapping[str, int]


async def loadable(journal: Versions, code: Code, row: VersionRow) -> str:
    """Return whether a version is "loaded", "pinned" (its source is stored for nodes) or "missing"."""
    if code.knows(row.workflow, row.version):
        return "loaded"
    return "pinned" if await _is_pinned(journal, code, row.workflow, row.version) else "missing"


class OpenRunsCheck:
    """A check of every open run against code loaded from these modules.

    Between pages `after` is the last run that it has looked at; a check that starts with it continues there.
    `inspect` finds what is wrong with a few runs; without it, where their replay would end.
    """

    def __init__(
        self,
        journal: StoredRuns,
        code: Code,
        modules: Sequence[str],
        *,
        after: RunId | None = None,
        inspect: Inspection | None = None,
    ) -> None:
        self._journal = journal
        self._inspected_by = inspect_runs if inspect is None else inspect
        self._code = code
        self._modules = modules
        self._found: list[tuple[int, Finding]] = []
        self._elsewhere: Counter[str] = Counter()
        self._group = HISTORIES
        self.after = after

    def result(self) -> CheckedRuns:
        """Return what has been found so far."""
        by_age = sorted(self._found, key=lambda found: (found[0], found[1].run_id))
        return CheckedRuns([finding for _, finding in by_age], self._elsewhere)

    async def pages(self) -> AsyncGenerator[int, None]:
        """Check page after page; yield how many runs each had."""
        own = own_workflows(self._code, self._modules, await self._journal.versions(counted=1))
        page: Sequence[RunRow] = ()
        while not page or len(page) == PAGE_RUNS:
            page = await self._journal.open_runs(self.after, PAGE_RUNS)
            if not page:
                return
            self._elsewhere.update(row.workflow for row in page if row.workflow not in own)
            ours = [row for row in page if row.workflow in own]
            while ours:
                group, ours = ours[: self._group], ours[self._group :]
                await self._inspect(group)
            self.after = page[-1].id
            yield len(page)

    async def _inspect(self, rows: Sequence[RunRow]) -> None:
        histories = await self._journal.load([row.id for row in rows])
        started = {row.id: row.started_at for row in rows}
        found = await self._inspected_by(self._journal, self._code, rows, histories)
        self._found += [(started[RunId(finding.run_id)], finding) for finding in found]
        events = sum(len(history) for history in histories.values())
        self._group = max(HISTORIES, min(PAGE_RUNS, EVENTS * len(rows) // max(events, 1)))


async def check_open_runs(journal: StoredRuns, code: Code, modules: Sequence[str]) -> CheckedRuns:
    """Find every open run that code loaded from these modules could not continue."""
    check = OpenRunsCheck(journal, code, modules)
    async for _ in check.pages():
        continue
    return check.result()


async def inspect_runs(
    journal: StoredRuns, code: Code, rows: Sequence[RunRow], histories: Mapping[RunId, Sequence[Event]]
) -> list[Finding]:
    """Return why the code could not continue these runs, nothing for one that it could."""
    found = [await inspect_run(journal, code, row, histories[row.id]) for row in rows]
    return [finding for finding in found if finding is not None]


async def inspect_run(
    journal: StoredRuns, code: Code, row: RunRow, history: Sequence[Event]
) -> Finding | None:
    """Return why the code could not continue a run, None if it could."""
    current = code.workflows.get(row.workflow)
    if current is None:
        return _finding(row, "missing", f"no workflow named {row.workflow!r} is defined there")
    if (
        row.version is not None
        and not code.knows(row.workflow, row.version)
        and current.on_change != "replay"
    ):
        if await _is_pinned(journal, code, row.workflow, row.version):
            return None
        reason = f'with on_change="{current.on_change}" it waits for a node that has its own version'
        return _finding(row, "waits", reason)
    workflow = code.workflow_for(row.workflow, row.version)
    fault = fault_of(workflow, row, history)
    return None if fault is None else _finding_of(row, workflow, history, fault)


def fault_of(workflow: Workflow[..., Any], row: RunRow, history: Sequence[Event]) -> Blocked | None:
    """Return why this code cannot continue a run's history, None if it can."""
    try:
        args, kwargs = workflow.arguments.decode_call(row.input)
    except DurableTermError as error:
        return Blocked("input", unreadable_input(error), actual=str(error))
    return dry_pass(
        workflow.fn(*args, **kwargs),
        history,
        RunInfo(row.id, row.workflow, workflow.label, row.namespace, 1, row.parent, row.trace_context),
        started_at=row.started_at,
        now=row.updated_at,
        definition=workflow,
    )


async def _is_pinned(journal: Versions, code: Code, name: str, version: str) -> bool:
    """Return whether a node with this code would find the version's source. It is not executed here."""
    current = code.workflows.get(name)
    if current is None or current.on_change != "pin":
        return False
    return await journal.version_source(name, version) is not None


def _finding_of(
    row: RunRow, workflow: Workflow[..., Any], history: Sequence[Event], fault: Blocked
) -> Finding:
    facts = Fault(fault.kind, fault.position, fault.expected, fault.actual, fault.where)
    finding = replace(
        _finding(row, fault.kind, fault.reason), fault=facts, replayed_version=workflow.version_hash
    )
    mismatch = mismatch_of(fault)
    if mismatch is None:
        return finding
    location = locate(workflow.fn, mismatch.where)
    return replace(
        finding,
        mismatch=mismatch,
        rows=diff(history, mismatch),
        line=location.line,
        suggestion=suggest_patch(row.workflow, history, mismatch, location),
    )


def _finding(row: RunRow, problem: str, reason: str) -> Finding:
    return Finding(row.id, row.workflow, row.version or "", problem, reason)
