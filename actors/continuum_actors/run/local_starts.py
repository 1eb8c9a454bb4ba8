"""`LocalStarts`: begins the runs that clients in this process start, before anything of them is written.

The first step of a run is pure, so it is made at once; the run's first write then creates the run with
this process as its owner: start, claim and first step are one commit. Nobody else knows of such a run
before. If the write is rejected, because the id or the key is taken or the workflow is kept apart, nothing
has happened, and the client starts the run as any other.

What comes while many starts are in hand, or without room, is left to the client, whose starts share commits.
"""

from __future__ import annotations

import asyncio
from typing import assert_never

from continuum.client.in_process_port import InProcessPort
from continuum.engine.ids import RunId
from continuum.journal.announced_run import CreatedRun, NewRun
from continuum.journal.limits import DRAWN_TOKENS
from continuum.journal.port import ClaimedRun, StoredHistory
from continuum_actors.host.host import Host
from continuum_actors.host.looping_actor import LeasedActor
from continuum_actors.host.messages import Created, StartHere, ToLocalStarts
from continuum_actors.run.unowned_start import start_unowned
from continuum_supervision import ActorRef, ExitReason

_NO_HISTORY = StoredHistory.empty()


class LocalStarts(LeasedActor):
    """Starts runs for the clients of this process."""

    def __init__(self, host: Host, port: InProcessPort) -> None:
        self._host = host
        self._port = port
        self._tokens: list[int] = []
        self._wanted = asyncio.Event()
        # Clients that wait for the outcome, by run.
        self._waiting: dict[RunId, asyncio.Future[bool]] = {}

    def init(self) -> None:
        self._host.local_starts = self
        self.start_loop(self._draw_tokens())
        self._port.open(self)
        self.ref.on_exit(self._leave)

    def try_start(self, run: NewRun) -> asyncio.Future[bool] | None:
        """Begin a run in the next turn of the loop: its code must not run in the task of the caller."""
        if not self._may_start(run):
            return None
        outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting[run.id] = outcome
        self.ref.cast(StartHere(run))
        return outcome

    def handle_cast(self, message: ToLocalStarts) -> None:
        """Begin a run, or do later what `created` does."""
        match message:
            case StartHere(run):
                if self._host.runs.whereis(run.id) is not None or not self._begin(run):
                    self._settle(run.id, created=False)
            case Created(run_id):
                self.created(run_id)
            case never:
                assert_never(never)

    def is_live(self, run_id: RunId) -> bool:
        """Whether the run is live in this process."""
        return self._host.runs.whereis(run_id) is not None

    def created(self, run_id: RunId) -> None:
        """The first write of a run is durable."""
        self._settle(run_id, created=True)

    def _may_start(self, run: NewRun) -> bool:
        host = self._host
        return (
            len(self._waiting) < len(self._tokens)
            and run.id not in self._waiting
            and host.claims
            and not host.draining
            and host.runs.room() > len(self._waiting)
            and host.serves(run.namespace)
            and host.code.claimable(run.workflow) is not None
            and not host.pauses.holds(run.workflow, run.namespace)
        )

    def _begin(self, run: NewRun) -> bool:
        host = self._host
        workflow = host.code.claimable(run.workflow)
        if workflow is None or host.draining or not self._tokens:
            return False
        created = CreatedRun(run, workflow.version_hash, host.journal.now())
        claim = created_claim(created, self._tokens.pop())
        if len(self._tokens) < DRAWN_TOKENS // 4:
            self._wanted.set()
        if not start_unowned(host, claim, _NO_HISTORY, (), created):
            return False
        actor = host.runs.whereis(run.id)
        if actor is None:
            return False
        actor.on_exit(self._run_ended)
        return True

    def _run_ended(self, run: ActorRef, reason: ExitReason) -> None:
        """Its first write was rejected, or nobody knows: a client that still waits starts the run itself."""
        self._settle(RunId(str(run.name)), created=False)

    def _settle(self, run_id: RunId, *, created: bool) -> None:
        outcome = self._waiting.pop(run_id, None)
        if outcome is not None and not outcome.done():
            outcome.set_result(created)

    def _leave(self, ref: ActorRef, reason: ExitReason) -> None:
        self._port.close(self)
        for run_id in tuple(self._waiting):
            self._settle(run_id, created=False)

    async def _draw_tokens(self) -> None:
        while True:
            self._wanted.clear()
            if len(self._tokens) < DRAWN_TOKENS // 4:
                self._tokens += await self._host.journal.draw_tokens(DRAWN_TOKENS)
            else:
                await self._wanted.wait()


def created_claim(created: CreatedRun, token: int) -> ClaimedRun:
    """Return a new run as a claim of it would be, once its first write has created it."""
    start = created.start
    return ClaimedRun(
        start.id,
        token,
        start.workflow,
        created.version,
        start.namespace,
        start.input,
        created.started_at,
        1,
        start.trace_context,
        True,
        root=start.id,
    )
