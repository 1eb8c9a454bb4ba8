"""The lookout: looks for the subjects of notifications, in a node that cannot LISTEN.

One statement answers for all processes of the node. While nothing happens it comes less and less often, once
a second at last; after anything that happens, twenty times a second. Hosts receive reports as they receive
notifications, and a report may be lost as well: each look reports work again that nobody has claimed, and
every few seconds one look is at all mail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from continuum.journal.look_port import LookedFor, Seen
from continuum.journal.notification import Topic
from continuum.journal.resilient import ResilientJournal
from continuum_actors.host import limits
from continuum_actors.host.looping_actor import LoopingActor

_NOTHING = (None, None, False, False)


class Lookout(LoopingActor):
    """Looks for `wanted()`, and passes that to `report`. Two looks are at most `longest` seconds apart.

    `suspects_wait` is called while suspects wait for a trial.
    """

    def __init__(
        self,
        journal: ResilientJournal,
        wanted: Callable[[], LookedFor],
        report: Callable[[Topic, Sequence[str]], None],
        *,
        longest: float,
        random_fraction: Callable[[], float],
        suspects_wait: Callable[[], None],
    ) -> None:
        self._journal = journal
        self._wanted = wanted
        self._report = report
        self._longest = longest
        self._random_fraction = random_fraction
        self._suspects_wait = suspects_wait
        self._stirred = asyncio.Event()
        self._nap = 0.0
        # Work, tasks, suspects and paused runs at the last look.
        self._before: tuple[int | None, int | None, bool, bool] = _NOTHING
        # The positions of mail that looks have seen, with their times, oldest first; the rows reported since.
        self._marks: list[tuple[float, int]] = []
        self._reported: set[int] = set()
        self._look_at_all = 0.0

    def init(self) -> None:
        self.start_loop(self._keep_looking())

    def handle_cast(self, message: object) -> None:
        """Something happens in this node: more is likely to follow."""
        self._nap = limits.FIRST_LOOK_SECONDS
        self._stirred.set()

    async def _keep_looking(self) -> None:
        while True:
            self._stirred.clear()
            due = await self._look()
            nap = self._nap * (0.75 + self._random_fraction() / 2)
            if due is not None:
                nap = max(min(nap, (due - self._journal.now()) / 1e6), limits.FIRST_LOOK_SECONDS)
            try:
                async with asyncio.timeout(nap):
                    await self._stirred.wait()
            except TimeoutError:
                continue
            # At once it would find what has been reported already.
            await asyncio.sleep(limits.FIRST_LOOK_SECONDS)

    async def _look(self) -> int | None:
        """Look once, and report; return when the next run is due, if that is to come."""
        now = asyncio.get_running_loop().time()
        seen = await self._journal.look(self._wanted(), self._after(now))
        waits = seen.due is not None and seen.due <= self._journal.now()
        if waits:
            self._report(Topic.WORK, ())
        if seen.tasks is not None:
            self._report(Topic.TASKS, ())
        if seen.suspects:
            self._suspects_wait()
        if seen.paused:
            self._report(Topic.PAUSED, ())
        state = (seen.due if waits else None, seen.tasks, seen.suspects, seen.paused)
        news = self._report_mail(seen, now) or state not in (self._before, _NOTHING)
        self._before = state
        longer = max(self._nap * limits.LOOK_GROWTH, limits.FIRST_LOOK_SECONDS)
        self._nap = limits.FIRST_LOOK_SECONDS if news else min(longer, self._longest)
        return None if waits else seen.due

    def _after(self, now: float) -> int | None:
        """Return from where on to look at mail; None for all of it."""
        if now >= self._look_at_all:
            self._look_at_all = now + limits.LOOK_AT_ALL_MAIL_SECONDS
            return None
        # What had a lower number and was committed later has been committed by then.
        while len(self._marks) > 1 and self._marks[1][0] <= now - limits.LATE_MAIL_SECONDS:
            del self._marks[0]
        return self._marks[0][1]

    def _report_mail(self, seen: Seen, now: float) -> bool:
        """Report mail that no look of late has reported; return whether there is any."""
        mail = seen.mail
        newest = max(seen.newest, self._marks[-1][1] if self._marks else 0)
        self._marks.append((now, newest))
        if mail is None:
            self._report(Topic.WAKE, ())
            return True
        fresh = mail.keys() - self._reported
        late = self._marks[0][1]
        self._reported = {row for row in self._reported if row > late} | fresh
        if fresh:
            self._report(Topic.WAKE, tuple({mail[row] for row in fresh}))
        # Mail that lies there for long is reported with all mail, and is no news.
        return any(row > late for row in fresh)
