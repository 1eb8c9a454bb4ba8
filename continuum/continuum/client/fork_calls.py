"""`ForkCalls`: the calls of a client that make runs from the events of others. `Client` has them."""

from __future__ import annotations

from typing import Any, Unpack, cast

from continuum.client.argument_checks import RunOrId
from continuum.client.completions import Completions
from continuum.client.namespaces import ANY_NAMESPACE, InNamespace
from continuum.client.run_forks import CutOptions, RunForks, Signals, forking_of
from continuum.client.run_handle import CallsOfRun, RunHandle
from continuum.engine.events import Forking
from continuum.operations.actor import Recorder
from continuum.operations.cut_facts import Cut


class ForkCalls:
    """Restarts, resets and forks runs."""

    _forks: RunForks
    _record: Recorder
    _completions: Completions

    async def cut(
        self,
        run_id: RunOrId,
        how: str,
        *,
        at: int | None = None,
        signals: Signals = "again",
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> Cut:
        """Return what ``restart``, ``reset`` or ``fork`` would do with a run; nothing is changed.

        It says which activities run again. Raises `CutRefused` as the call itself does. Give it to that call
        as `seen`, so that nothing happens if it would do something else by then.
        """
        return await self._forks.cut(forking_of(how), run_id, at, namespace, signals)

    async def restart(
        self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE, **options: Unpack[CutOptions]
    ) -> RunHandle[Any]:
        """Let a failed run, the latest of its chain, continue from its failure.

        The activity that failed is pending again, with attempt 1; results beside it stay. A run that its own
        code failed is replayed by the code that nodes have now, and continues. Otherwise this is `reset` to
        the place of the failure. Raises `CutRefused` if a compensation has undone since what the
        events before count on, or if the failure began in a child.
        """
        return await self._fork(Forking.RESTART, run_id, None, namespace, options)

    async def reset(
        self,
        run_id: RunOrId,
        at: int,
        *,
        namespace: InNamespace = ANY_NAMESPACE,
        **options: Unpack[CutOptions],
    ) -> RunHandle[Any]:
        """Let a run continue from before its event `at`, as the next run of its chain.

        Every id of the chain, and so the key of its start, means that run from now on: signals go to it, and
        its result is the one that callers and the parent wait for. An open run ends as cancelled with that,
        and a run that had ended stays as it is.

        What was pending begins again, with attempt 1. Signals that came later are posted again, unless
        `signals` is ``"drop"``; children that have ended report that again. Raises `CutRefused`, which names
        the last cut that works, if a child is open there or a compensation has undone something; and if the
        parent has received the end of the run.

        With `workflow` its code must accept the events before the cut, which a replay without effects finds
        out first. Without, the node that claims the run does: code that does not accept them leaves it alone.
        Activities with an idempotency key keep their recorded results. With `seen`, nothing happens if `cut`
        would return something else now: `RunChanged`.
        """
        return await self._fork(Forking.RESET, run_id, at, namespace, options)

    async def fork(
        self,
        run_id: RunOrId,
        at: int,
        *,
        namespace: InNamespace = ANY_NAMESPACE,
        **options: Unpack[CutOptions],
    ) -> RunHandle[Any]:
        """Make a run that continues from before event `at` of exactly this one, which stays as it is.

        It is a run of its own, without a parent and without the key of the start. It begins with the
        attributes of the other, and with the latest values of what was published before the cut. `reset` says
        the rest.
        """
        return await self._fork(Forking.FORK, run_id, at, namespace, options)

    async def _fork(
        self, how: Forking, run_id: RunOrId, at: int | None, namespace: InNamespace, options: CutOptions
    ) -> RunHandle[Any]:
        run = await self._forks.make(how, run_id, at, namespace, options, self._record)
        if run.succeeds:
            self._completions.forget_ends([run.origin])
        return RunHandle(cast("CallsOfRun", self), run.id, options.get("workflow"), started=None)
