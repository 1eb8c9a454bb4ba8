"""The claimed tasks: claims activity tasks as far as there is capacity, runs them, and stores their results.

They outlive the actor that has them claimed (`activity_dispatcher.py`): its successor takes them over.
"""

from __future__ import annotations

import asyncio

from continuum.definitions.activity_context import leave_activity
from continuum.engine.ids import RunId
from continuum.journal.port import ClaimedTask, InboxKind, LeaseLost, TaskResult
from continuum_actors.activity.attempt import Attempt, HardKill, heartbeats_in
from continuum_actors.activity.attempt_runner import AttemptRunner
from continuum_actors.activity.background_tasks import BackgroundTasks, says_only_that_it_was_cancelled
from continuum_actors.activity.deadline import Limits
from continuum_actors.activity.heartbeats import Heartbeats
from continuum_actors.activity.loop_sentinel import LoopSentinel
from continuum_actors.activity.watched_steps import watched
from continuum_actors.host import limits
from continuum_actors.host.failures import describe_error
from continuum_actors.host.host import Host
from continuum_supervision import ActorRef, Clock


class ClaimedTasks:
    """The tasks of one process; `isolated` means one at a time, in a process that may be killed."""

    def __init__(self, host: Host, clock: Clock, *, isolated: bool) -> None:
        self._host = host
        self._isolated = isolated
        self._capacity = 1 if isolated else host.settings.claimed_tasks
        self._running: dict[tuple[RunId, int, int], Attempt] = {}
        self._results: list[TaskResult] = []
        self._claiming = False
        self._look_again = False
        self._storing = False
        self._loop = asyncio.get_running_loop()
        self._in_charge: ActorRef
        self._sentinel: LoopSentinel
        self._background = BackgroundTasks(self._failed)
        self._runner = AttemptRunner(host, clock, HardKill() if isolated else None)
        self._heartbeats = Heartbeats(host, self._background, self._unwanted)
        self._beat = heartbeats_in(self._loop, self._heartbeats.record)
        self.has_lease = False

    def take_charge(self, actor: ActorRef) -> None:
        """Report what goes wrong to this actor from now on."""
        self._in_charge = actor
        sentinel = self._sentinel = LoopSentinel(self._loop)
        # Also after a kill, when `terminate` is not called.
        actor.on_exit(lambda ref, reason: sentinel.end())

    def _failed(self, error: BaseException) -> None:
        self._in_charge.send(error)

    def _is_over(self) -> bool:
        """Whether tasks are cancelled because the process ends, or its loop: no activity failed then."""
        return self.over or not self._in_charge.alive or self._sentinel.cancelled_by_the_loop()

    @property
    def busy(self) -> bool:
        """Whether a task is running or its result is not stored yet."""
        return bool(self._running or self._results or self._background)

    @property
    def over(self) -> bool:
        """Whether everything was cancelled because the process stops."""
        return self._background.cancelled

    def cancel(self) -> None:
        """Cancel everything: the process stops."""
        self._background.cancel()

    def lost_track(self) -> None:
        """Forget results that could not be stored: their tasks are released, claimed and run again."""
        self._results.clear()
        self._host.journal.doubt_claimed_tasks()

    def look(self) -> None:
        """Claim tasks as far as there is capacity."""
        if self._claiming:
            self._look_again = True
        elif self.has_lease and self._host.claims and not self._host.draining:
            self._claiming = True
            self._background.start(self._claim_all())

    async def _claim_all(self) -> None:
        host = self._host
        lost = False
        try:
            while (room := self._capacity - len(self._running)) > 0 and not host.draining:
                self._look_again = False
                tasks = await self._claim(room)
                for task in tasks:
                    if task.waited is not None:
                        host.measures.task_claimed(task.queue, task.waited)
                    self.start(task)
                if len(tasks) < room and not self._look_again:
                    break
        except LeaseLost as error:
            host.lease.lost(error)
            lost = True
        finally:
            self._claiming = False
        if lost and self._look_again:
            # The process has a new lease already, and reported it while this claim waited with the old one.
            self.look()

    def start(self, task: ClaimedTask) -> asyncio.Task[None]:
        """Start a claimed task; return the asyncio task in which it runs."""
        attempt = self._attempt_at(task)
        # Counted before its first turn: the next claim is for the room that is left.
        self._running[task.run_id, task.seq, task.dispatch] = attempt
        work = watched(self._host.pulse, attempt.trace, self._run(task, attempt))
        return self._background.start(work)

    async def _claim(self, room: int) -> list[ClaimedTask]:
        """Claim up to `room` tasks."""
        host = self._host
        return await host.journal.claim_tasks(
            host.registered_worker(),
            list(host.code.activities),
            isolated=self._isolated,
            limits=host.settings.queues,
            unlisted_limit=limits.UNLISTED_QUEUE_LIMIT,
            limit=room,
            known=self.known,
            namespaces=host.settings.namespaces,
        )

    def known(self) -> list[tuple[RunId, int]]:
        """Return the claimed tasks that are running here or whose results are not stored yet."""
        running = [(run_id, seq) for run_id, seq, _ in self._running]
        return running + [(result.task.run_id, result.task.seq) for result in self._results]

    def _attempt_at(self, task: ClaimedTask) -> Attempt:
        attempt = Attempt(
            self._host.code.activities[task.activity],
            task,
            task.seq,
            task.arguments,
            task.attempt,
            Limits(task.timeout or None, task.heartbeat_timeout or None, total=task.remaining),
            task.key,
            self._beat,
            task.dispatch,
        )
        # Also one of the first dispatch may have been started before, by a worker that died.
        attempt.context.resume_from(task.last_heartbeat)
        return attempt

    async def _run(self, task: ClaimedTask, attempt: Attempt) -> None:
        try:
            value = await self._runner.result_of(attempt)
        except BaseException as error:
            if says_only_that_it_was_cancelled(error) and self._is_over():
                raise asyncio.CancelledError from error
            attempt.measure(self._host.measures, self._loop.time(), error)
            await self._heartbeats.flush(task.run_id, task.seq)
            kind, text, traceback, names = describe_error(error)
            result = TaskResult(task, InboxKind.ACTIVITY_RAISED, (kind, text, traceback, sorted(names)))
        else:
            attempt.measure(self._host.measures, self._loop.time(), None)
            result = TaskResult(task, InboxKind.ACTIVITY_COMPLETED, (value,))
        finally:
            del self._running[task.run_id, task.seq, task.dispatch]
        leave_activity()
        self._results.append(result)
        if not self._storing:
            self._storing = True
            self._background.start(self._store_results())

    async def _store_results(self) -> None:
        host = self._host
        try:
            while self._results:
                results = self._results[: limits.RESULTS_PER_STATEMENT]
                await host.journal.complete_tasks(host.registered_worker(), results)
                if host.hints:
                    host.hint(result.task.run_id for result in results)
                del self._results[: len(results)]
        finally:
            self._storing = False
        self.look()

    def _unwanted(self, run_id: RunId, seq: int) -> None:
        """Set `cancelled` of the attempts whose task is gone: the run has ended or no longer waits."""
        for (running_run, running_seq, _), attempt in self._running.items():
            if (running_run, running_seq) == (run_id, seq):
                attempt.context.cancelled = True
