"""`PauseCalls`: the calls of a client that pause and resume."""

from __future__ import annotations

from typing import Any, TypeAlias

from continuum.client.argument_checks import RunOrId
from continuum.client.namespaces import ANY_NAMESPACE, InNamespace
from continuum.client.pause_outcome import Pause, PauseOutcome, public_pause
from continuum.client.retrying import retry_read_once
from continuum.client.run_changes import seen_run
from continuum.client.run_lookup import RunLookup
from continuum.client.runs import Run
from continuum.definitions.name_rules import DEFINITION_NAME_BYTES, short_text
from continuum.definitions.workflow import Workflow
from continuum.errors import InvalidOption
from continuum.journal.audit_facts import Action, AuditFacts
from continuum.journal.facts import Posted
from continuum.journal.limits import MOST_COUNTED
from continuum.journal.pause_facts import PauseKind, PauseScope
from continuum.journal.pause_port import Pauses
from continuum.operations.actor import REASON_BYTES, Recorder
from continuum.operations.pause_words import scope_words

# A workflow, by itself or by its name; None for another kind of pause.
WorkflowOrName: TypeAlias = Workflow[..., Any] | str | None


class PauseCalls:
    """The calls about pauses; `Client` has them."""

    _pauses: Pauses
    _lookup: RunLookup
    _record: Recorder

    async def pause_run(
        self,
        run_id: RunOrId,
        reason: str | None = None,
        *,
        seen: Run | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> PauseOutcome:
        """Pause the latest run of its chain: within a second nothing of it begins any more.

        Activities that run end, and their results are kept. Timers and signals wait, deadlines do not. A
        request to stop lifts the pause, so that the run compensates. A run that has ended raises
        `RunTerminal`; with `seen`, the run as it was looked at, one that has changed raises `RunChanged`.
        """
        why = self._reason(reason)
        found = await self._lookup.resolve(run_id, namespace)
        audit = _because(self._record(Action.PAUSE, found), reason)
        guard = None if seen is None else seen_run(seen)
        paused = await retry_read_once(
            lambda: self._pauses.pause_run(found, by=self._by(), reason=why, seen=guard, audit=audit)
        )
        await self._lookup.check_taken(found, paused.posted)
        assert paused.pause is not None, "a run that is paused has a pause"
        assert paused.run_id is not None, "a run that is paused has an id"
        pause = public_pause(paused.pause, paused.run_id)
        return PauseOutcome(pause, paused.posted is Posted.DUPLICATE)

    async def resume_run(self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> bool:
        """Let the latest run of its chain continue; False if it is not paused by itself.

        What became due meanwhile is due at once. A run that has ended raises `RunTerminal`.
        """
        found = await self._lookup.resolve(run_id, namespace)
        audit = self._record(Action.RESUME, found)
        resumed = await retry_read_once(lambda: self._pauses.resume_run(found, audit=audit))
        await self._lookup.check_taken(found, resumed.posted)
        return resumed.posted is Posted.ACCEPTED

    async def pause(
        self,
        *,
        workflow: WorkflowOrName = None,
        queue: str | None = None,
        namespace: str | None = None,
        reason: str | None = None,
    ) -> PauseOutcome:
        """Pause a workflow, in one `namespace` or in all; or a queue; or a whole namespace.

        All runs of the workflow or namespace, also those that are started later, are paused like
        `pause_run` does it with one. Nobody claims an activity of a paused queue; its runs continue.
        """
        scope, why = pause_scope(workflow, queue, namespace), self._reason(reason)
        audit = _because(self._record(Action.PAUSE, scope_words(scope)), reason)
        begun, pause = await retry_read_once(
            lambda: self._pauses.pause_together(scope, by=self._by(), reason=why, audit=audit)
        )
        return PauseOutcome(public_pause(pause), not begun)

    async def resume(
        self,
        *,
        workflow: WorkflowOrName = None,
        queue: str | None = None,
        namespace: str | None = None,
    ) -> bool:
        """End the pause with exactly these arguments; False if there is none. Other pauses stay."""
        scope = pause_scope(workflow, queue, namespace)
        audit = self._record(Action.RESUME, scope_words(scope))
        return await retry_read_once(lambda: self._pauses.resume_together(scope, audit=audit))

    async def pauses(self) -> list[Pause]:
        """Return the paused workflows, queues and namespaces, the latest first, 10,000 at most."""
        found = await self._lookup.read(lambda: self._pauses.pauses(MOST_COUNTED))
        return [public_pause(pause) for pause in found]

    def _by(self) -> str | None:
        return None if self._record.actor is None else self._record.actor.name

    def _reason(self, given: str | None) -> str | None:
        if given is not None:
            return short_text(given, "a reason", most=REASON_BYTES)
        return None if self._record.actor is None else self._record.actor.reason


def pause_scope(workflow: WorkflowOrName, queue: str | None, namespace: str | None) -> PauseScope:
    """Return what is to be paused; `InvalidOption` if that is nothing, or two things."""
    if queue is not None:
        if workflow is not None or namespace is not None:
            raise InvalidOption("a queue is paused in every workflow and namespace; give queue= alone")
        return PauseScope(PauseKind.QUEUE, short_text(queue, "queue"))
    within = None if namespace is None else short_text(namespace, "namespace")
    if workflow is not None:
        name = workflow.name if isinstance(workflow, Workflow) else workflow
        named = short_text(name, "workflow", most=DEFINITION_NAME_BYTES)
        return PauseScope(PauseKind.WORKFLOW, named, within or "")
    if within is None:
        raise InvalidOption("say what is paused: workflow=, queue= or namespace=")
    return PauseScope(PauseKind.NAMESPACE, within)


def _because(audit: AuditFacts | None, reason: str | None) -> AuditFacts | None:
    """Return the facts with the reason that was given for this change alone."""
    return audit if audit is None or reason is None else audit._replace(reason=reason)
