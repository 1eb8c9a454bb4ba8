"""The dispatcher: claims runs that have something to do and brings them to life.

It claims as long as there is room for runs in motion, a batch at a time, pushed by
hints and held up by a poll. It claims only code that is loaded here, so a run
nobody can execute stays where it is.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from functools import partial

from continuum.engine.ids import RunId
from continuum.journal.port import ClaimedRun, InboxRow, StoredHistory
from continuum_actors.host import limits
from continuum_actors.host import messages as say
from continuum_actors.host.backoff import until_available
from continuum_actors.host.host import Host
from continuum_actors.host.looping_actor import LeasedActor
from continuum_actors.run.run import NO_HISTORY
from continuum_supervision import ActorDied, ExitReason

log = logging.getLogger("continuum.dispatcher")

# Bringing a run to life executes user code; other runs get a turn in between.
STARTS_PER_TURN = 32
# Events replayed in one turn: about 50 ms.
EVENTS_PER_TURN = 5_000
# Histories are loaded this many runs at a time at first, then by what they turned out to hold.
FIRST_LOAD_RUNS = 8
MOST_LOAD_RUNS = 250
EVENTS_PER_LOAD = 20_000
# A row that somebody has locked is free again by then.
SHORTEST_NAP_MICROSECONDS = 50_000
# With no half of the places free, the others are filled this often.
ROOM_NAP_SECONDS = 0.01


class Dispatcher(LeasedActor):
    """Takes runs up."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._wanted = asyncio.Event()
        self._full = False
        self._room_soon = False
        self._awake_by = 0
        self._working: asyncio.Task[None] | None = None

    def init(self) -> None:
        self._host.dispatcher = self
        self._working = self.begin_work(self._work())
        self._wanted.set()

    async def handle_cast(self, message: say.RunCrashed | say.SnapshotMisfit) -> None:
        """A run that was taken up did not come to life."""
        match message:
            case say.RunCrashed(run_id):
                await self._give_back(run_id)
            case say.SnapshotMisfit(claim):
                # What is wrong, if anything is, the events themselves say.
                await self._resume([claim], compact=False)

    async def _give_back(self, run_id: RunId) -> None:
        """A run actor died of a bug: its run is taken up anew, here or elsewhere."""
        host = self._host
        if host.runs.whereis(run_id) is not None:
            return  # it has been taken up already
        await until_available(
            partial(
                host.journal.release,
                host.worker,
                [run_id],
                crashed=True,
                poison_after=limits.POISON_AFTER_DEATHS,
            ),
            "releasing a run",
            host.fraction,
        )
        self.look()

    async def terminate(self, reason: ExitReason) -> None:
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait([self._working])

    def look(self) -> None:
        """There may be something to claim."""
        self._wanted.set()

    def expect(self, due: int) -> None:
        """A run that nobody owns is due then (microseconds on the journal's clock)."""
        if due < self._awake_by:
            self._wanted.set()

    def has_room(self) -> None:
        """A run came to rest; look again if the last claim left some behind.

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
            while not host.draining:
                room = min(host.runs.room(), limits.CLAIM_BATCH)
                if room <= 0:
                    self._full = True
                    break
                claims = await self._claim(room)
                if claims:
                    await self._take_up(claims)
                if len(claims) < room:
                    break

    async def _claim(self, room: int) -> list[ClaimedRun]:
        """Claim up to `room` runs.

        A claim whose answer is lost may have taken runs that nobody here knows of; before
        the next one everything owned and not live is given back.
        """
        host = self._host
        uncertain = False

        async def claim() -> list[ClaimedRun]:
            nonlocal uncertain
            if uncertain:
                await host.journal.release_other_runs(host.worker, host.runs.live_run_ids())
            uncertain = True
            return await host.journal.claim(host.worker, host.code.loaded, room)

        return await until_available(claim, "claiming runs", host.fraction)

    async def _nap(self) -> None:
        """Wait for a hint, for the next run that nobody owns to be due, or for the poll."""
        host = self._host
        if not self._wanted.is_set():
            nap = host.settings.poll_seconds * (0.75 + host.fraction() / 2)
            due = await until_available(
                partial(host.journal.next_due, host.code.loaded), "looking for what is due", host.fraction
            )
            now = host.journal.now()
            if due is not None:
                # Full, only room helps. Otherwise what is due was locked when we looked, and soon is not.
                due = None if self._full else max(due, now + SHORTEST_NAP_MICROSECONDS)
            self._awake_by = now + round(nap * 1e6) if due is None else min(due, now + round(nap * 1e6))
            try:
                # Not wait_for: before Python 3.12 it may swallow a cancellation.
                async with asyncio.timeout(max(self._awake_by - now, 0) / 1e6):
                    await self._wanted.wait()
            except TimeoutError:
                pass
        self._wanted.clear()

    async def _take_up(self, claims: Sequence[ClaimedRun]) -> None:
        """Bring claimed runs to life: new ones first, then those with a history, a few at a time."""
        host = self._host
        fresh = [claim for claim in claims if claim.fresh]
        for turn in range(0, len(fresh), STARTS_PER_TURN):
            for claim in fresh[turn : turn + STARTS_PER_TURN]:
                await self._start(claim, NO_HISTORY, ())
            await asyncio.sleep(0)
        resumed = [claim for claim in claims if not claim.fresh]
        group = FIRST_LOAD_RUNS
        while resumed:
            taken, resumed = resumed[:group], resumed[group:]
            events = await self._resume(taken)
            # Loading and replaying keep the loop busy: long histories come in small groups.
            group = max(1, min(MOST_LOAD_RUNS, EVENTS_PER_LOAD * len(taken) // max(events, 1)))
        host.router.look([claim.id for claim in claims])

    async def _resume(self, claims: Sequence[ClaimedRun], *, compact: bool = True) -> int:
        """Replay runs from their journal; return how many events that took."""
        host = self._host
        run_ids = [claim.id for claim in claims]
        histories = await until_available(
            partial(self._load, claims, compact=compact), "loading histories", host.fraction
        )
        mail: defaultdict[RunId, list[InboxRow]] = defaultdict(list)
        for row in await until_available(
            partial(host.journal.inbox, host.worker, run_ids), "reading the inbox", host.fraction
        ):
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
        """Load histories, from snapshots where the code loaded here took them."""
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
            # It has given the run up already; its last words are on their way to nobody.
            await predecessor.stop()
        try:
            host.runs.start_run(claim, history, mail)
        except ActorDied:
            # The runs' supervisor is gone: the lease is given back, and the claims with it.
            return
        except Exception:
            log.exception("run %s could not be brought to life", claim.id)
            await self._give_back(claim.id)
