"""The dispatcher: claims runs that have something to do and starts their actors.

It claims for as long as there is room for active runs, a batch at a time, woken by
notifications and, in case one is lost, by a poll. It claims only code that is loaded
here, and only namespaces that this node serves, so that a run that no node can execute stays as
it is (I9).
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from typing import assert_never

from continuum.engine.ids import RunId
from continuum.journal.announced_run import AnnouncedRun, TakenRun
from continuum.journal.limits import DRAWN_TOKENS
from continuum.journal.port import ClaimedRun, InboxRow, LeaseLost, StoredHistory
from continuum_actors.host import limits, messages
from continuum_actors.host.host import Host
from continuum_actors.host.looping_actor import LeasedActor
from continuum_actors.run.failure_log import about, log_poison
from continuum_actors.run.resumed_runs import ResumedRuns
from continuum_actors.run.unowned_start import start_unowned
from continuum_supervision import ActorDied, ExitReason

log = logging.getLogger("continuum.dispatcher")

# Starting a run executes user code; other runs get a turn in between.
STARTS_PER_TURN = 32
# Events replayed in one turn: about 50 ms.
EVENTS_PER_TURN = 5_000
# Histories are loaded for this many runs at first, then for as many as their length allows.
FIRST_LOAD_RUNS = 8
MOST_LOAD_RUNS = 250
EVENTS_PER_LOAD = 20_000
# A row that another transaction has locked is free again by then.
SHORTEST_NAP_MICROSECONDS = 50_000
# While fewer than half of the places are free, they are filled this often.
ROOM_NAP_SECONDS = 0.01

_LOOK_FOR_RUNS = messages.LookForRuns()
_NO_HISTORY = StoredHistory.empty()


class Dispatcher(LeasedActor):
    """Claims runs."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._wanted = asyncio.Event()
        self._full = False
        self._room_soon = False
        self._awake_by = 0
        self._working: asyncio.Task[None] | None = None
        # For runs that their first writes take.
        self._tokens: list[int] = []
        self._resumed = ResumedRuns(host)

    def init(self) -> None:
        predecessor, self._host.dispatcher = self._host.dispatcher, self
        if isinstance(predecessor, Dispatcher):
            # It may have died with claims in hand.
            self._host.journal.doubt_claimed_runs()
        self._working = self.start_loop(self._work())
        self.start_loop(self._resumed.resume_for_ever())
        self._wanted.set()

    def handle_cast(self, message: messages.ToDispatcher) -> Awaitable[None] | None:
        """There may be runs to claim; or a claimed run could not be started, or its actor crashed."""
        match message:
            case messages.LookForRuns():
                self._wanted.set()
            case messages.ExpectRun(due):
                if due < self._awake_by:
                    self._wanted.set()
            case messages.BeginRun(announced):
                return self._begin(announced)
            case messages.ResumeRun(run_id):
                self._resumed.announced(run_id)
            case messages.HasRoom():
                self.has_room()
            case messages.LostTrack():
                self._host.journal.doubt_claimed_runs()
                self._wanted.set()
            case messages.RunCrashed(run_id):
                return self._unless_lost(self._release_crashed(run_id))
            case messages.SnapshotMismatch(claim):
                # The events themselves show what is wrong, if anything is.
                return self._unless_lost(self._replay([claim], compact=False))
            case never:
                assert_never(never)
        return None

    async def _unless_lost(self, work: Awaitable[object]) -> None:
        try:
            await work
        except LeaseLost as error:
            self.loop_failed(error)

    async def _release_crashed(self, run_id: RunId) -> None:
        """Release a run whose actor died of a bug, so that it is claimed again, here or elsewhere."""
        host = self._host
        if host.runs.whereis(run_id) is not None:
            return  # it has been claimed again already
        await host.journal.release(
            host.registered_worker(),
            [run_id],
            crashed=True,
            poison_after=limits.POISON_AFTER_DEATHS,
        )
        self.look()
        await log_poison(host.journal.get_run, run_id)

    async def terminate(self, reason: ExitReason) -> None:
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait([self._working])

    def run_crashed(self, run_id: RunId) -> None:
        """Release a run whose actor died of a bug."""
        self.ref.cast(messages.RunCrashed(run_id))

    def replay_events(self, claim: ClaimedRun) -> None:
        """Start a claimed run again without its snapshot, which its code does not match."""
        self.ref.cast(messages.SnapshotMismatch(claim))

    def lost_track(self) -> None:
        """Runs may be owned here that are not live."""
        self.ref.cast(messages.LostTrack())

    def look(self) -> None:
        """There may be a run to claim."""
        self.ref.cast(_LOOK_FOR_RUNS)

    def begin(self, announced: AnnouncedRun) -> None:
        """A run has been started and announced to this process alone."""
        self.ref.cast(messages.BeginRun(announced))

    def resume(self, run_id: RunId) -> None:
        """A run without an owner has mail, announced to this process alone."""
        self.ref.cast(messages.ResumeRun(run_id))

    def expect(self, due: int) -> None:
        """A run that has no owner is due then (microseconds on the journal's clock)."""
        self.ref.cast(messages.ExpectRun(due))

    def has_room(self) -> None:
        """A run has stopped being active; look again if the last claim left some behind.

        At once when half of the places are free, else after a moment: claims of a few runs
        each would cost more than they bring, but long activities may hold most places for hours.
        """
        if not self._full:
            return
        if self._host.runs.room() >= self._host.settings.active_runs // 2:
            self._wanted.set()
        elif not self._room_soon:
            self._room_soon = True
            asyncio.get_running_loop().call_later(ROOM_NAP_SECONDS, self._look_for_room)

    def _look_for_room(self) -> None:
        self._room_soon = False
        if self._full:
            self._wanted.set()

    async def _work(self) -> None:
        host = self._host
        while True:
            await self._nap()
            self._full = False
            while host.claims and not host.draining:
                await self._draw_tokens()
                room = min(host.runs.room(), limits.CLAIM_BATCH)
                if room <= 0:
                    self._full = True
                    break
                claims = await self._claim(room)
                if claims:
                    await self.start_all(claims)
                if len(claims) < room:
                    break

    def _begin(self, announced: AnnouncedRun) -> Awaitable[None] | None:
        """Make the first step of a run that nobody owns yet; its first write takes the run."""
        host = self._host
        if not host.takes_announced_runs():
            return host.journal.announce_work()
        workflow = host.code.claimable(announced.workflow)
        paused = host.pauses.holds(announced.workflow, announced.namespace)
        if workflow is None or paused or not host.serves(announced.namespace) or not self._tokens:
            # It is claimed as any other run, by those who may.
            self.look()
            return None
        if host.runs.whereis(announced.id) is not None:
            # Its client gave up that first attempt, whose write is rejected, and has started it.
            self.look()
        else:
            claim = taken_claim(announced, self._tokens.pop(), workflow.version_hash)
            taken = TakenRun(announced, workflow.version_hash)
            if not start_unowned(host, claim, _NO_HISTORY, (), taken):
                # It has no owner, so the next claim finds it.
                self.look()
        return None

    async def _claim(self, room: int) -> list[ClaimedRun]:
        """Claim up to `room` runs."""
        host = self._host
        return await host.journal.claim(
            host.registered_worker(),
            host.code.loaded,
            room,
            known=host.runs.live_run_ids,
            namespaces=host.settings.namespaces,
        )

    async def _draw_tokens(self) -> None:
        """Have tokens for announced runs, which otherwise wait for a claim like all others."""
        host = self._host
        if len(self._tokens) < DRAWN_TOKENS // 4 and host.claims:
            self._tokens += await host.journal.draw_tokens(DRAWN_TOKENS)

    async def _nap(self) -> None:
        """Wait for a notification, for the next run without an owner to be due, or for the poll."""
        host = self._host
        await self._draw_tokens()
        if not self._wanted.is_set():
            nap = host.settings.poll_seconds * (0.75 + host.random_fraction() / 2)
            due = None
            if host.claims:
                due = await host.journal.next_due(host.code.loaded, namespaces=host.settings.namespaces)
            now = host.journal.now()
            if due is not None:
                # When full, only room helps. Otherwise a run that is due already was locked when we
                # looked, and will be free soon.
                due = None if self._full else max(due, now + SHORTEST_NAP_MICROSECONDS)
            self._awake_by = now + round(nap * 1e6) if due is None else min(due, now + round(nap * 1e6))
            try:
                # Not wait_for: before Python 3.12 it may swallow a cancellation.
                async with asyncio.timeout(max(self._awake_by - now, 0) / 1e6):
                    await self._wanted.wait()
            except TimeoutError:
                pass
        self._wanted.clear()

    async def start_all(self, claims: Sequence[ClaimedRun]) -> None:
        """Start claimed runs: new ones first, then those with a history, a few at a time."""
        host = self._host
        fresh = [claim for claim in claims if claim.fresh]
        for turn in range(0, len(fresh), STARTS_PER_TURN):
            for claim in fresh[turn : turn + STARTS_PER_TURN]:
                await self._start(claim, _NO_HISTORY, ())
            await asyncio.sleep(0)
        waiting = [claim for claim in claims if not claim.fresh]
        group = FIRST_LOAD_RUNS
        while waiting:
            next_ones, waiting = waiting[:group], waiting[group:]
            events = await self._replay(next_ones)
            # Loading and replaying keep the loop busy: long histories come in small groups.
            group = max(1, min(MOST_LOAD_RUNS, EVENTS_PER_LOAD * len(next_ones) // max(events, 1)))
        host.router.look([claim.id for claim in claims])

    async def _replay(self, claims: Sequence[ClaimedRun], *, compact: bool = True) -> int:
        """Start runs from their histories; return how many events were replayed."""
        host = self._host
        run_ids = [claim.id for claim in claims]
        histories = await self._load(claims, compact=compact)
        mail: defaultdict[RunId, list[InboxRow]] = defaultdict(list)
        for row in await host.journal.inbox(host.registered_worker(), run_ids):
            mail[row.run_id].append(row)
        since_turn = 0
        for claim in claims:
            await self._start(claim, histories[claim.id], mail.get(claim.id, ()))
            since_turn += histories[claim.id].steps
            if since_turn > EVENTS_PER_TURN:
                since_turn = 0
                await asyncio.sleep(0)
        return sum(history.steps for history in histories.values())

    async def _load(self, claims: Sequence[ClaimedRun], *, compact: bool) -> dict[RunId, StoredHistory]:
        """Load histories, from snapshots if those were taken with code that is loaded here."""
        journal, code = self._host.journal, self._host.code
        own = [claim for claim in claims if compact and code.knows(claim.workflow, claim.version)]
        found = await journal.load_compact([(claim.id, claim.version) for claim in own]) if own else {}
        others = [claim.id for claim in claims if claim.id not in found]
        for run_id, events in (await journal.load(others) if others else {}).items():
            found[run_id] = StoredHistory(None, events)
        return found

    async def _start(self, claim: ClaimedRun, history: StoredHistory, mail: Sequence[InboxRow]) -> None:
        host = self._host
        predecessor = host.runs.whereis(claim.id)
        if predecessor is not None:
            # It has released the run already; its last messages concern no other actor.
            await predecessor.stop()
        try:
            host.runs.start_run(claim, history, mail)
        except ActorDied:
            # The run supervisor is gone; its successor has the claims that nobody has started released.
            return
        except Exception:
            log.exception("run %s could not be started", claim.id, extra=about(claim))
            await self._release_crashed(claim.id)


def taken_claim(announced: AnnouncedRun, token: int, version: str) -> ClaimedRun:
    """Return an announced run as a claim of it will be, once its first write has taken it."""
    return ClaimedRun(
        announced.id,
        token,
        announced.workflow,
        version,
        announced.namespace,
        announced.input,
        announced.started_at,
        1,
        announced.trace_context,
        True,
        root=announced.id,
    )
