"""How often a node without LISTEN looks, and what it reports to its hosts, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, cast

from continuum.engine.ids import NodeId, RunId
from continuum.journal.limits import NOTIFICATION_IDS
from continuum.journal.look_port import LookedFor, Seen
from continuum.journal.notification import Topic
from continuum.settings.settings import LOOK_SECONDS
from continuum_actors.host import limits
from continuum_actors.node.lookout import Lookout
from continuum_supervision import ActorRef, spawn
from tests.unit.client.jumping_loop import run_jumping

NOTHING = Seen(None, None, {}, 0, False)
IDLE_S = 60.0
# Pauses vary by a quarter.
VARIES = 1.25
RUN = RunId("run")


class Watched:
    """A journal that shows what a test puts into it, and what a lookout reports."""

    def __init__(self) -> None:
        self.rows: dict[int, RunId] = {}
        self.newest = 0
        self.shows = NOTHING
        self.looks: list[int | None] = []
        self.reported: list[tuple[Topic, tuple[str, ...]]] = []
        self.trials = 0

    def now(self) -> int:
        """Return the loop's time in microseconds."""
        return int(asyncio.get_running_loop().time() * 1e6)

    async def look(self, wanted: LookedFor, after: int | None) -> Seen:
        """Return the mail after a position, and what the test shows."""
        self.looks.append(after)
        mail = {row: run for row, run in self.rows.items() if after is None or row > after}
        return self.shows._replace(mail=mail if len(mail) <= NOTIFICATION_IDS else None, newest=self.newest)

    def post(self, row: int, run: RunId = RUN) -> None:
        """Write mail."""
        self.rows[row] = run
        self.newest = max(self.newest, row)

    def report(self, topic: Topic, ids: Sequence[str]) -> None:
        """Note a message to the hosts."""
        self.reported.append((topic, tuple(ids)))

    def try_suspects(self) -> None:
        """Note that suspects wait."""
        self.trials += 1


def looking(scenario: Callable[[Watched, ActorRef], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario beside a lookout that has been idle for long."""

    async def main() -> None:
        watched = Watched()
        lookout = Lookout(
            cast("Any", watched),
            lambda: LookedFor(NodeId("north"), [], [], []),
            watched.report,
            longest=LOOK_SECONDS,
            random_fraction=lambda: 0.5,
            suspects_wait=watched.try_suspects,
        )
        ref = await spawn(lookout)
        await asyncio.sleep(IDLE_S)
        await scenario(watched, ref)
        await ref.stop()

    run_jumping(main)


def test_an_idle_node_looks_once_a_second() -> None:
    async def scenario(watched: Watched, ref: ActorRef) -> None:
        before = len(watched.looks)
        await asyncio.sleep(IDLE_S)
        assert len(watched.looks) - before <= IDLE_S / LOOK_SECONDS + 1
        assert watched.reported == []

    looking(scenario)


def test_work_is_reported_within_a_second_and_what_follows_at_once() -> None:
    async def scenario(watched: Watched, ref: ActorRef) -> None:
        watched.shows = NOTHING._replace(due=watched.now(), tasks=1)
        await asyncio.sleep(LOOK_SECONDS * VARIES)
        assert set(watched.reported) == {(Topic.WORK, ()), (Topic.TASKS, ())}
        watched.reported.clear()
        watched.shows = NOTHING._replace(tasks=2)
        await asyncio.sleep(LOOK_SECONDS * VARIES)
        watched.reported.clear()
        watched.shows = NOTHING._replace(due=watched.now())
        await asyncio.sleep(LOOK_SECONDS / 2)
        assert (Topic.WORK, ()) in watched.reported

    looking(scenario)


def test_work_that_nobody_takes_is_reported_again_without_haste() -> None:
    async def scenario(watched: Watched, ref: ActorRef) -> None:
        watched.shows = NOTHING._replace(due=watched.now())
        await asyncio.sleep(IDLE_S)
        before = len(watched.reported)
        await asyncio.sleep(IDLE_S)
        assert (
            IDLE_S / LOOK_SECONDS / VARIES - 1 <= len(watched.reported) - before <= IDLE_S / LOOK_SECONDS + 1
        )

    looking(scenario)


def test_a_run_that_will_be_due_is_reported_when_it_is() -> None:
    async def scenario(watched: Watched, ref: ActorRef) -> None:
        watched.shows = NOTHING._replace(due=watched.now() + 3_300_000)
        await asyncio.sleep(3.29)
        assert watched.reported == []
        await asyncio.sleep(0.01 + limits.FIRST_LOOK_SECONDS)
        assert (Topic.WORK, ()) in watched.reported

    looking(scenario)


def test_a_node_in_which_something_happens_looks_soon() -> None:
    async def scenario(watched: Watched, ref: ActorRef) -> None:
        before = len(watched.looks)
        ref.cast(None)
        await asyncio.sleep(2 * limits.FIRST_LOOK_SECONDS)
        assert len(watched.looks) > before

    looking(scenario)


def test_mail_is_reported_once_while_its_owner_reads_it() -> None:
    async def scenario(watched: Watched, ref: ActorRef) -> None:
        watched.post(7)
        await asyncio.sleep(limits.LATE_MAIL_SECONDS)
        assert watched.reported == [(Topic.WAKE, (RUN,))]

    looking(scenario)


def test_mail_that_is_committed_late_is_reported() -> None:
    async def scenario(watched: Watched, ref: ActorRef) -> None:
        watched.post(8, RunId("other"))
        await asyncio.sleep(LOOK_SECONDS * VARIES)
        watched.reported.clear()
        watched.post(7)
        await asyncio.sleep(limits.LATE_MAIL_SECONDS / 2)
        assert watched.reported == [(Topic.WAKE, (RUN,))]

    looking(scenario)


def test_mail_that_lies_there_is_reported_again_with_all_mail() -> None:
    async def scenario(watched: Watched, ref: ActorRef) -> None:
        watched.post(7)
        await asyncio.sleep(IDLE_S)
        assert 2 <= len(watched.reported) <= IDLE_S / limits.LOOK_AT_ALL_MAIL_SECONDS + 1
        assert len(watched.looks) <= 2 * IDLE_S / LOOK_SECONDS + 20

    looking(scenario)


def test_more_mail_than_can_be_named_makes_every_host_look() -> None:
    async def scenario(watched: Watched, ref: ActorRef) -> None:
        for row in range(1, NOTIFICATION_IDS + 2):
            watched.post(row)
        await asyncio.sleep(LOOK_SECONDS * VARIES)
        assert watched.reported[0] == (Topic.WAKE, ())

    looking(scenario)


def test_suspects_that_wait_are_tried() -> None:
    async def scenario(watched: Watched, ref: ActorRef) -> None:
        watched.shows = NOTHING._replace(suspects=True)
        await asyncio.sleep(LOOK_SECONDS * VARIES)
        assert watched.trials > 0

    looking(scenario)
