"""The local activities of a quarantine host: those of a run on trial alone run one at a time.

One that has run for the length of its trial has not killed it so far; then the next one begins beside it.
"""

from __future__ import annotations

import asyncio
from collections import deque

from continuum.definitions.activity_options import ActivityOptions
from continuum.definitions.effects import RunInfo
from continuum.engine.ids import RunId
from continuum.engine.pending import PendingActivity
from continuum_actors.activity.local_activities import LocalActivities
from continuum_actors.host.host import Host
from continuum_actors.host.traces import trace_of_attempt
from continuum_supervision import ActorRef, ExitReason, is_abnormal


class SerialActivities(LocalActivities):
    """Starts an activity of a run that is alone when the one before has ended or has survived its trial."""

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self._waiting: deque[tuple[ActorRef, RunInfo, PendingActivity, ActivityOptions]] = deque()
        self._on_trial: asyncio.Future[None] | None = None

    def run(self, run: ActorRef, info: RunInfo, pending: PendingActivity, options: ActivityOptions) -> None:
        """Run an attempt as soon as it may begin; at once, if it is the run of a group."""
        if not self._host.one_on_trial:
            super().run(run, info, pending, options)
            return
        self._waiting.append((run, info, pending, options))
        self._begin_next()

    @property
    def busy(self) -> bool:
        """Whether an attempt runs or waits, or its result is not delivered yet."""
        return bool(self._waiting) or super().busy

    def take_over(self, predecessor: LocalActivities) -> None:
        """Share what waits too; what is on trial has been so for a while, and the next begins beside it."""
        super().take_over(predecessor)
        if isinstance(predecessor, SerialActivities):
            self._waiting = predecessor._waiting
            self._loop.call_soon(self._begin_next)

    def terminate(self, reason: ExitReason) -> None:
        if not is_abnormal(reason):
            self._waiting.clear()
        super().terminate(reason)

    def _begin_next(self) -> None:
        while self._on_trial is None and self._waiting:
            run, info, pending, options = self._waiting.popleft()
            if run.alive and not pending.future.done():
                self._on_trial = self._loop.create_future()
                # Only one that is alone may be blamed for what no trace explains; a first step may kill.
                if not self._running:
                    dispatch = pending.attempt + pending.crashes
                    self._host.pulse.on_trial(trace_of_attempt(info.run_id, pending.seq, dispatch))
                super().run(run, info, pending, options)
                self._try(info.run_id, pending.seq, self._on_trial)

    def _try(self, run_id: RunId, seq: int, trial: asyncio.Future[None]) -> None:
        entry = self._running.get((run_id, seq))
        if entry is None or entry[0].task is None:
            self._survived(trial)
            return
        alarm = self._loop.call_later(self._host.trial_seconds, self._survived, trial)

        def ended(task: asyncio.Task[None]) -> None:
            alarm.cancel()
            if not self._is_over():
                # Otherwise it may be what ended the loop.
                self._survived(trial)

        entry[0].task.add_done_callback(ended)

    def _survived(self, trial: asyncio.Future[None]) -> None:
        if self._on_trial is trial:
            self._on_trial = None
            self._host.pulse.on_trial(None)
            self._begin_next()
