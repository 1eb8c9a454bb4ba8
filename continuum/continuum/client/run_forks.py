"""`RunForks`: runs that begin with the events of another. With an actor each change is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias, TypedDict, get_args

from continuum.client.argument_checks import RunOrId, run_id_of
from continuum.client.namespaces import InNamespace, checked_namespace
from continuum.client.retrying import retry_write
from continuum.client.run_lookup import RunLookup
from continuum.codec.arguments import unreadable_input
from continuum.definitions.effects import RunInfo
from continuum.definitions.workflow import Workflow
from continuum.engine.dry_replay import dry_pass
from continuum.engine.events import Forking
from continuum.engine.ids import RunId
from continuum.errors import CutRefused, DurableTermError, InvalidOption, RunChanged, RunNotFound
from continuum.journal.audit_facts import Action, AuditFacts
from continuum.journal.facts import Posted, RunRow, RunState
from continuum.journal.forked_run import ForkedRun
from continuum.journal.port import Connection
from continuum.operations.actor import Recorder
from continuum.operations.cut_facts import Cut
from continuum.operations.family_walk import CutRuns
from continuum.operations.forks import Plan, plan
from continuum.quoting import quoted

Signals: TypeAlias = Literal["again", "drop"]
"""What becomes of the signals that came after a cut: they are posted again, or dropped."""


class CutOptions(TypedDict, total=False):
    """How a run is restarted, reset or forked; see `Client.reset`."""

    signals: Signals
    workflow: Workflow[..., Any] | None
    seen: Cut | None


# A run that works changes with every step. This often in a row it does so between a look and a change.
LOOKS = 10


def forking_of(how: str) -> Forking:
    """Return which call is meant."""
    try:
        return Forking(how)
    except ValueError:
        raise InvalidOption(f"how is 'restart', 'reset' or 'fork', not {quoted(how)}") from None


class ForkedRuns(CutRuns, Connection, Protocol):
    """Runs, their histories and the journal's clock."""


class RunForks:
    """Makes runs that begin with the events of another, for one client."""

    def __init__(self, journal: ForkedRuns, lookup: RunLookup, fresh_id: Callable[[], RunId]) -> None:
        self._journal = journal
        self._lookup = lookup
        self._fresh_id = fresh_id

    async def cut(
        self, how: Forking, run_id: RunOrId, at: int | None, namespace: InNamespace, signals: Signals
    ) -> Cut:
        """Return what a change would do; see `Client.cut`."""
        return (await self._plan(how, run_id, at, namespace, signals)).cut

    async def make(
        self,
        how: Forking,
        run_id: RunOrId,
        at: int | None,
        namespace: InNamespace,
        options: CutOptions,
        record: Recorder,
    ) -> ForkedRun:
        """Make a run and return it; what was seen must still be so."""
        signals, seen = options.get("signals", "again"), options.get("seen")
        workflow = options.get("workflow")
        audit: AuditFacts | None = None
        for _ in range(LOOKS):
            found = await self._plan(how, run_id, at, namespace, signals)
            if seen is not None and found.cut != seen:
                break
            run = found.new_run(self._fresh_id(), self._journal.now())
            if workflow is not None:
                await asyncio.to_thread(_check_code, workflow, found, run)
            facts = record(
                Action(how.value), run.origin, at=found.cut.at, new_run=run.id, signals=str(signals)
            )
            # One request has one row, however often it looks.
            audit = facts if facts is None or audit is None else facts._replace(id=audit.id)
            posted = await retry_write(lambda run=run, audit=audit: self._journal.fork_run(run, audit=audit))  # type: ignore[misc]  # mypy cannot type a lambda's defaults
            if posted is Posted.NOT_FOUND:
                raise RunNotFound(run.origin, removed=True)
            if posted is not Posted.STALE:
                return run
        raise RunChanged(run_id_of(run_id))

    async def _plan(
        self, how: Forking, run_id: RunOrId, at: int | None, namespace: InNamespace, signals: Signals
    ) -> Plan:
        if signals not in get_args(Signals):
            raise InvalidOption(f"signals is 'again' or 'drop', not {quoted(signals)}")
        if (at is None) != (how is Forking.RESTART):
            takes = "finds the place of the failure itself; leave out" if at is not None else "needs"
            raise InvalidOption(f"{how.value} {takes} at=, the seq of an event")
        asked = row = await self._lookup.row(run_id_of(run_id), checked_namespace(namespace))
        if how is Forking.RESTART:
            row = await self._lookup.latest_run(asked)
        drop = signals == "drop"
        try:
            return await self._lookup.read(lambda: plan(self._journal, row, how, at, drop_signals=drop))
        except CutRefused as refused:
            if row.id == asked.id:
                raise
            why = f"it is the latest run of {asked.id}, {_continued(asked)}; {refused.why}"
            raise CutRefused(row.id, refused.at, why, refused.nearest) from None


def _continued(asked: RunRow) -> str:
    """Return why another run is the latest of the chain of one that was asked about."""
    ended = asked.state in (RunState.FAILED, RunState.CANCELLED)
    return "which was restarted or reset already" if ended else "which has continued as new"


def _check_code(workflow: Workflow[..., Any], found: Plan, run: ForkedRun) -> None:
    """Refuse code that does not do what the events before the cut say. Nothing is executed."""
    why = _drift(workflow, found.origin, run)
    if why is not None:
        raise CutRefused(run.origin, found.cut.at, f"the code does not accept the events before it: {why}")


def _drift(workflow: Workflow[..., Any], origin: RunRow, run: ForkedRun) -> str | None:
    if workflow.name != origin.workflow:
        return f"it is of {workflow.name}, and the run is of {origin.workflow}"
    try:
        args, kwargs = workflow.arguments.decode_call(origin.input)
    except DurableTermError as error:
        return unreadable_input(error)
    parent = origin.parent if run.succeeds else None
    blocked = dry_pass(
        workflow.fn(*args, **kwargs),
        [*run.prefix, run.forked],
        RunInfo(run.id, origin.workflow, workflow.label, origin.namespace, 1, parent, origin.trace_context),
        started_at=origin.started_at,
        now=run.forked.at,
        definition=workflow,
    )
    return None if blocked is None else blocked.reason
