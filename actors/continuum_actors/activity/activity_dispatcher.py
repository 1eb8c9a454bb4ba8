"""The activity dispatcher: runs activities in this process, its own runs' and claimed ones.

An activity without a queue runs here, beside its run, as soon as the commit that
announces it is durable; its result goes straight to the run actor. Tasks from
queues (and, in an activity host, isolated ones) are claimed from the database as
far as there is capacity, and answered into the inbox of their run.

It stands before the worker lease in the tree: what runs here outlives the loss of
the lease, and its result reaches the run through the inbox then (invariant I7).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from continuum.definitions.activity import Activity
from continuum.definitions.activity_options import ActivityOptions
from continuum.engine.ids import RunId
from continuum.engine.pending import PendingActivity
from continuum.journal.port import ClaimedTask, InboxKind, LeaseLost, Post, TaskResult
from continuum_actors.activity.attempt import Attempt, HardKill, start_task
from continuum_actors.activity.orphaned_results import KeptAnswers
from continuum_actors.host import limits
from continuum_actors.host import messages as say
from continuum_actors.host.backoff import until_available
from continuum_actors.host.failures import describe_error
from continuum_actors.host.host import Host
from continuum_supervision import Actor, ActorRef, ExitReason

log = logging.getLogger("continuum.activities")
_POLL = say.LookForWork()


class ActivityDispatcher(Actor):
    """Runs activities here.

    `isolated` makes it an activity host's: one task at a time, killed when out of time.
    """

    def __init__(self, host: Host, *, isolated: bool = False) -> None:
        self._host = host
        self._isolated = isolated
        self._capacity = 1 if isolated else host.settings.claimed_tasks
        self._threads = ThreadPoolExecutor(host.settings.activity_threads, thread_name_prefix="activity")
        self._kill = HardKill() if isolated else None
        self._own: dict[tuple[RunId, int], tuple[Attempt, ActorRef]] = {}
        self._claimed: dict[tuple[RunId, int, int], Attempt] = {}
        self._answers: list[TaskResult] = []
        self._kept = KeptAnswers()
        self._asked: dict[RunId, asyncio.Task[dict[int, bytes]]] = {}
        self._beats: dict[tuple[RunId, int], bytes] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self._enrolled = False
        self._claiming = False
        self._look_again = False
        self._answering = False
        self._beating = False

    def init(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._host.activities = self
        self._poll()

    def _poll(self) -> None:
        """Look now and then without a hint; hints may be lost."""
        self.send_after(self._host.settings.poll_seconds * (0.75 + self._host.fraction() / 2), _POLL)

    # The runs that are live here.

    def run(self, run: ActorRef, run_id: RunId, pending: PendingActivity, options: ActivityOptions) -> None:
        """Run an attempt of a run's own activity; the run hears how it ended."""
        definition: Activity[..., object] = pending.definition
        key = pending.options.get("key") if pending.options else None
        dispatch = pending.attempt + pending.crashes
        attempt = Attempt(
            definition,
            run_id,
            pending.seq,
            pending.arguments,
            pending.attempt,
            options.timeout,
            key,
            self._loop,
            self._note_beat,
            dispatch,
        )
        self._own[run_id, pending.seq] = (attempt, run)
        if definition.is_async and dispatch == 1 and key is None and options.timeout is None:
            work = self._run_simply(attempt)
        else:
            work = self._run_own(attempt, dispatch)
        # Kept by the attempt alone: the set of background tasks would cost a callback for every step.
        attempt.task = start_task(work, self._loop)

    def adopt(self, run_id: RunId, seq: int, dispatch: int, run: ActorRef) -> bool:
        """Let the run's new actor hear of an attempt that goes on here or has ended; False without one."""
        entry = self._own.get((run_id, seq))
        if entry is not None:
            self._own[run_id, seq] = (entry[0], run)
            return True
        answer = self._kept.take(run_id, seq, dispatch)
        if answer is None:
            return False
        run.cast(answer)
        return True

    def abandon(self, run_id: RunId, seq: int) -> None:
        """Tell an attempt that nobody waits for it any more."""
        entry = self._own.get((run_id, seq))
        if entry is not None:
            entry[0].context.cancelled = True

    def salvage(self, run_id: RunId, answers: Sequence[tuple[int, bytes]]) -> None:
        """Keep results whose run was lost before they were durable, and post them."""
        for seq, data in answers:
            self._kept.keep(run_id, 0, say.ActivityCompleted(seq, data))
        self._begin(
            self._post(
                [Post(run_id, InboxKind.ACTIVITY_COMPLETED, str(seq), (data,)) for seq, data in answers]
            )
        )

    @property
    def busy(self) -> bool:
        """Whether anything still runs or waits to be told."""
        return bool(self._own or self._claimed or self._answers or self._background)

    async def _run_simply(self, attempt: Attempt) -> None:
        """The path of nearly every step: one coroutine, nothing but the call."""
        try:
            args, kwargs = attempt.enter()
            result = attempt.definition.encode_result(await attempt.definition.fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - whatever an activity raises is its failure
            self._failed(attempt, error)
        else:
            self._returned(attempt, result)

    async def _run_own(self, attempt: Attempt, dispatch: int) -> None:
        try:
            result = await self._result_of(attempt, dispatch)
        except BaseException as error:  # noqa: BLE001 - whatever an activity raises is its failure
            self._failed(attempt, error)
        else:
            self._returned(attempt, result)

    def _returned(self, attempt: Attempt, result: bytes) -> None:
        run = self._run_of(attempt)
        if run is not None:
            run.cast(say.ActivityCompleted(attempt.seq, result))
        elif not attempt.context.cancelled:
            self.salvage(attempt.run_id, [(attempt.seq, result)])

    def _failed(self, attempt: Attempt, error: BaseException) -> None:
        run = self._run_of(attempt)
        if isinstance(error, asyncio.CancelledError) and self.ref.exit_reason is not None:
            raise error
        answer = say.ActivityRaised(attempt.seq, *describe_error(error))
        if run is not None:
            run.cast(answer)
        elif not attempt.context.cancelled:
            self._kept.keep(attempt.run_id, attempt.dispatch, answer)

    def _run_of(self, attempt: Attempt) -> ActorRef | None:
        """Take the ended attempt off the list; return the actor that waits for it, if one lives."""
        entry = self._own.get((attempt.run_id, attempt.seq))
        if entry is None or entry[0] is not attempt:
            return None
        del self._own[attempt.run_id, attempt.seq]
        return entry[1] if entry[1].alive else None

    async def _post(self, posts: Sequence[Post]) -> None:
        await until_available(
            partial(self._host.journal.post, posts), "posting a result", self._host.fraction
        )

    # One attempt.

    async def _result_of(self, attempt: Attempt, dispatch: int) -> bytes:
        journal = self._host.journal
        if dispatch > 1:
            attempt.context.resume_from((await self._beats_of(attempt.run_id)).get(attempt.seq))
        if attempt.key is None:
            return await attempt.run(self._threads, self._kill, self.clock)
        name = attempt.definition.name
        known = await until_available(
            partial(journal.find_result, name, attempt.key),
            "looking up an idempotency key",
            self._host.fraction,
        )
        if known is not None:
            return known
        result = await attempt.run(self._threads, self._kill, self.clock)
        return await until_available(
            partial(journal.record_result, name, attempt.key, attempt.run_id, result),
            "recording a result",
            self._host.fraction,
        )

    async def _beats_of(self, run_id: RunId) -> dict[int, bytes]:
        """Read what a run's activities recorded; attempts that resume together share the question."""
        asked = self._asked.get(run_id)
        if asked is None:
            journal, draw = self._host.journal, self._host.fraction
            asked = self._loop.create_task(
                until_available(partial(journal.last_heartbeats, run_id), "reading heartbeats", draw)
            )
            self._asked[run_id] = asked
            asked.add_done_callback(lambda _: self._asked.pop(run_id))
        return await asyncio.shield(asked)

    # Claimed tasks.

    def handle_cast(self, message: say.LookForWork) -> None:
        """The worker lease is there, or there may be tasks to claim."""
        self._enrolled = True
        self.look_for_work()

    def look_for_work(self) -> None:
        """Claim tasks as far as there is capacity."""
        if self._claiming:
            self._look_again = True
        elif self._enrolled and not self._host.draining:
            self._claiming = True
            self._begin(self._claim())

    async def _claim(self) -> None:
        host = self._host
        try:
            while (room := self._capacity - len(self._claimed)) > 0 and not host.draining:
                self._look_again = False
                tasks = await self._claim_up_to(room)
                for task in tasks:
                    # Counted before it has had its first turn: the next claim is for what room is left.
                    attempt = self._attempt_at(task)
                    self._claimed[task.run_id, task.seq, task.dispatch] = attempt
                    self._begin(self._run_claimed(task, attempt))
                if len(tasks) < room and not self._look_again:
                    break
        except LeaseLost as error:
            host.lease.lost(error)
        finally:
            self._claiming = False

    async def _claim_up_to(self, room: int) -> list[ClaimedTask]:
        """Claim tasks.

        A claim whose answer is lost may have taken some that nobody here knows of; before
        the next one everything taken and not known is given back.
        """
        host = self._host
        uncertain = False

        async def claim() -> list[ClaimedTask]:
            nonlocal uncertain
            if uncertain:
                await host.journal.release_other_tasks(host.worker, self._known())
            uncertain = True
            return await host.journal.claim_tasks(
                host.worker,
                list(host.code.activities),
                isolated=self._isolated,
                limits=host.settings.queues,
                unlisted_limit=limits.UNLISTED_QUEUE_LIMIT,
                limit=room,
            )

        return await until_available(claim, "claiming tasks", host.fraction)

    def _known(self) -> list[tuple[RunId, int]]:
        """Return the claimed tasks that run here or wait to be answered."""
        running = [(run_id, seq) for run_id, seq, _ in self._claimed]
        return running + [(answer.task.run_id, answer.task.seq) for answer in self._answers]

    def _attempt_at(self, task: ClaimedTask) -> Attempt:
        return Attempt(
            self._host.code.activities[task.activity],
            task.run_id,
            task.seq,
            task.arguments,
            task.attempt,
            task.timeout or None,
            task.key,
            self._loop,
            self._note_beat,
        )

    async def _run_claimed(self, task: ClaimedTask, attempt: Attempt) -> None:
        try:
            result = await self._result_of(attempt, task.dispatch)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and self.ref.exit_reason is not None:
                raise
            kind, text, traceback, names = describe_error(error)
            answer = TaskResult(task, InboxKind.ACTIVITY_RAISED, (kind, text, traceback, sorted(names)))
        else:
            answer = TaskResult(task, InboxKind.ACTIVITY_COMPLETED, (result,))
        finally:
            del self._claimed[task.run_id, task.seq, task.dispatch]
        self._answers.append(answer)
        if not self._answering:
            self._answering = True
            self._begin(self._answer())

    async def _answer(self) -> None:
        host = self._host
        try:
            while self._answers:
                answers = self._answers[: limits.ANSWERS_PER_STATEMENT]
                await until_available(
                    partial(host.journal.complete_tasks, host.worker, answers),
                    "answering tasks",
                    host.fraction,
                )
                del self._answers[: len(answers)]
        finally:
            self._answering = False
        self.look_for_work()

    # Heartbeats.

    def _note_beat(self, run_id: RunId, seq: int, details: bytes) -> None:
        self._beats[run_id, seq] = details
        if not self._beating:
            self._beating = True
            self._begin(self._beat())

    async def _beat(self) -> None:
        try:
            while self._beats:
                beats, self._beats = self._beats, {}
                for (run_id, seq), details in beats.items():
                    wanted = await until_available(
                        partial(self._host.journal.heartbeat, run_id, seq, details),
                        "recording a heartbeat",
                        self._host.fraction,
                    )
                    if not wanted:
                        self._abandon_claimed(run_id, seq)
                await asyncio.sleep(limits.HEARTBEAT_FLUSH_SECONDS)
        finally:
            self._beating = False

    def _abandon_claimed(self, run_id: RunId, seq: int) -> None:
        """Tell claimed attempts whose task is gone: the run has ended, or waits for it no more."""
        for (claimed_run, claimed_seq, _), attempt in self._claimed.items():
            if (claimed_run, claimed_seq) == (run_id, seq):
                attempt.context.cancelled = True

    # Lifecycle.

    def handle_info(self, message: BaseException | say.LookForWork) -> None:
        """Time for a look; or something in the background failed that must not."""
        if isinstance(message, BaseException):
            raise message
        self.look_for_work()
        self._poll()

    def terminate(self, reason: ExitReason) -> None:
        for attempt, _ in self._own.values():
            if attempt.task is not None:
                attempt.task.cancel()
        for task in self._background:
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.ref.send(error)
