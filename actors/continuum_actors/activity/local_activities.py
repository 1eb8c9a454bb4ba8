"""Local activities: the activities without a queue, of the runs that are live in this process.

An activity without a queue runs here, in the process of its run, as soon as the commit that
schedules it is durable; its result goes straight to the run actor.

Its attempts outlive the loss of the lease: their results then reach the run through the inbox,
or the run's next actor if that is here (I7). They outlive this actor too: its successor takes over
what is running.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import assert_never

from continuum.definitions.activity import Activity
from continuum.definitions.activity_context import leave_activity
from continuum.definitions.activity_options import ActivityOptions
from continuum.definitions.effects import RunInfo
from continuum.engine.ids import RunId
from continuum.engine.pending import PendingActivity
from continuum.journal.port import InboxKind, Post
from continuum_actors.activity.attempt import Attempt, heartbeats_in
from continuum_actors.activity.attempt_runner import AttemptRunner
from continuum_actors.activity.background_tasks import BackgroundTasks, says_only_that_it_was_cancelled
from continuum_actors.activity.deadline import Limits
from continuum_actors.activity.eager_tasks import start_task
from continuum_actors.activity.heartbeats import Heartbeats
from continuum_actors.activity.loop_sentinel import LoopSentinel
from continuum_actors.activity.orphaned_results import OrphanedResults
from continuum_actors.activity.watched_steps import watched_to_its_end
from continuum_actors.host.failures import describe_error
from continuum_actors.host.host import Host
from continuum_actors.host.messages import (
    Abandon,
    ActivityCompleted,
    ActivityRaised,
    CallsOfLocalActivities,
    PutBy,
    RunActivity,
    Salvage,
    ToLocalActivities,
)
from continuum_supervision import Actor, ActorRef, ExitReason, is_abnormal

_UNLIMITED = Limits()

_PUT_BY = PutBy()

# The key of a value in the inbox: it is good for every dispatch.
_EVERY_DISPATCH = "0"


class LocalActivities(Actor):
    """Runs the activities of the runs that are live here."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._running: dict[tuple[RunId, int], tuple[Attempt, ActorRef]] = {}
        self._orphaned = OrphanedResults()
        self._background: BackgroundTasks
        self._heartbeats: Heartbeats

    def init(self) -> None:
        self._loop = asyncio.get_running_loop()
        predecessor, self._host.activities = self._host.activities, self
        if isinstance(predecessor, LocalActivities) and not predecessor._background.cancelled:
            self.take_over(predecessor)
        else:
            self._background = BackgroundTasks(self.ref.send)
            self._heartbeats = Heartbeats(self._host, self._background)
        self._runner = AttemptRunner(self._host, self.clock)
        # Bound once, not for every step.
        self._time = self._loop.time
        self._beat = heartbeats_in(self._loop, self._heartbeats.record)
        sentinel = self._sentinel = LoopSentinel(self._loop)
        # Also after a kill, when `terminate` is not called.
        self.ref.on_exit(lambda ref, reason: sentinel.end())

    def take_over(self, predecessor: LocalActivities) -> None:
        """Share what is running: an attempt looks there for the run that waits for it."""
        self._running, self._orphaned = predecessor._running, predecessor._orphaned
        self._background, self._heartbeats = predecessor._background, predecessor._heartbeats
        self._background.report_to(self.ref.send)

    def run(self, run: ActorRef, info: RunInfo, pending: PendingActivity, options: ActivityOptions) -> None:
        """Run an attempt, then send `ActivityCompleted` or `ActivityRaised` to `run`."""
        definition: Activity[..., object] = pending.definition
        key = pending.options.get("key") if pending.options else None
        dispatch = pending.attempt + pending.crashes
        limits = _UNLIMITED
        if options.limited:
            limits = Limits(options.timeout, options.heartbeat_timeout, options.total_timeout is not None)
        attempt = Attempt(
            definition,
            info,
            pending.seq,
            pending.arguments,
            pending.attempt,
            limits,
            key,
            self._beat,
            dispatch,
        )
        self._running[attempt.run_id, pending.seq] = (attempt, run)
        starts = dispatch + pending.restarts
        simple = definition.is_async and starts == 1 and key is None and limits is _UNLIMITED
        host, trace = self._host, attempt.trace
        if simple and host.executor is None and not host.tracer.active:
            work = watched_to_its_end(host.pulse, trace, self._run_simply, attempt)
        else:
            work = watched_to_its_end(host.pulse, trace, self._run_fully, attempt, starts)
        # Kept by the attempt alone: the set of background tasks would cost a callback for every step.
        attempt.task = start_task(work, self._loop)

    def handle_cast(self, message: ToLocalActivities) -> None:
        """Do what the method of the message's name does, later."""
        match message:
            case RunActivity():
                self.run(*message)
            case Abandon(run_id, seq):
                entry = self._running.get((run_id, seq))
                if entry is not None:
                    entry[0].context.cancelled = True
            case Salvage(run_id, results):
                self.salvage(run_id, results)
            case never:
                assert_never(never)

    def handle_call(self, request: CallsOfLocalActivities) -> bool:
        """Adopt an attempt, later than `adopt` would."""
        return self.adopt(*request)

    def adopt(self, run_id: RunId, seq: int, dispatch: int, run: ActorRef) -> bool:
        """Report an attempt that is running here, or has ended, to the run's new actor; False without one."""
        entry = self._running.get((run_id, seq))
        if entry is not None:
            self._running[run_id, seq] = (entry[0], run)
            return True
        result = self._orphaned.take(run_id, seq, dispatch)
        if result is None:
            return False
        run.cast(result)
        return True

    def abandon(self, run_id: RunId, seq: int) -> None:
        """Set the attempt's `cancelled`: no run waits for it any more."""
        self.ref.cast(Abandon(run_id, seq))

    def give_up(self, run_id: RunId, seq: int, message: str) -> None:
        """End the attempt with `TimeoutError`: its activity has been answered."""
        entry = self._running.pop((run_id, seq), None)
        if entry is not None:
            entry[0].give_up(message)

    def salvage(self, run_id: RunId, results: Sequence[tuple[int, bytes]]) -> None:
        """Keep results whose run has left this process before they were durable, and post them."""
        self._salvage(run_id, results)

    def _salvage(self, run_id: RunId, results: Sequence[tuple[int, bytes]]) -> asyncio.Task[None]:
        for seq, data in results:
            self._orphaned.keep(run_id, 0, ActivityCompleted(seq, data))
        posts = [
            Post(run_id, InboxKind.ACTIVITY_COMPLETED, str(seq), (data,), _EVERY_DISPATCH)
            for seq, data in results
        ]
        return self._background.start(self._post(posts))

    def put_by(
        self, run: ActorRef, run_id: RunId, dispatch: int, outcome: ActivityCompleted | ActivityRaised
    ) -> None:
        """Post the outcome of an attempt whose run is paused, then send `PutBy` to `run`."""
        if isinstance(outcome, ActivityCompleted):
            posting = self._salvage(run_id, [outcome])
        else:
            posting = self._salvage_failure(run_id, dispatch, outcome)
        posting.add_done_callback(lambda _posted: run.cast(_PUT_BY))

    def salvage_failure(self, run_id: RunId, dispatch: int, failure: ActivityRaised) -> None:
        """Keep how an attempt failed whose run has left this process, and post it."""
        self._salvage_failure(run_id, dispatch, failure)

    def _salvage_failure(self, run_id: RunId, dispatch: int, failure: ActivityRaised) -> asyncio.Task[None]:
        self._orphaned.keep(run_id, dispatch, failure)
        seq, type, text, traceback, names = failure
        body = (type, text, traceback, sorted(names))
        post = Post(run_id, InboxKind.ACTIVITY_RAISED, str(seq), body, str(dispatch))
        return self._background.start(self._post([post]))

    @property
    def busy(self) -> bool:
        """Whether an attempt is running or its result is not delivered yet."""
        return bool(self._running or self._background)

    @property
    def running(self) -> int:
        """Return how many attempts are running."""
        return len(self._running)

    async def _run_simply(self, attempt: Attempt) -> None:
        """The path of nearly every step: `_run_fully` for what needs nothing but the call."""
        try:
            args, kwargs = attempt.enter()
            definition = attempt.definition
            attempt.began = began = self._time()
            result = definition.encode_result(await definition.fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - whatever an activity raises is its failure
            await self._raised(attempt, error)
        else:
            self._host.measures.activity_ended(definition.name, "completed", self._time() - began)
            self._returned(attempt, result)

    async def _run_fully(self, attempt: Attempt, starts: int) -> None:
        try:
            result = await self._runner.result_of(attempt, started_before=starts > 1)
        except BaseException as error:  # noqa: BLE001 - whatever an activity raises is its failure
            await self._raised(attempt, error)
        else:
            attempt.measure(self._host.measures, self._time(), None)
            self._returned(attempt, result)

    def _returned(self, attempt: Attempt, result: bytes) -> None:
        run = self._ended(attempt)
        if run is not None:
            run.cast(ActivityCompleted(attempt.seq, result))
        elif not attempt.context.cancelled:
            # It starts a task. A cast does not: the run has a context of its own.
            leave_activity()
            self.salvage(attempt.run_id, [(attempt.seq, result)])

    async def _raised(self, attempt: Attempt, error: BaseException) -> None:
        leave_activity()
        if says_only_that_it_was_cancelled(error) and self._is_over():
            self._ended(attempt)
            raise asyncio.CancelledError from error
        attempt.measure(self._host.measures, self._time(), error)
        await self._heartbeats.flush(attempt.run_id, attempt.seq)
        run = self._ended(attempt)
        failure = ActivityRaised(attempt.seq, *describe_error(error))
        if run is not None:
            run.cast(failure)
        elif not attempt.context.cancelled:
            self.salvage_failure(attempt.run_id, attempt.dispatch, failure)

    def _is_over(self) -> bool:
        """Whether attempts are cancelled because the process ends, or its loop: no activity failed then."""
        # An attempt may have outlived the actor that began it.
        latest = self._host.activities
        assert isinstance(latest, LocalActivities)
        over = self._background.cancelled or not latest.ref.alive
        return over or latest._sentinel.cancelled_by_the_loop()

    def _ended(self, attempt: Attempt) -> ActorRef | None:
        """Forget an attempt that has ended; return the actor that waits for it, if that is alive."""
        key = attempt.run_id, attempt.seq
        entry = self._running.pop(key, None)
        if entry is None:
            return None
        if entry[0] is not attempt:
            self._running[key] = entry
            return None
        return entry[1] if entry[1].alive else None

    async def _post(self, posts: Sequence[Post]) -> None:
        await self._host.journal.post(posts)
        if self._host.hints:
            self._host.hint(RunId(post.run_id) for post in posts)

    def handle_info(self, message: BaseException) -> None:
        """A background task failed: so does the actor."""
        raise message

    def terminate(self, reason: ExitReason) -> None:
        """Cancel what is running when the process stops; after a crash the successor takes it over."""
        if is_abnormal(reason):
            return
        self._background.cancel()
        for attempt, _ in self._running.values():
            if attempt.task is not None:
                attempt.task.cancel()
