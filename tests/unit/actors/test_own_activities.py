"""What one write carries when several messages about one activity arrive together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from continuum import activity
from continuum.engine.events import Event, EventType
from continuum.engine.ids import NodeId, RunId
from continuum.engine.pending import PendingActivity, record_attempt, resolve
from continuum.journal.port import ClaimedRun
from continuum.settings.settings import Settings
from continuum_actors.host.host import Host
from continuum_actors.run.own_activities import OwnActivities
from continuum_actors.run.watched_execution import WatchedExecution

if TYPE_CHECKING:
    import asyncio

CLAIM = ClaimedRun(
    RunId("01a20000-0000-7000-8000-000000000000"), 1, "flow", "v1", "default", b"", 0, 1, None, False
)


@activity(name="own_activities.mail", queue="mail")
async def mail() -> str:
    """Run on a queue."""
    return "sent"


class FakeFuture:
    """A future of no loop."""

    def done(self) -> bool:
        return False

    def set_result(self, result: bytes) -> None:
        """Nobody waits."""


class FakeExecution:
    """A run that waits for one activity."""

    def __init__(self) -> None:
        future = cast("asyncio.Future[bytes]", FakeFuture())
        waiting = PendingActivity(
            0, EventType.ACTIVITY_SCHEDULED, mail.name, b"", None, cast("Any", mail), future
        )
        self.pending = {0: waiting}
        self.abandoned: list[int] = []
        self.execution = self

    def apply(self, type: EventType, body: tuple[Any, ...]) -> bool:
        """Apply an event as an execution does."""
        event = Event(1, type, 0, body)
        return (record_attempt if type == EventType.ACTIVITY_CRASHED else resolve)(self.pending, event)


def own_activities() -> OwnActivities:
    host = Host(cast("Any", FakeJournal()), NodeId("north"), cast("Any", None), settings=Settings())
    return OwnActivities(host, CLAIM, cast("WatchedExecution", FakeExecution()))


class FakeJournal:
    """Has every method and no table."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def test_a_crash_starts_a_task_again() -> None:
    activities = own_activities()
    activities.crashed(0)
    assert activities.take_dropped() == []
    assert [(task.seq, task.dispatch) for task in activities.tasks] == [(0, 2)]


def test_a_crash_and_a_result_that_come_together_leave_no_task() -> None:
    activities = own_activities()
    activities.crashed(0)
    activities.completed(0, b"result")
    assert activities.take_dropped() == [0]
    assert activities.tasks == []


def test_a_result_withdraws_its_task_however_often_that_was_started() -> None:
    activities = own_activities()
    activities.completed(0, b"result")
    assert activities.take_dropped() == [0]
