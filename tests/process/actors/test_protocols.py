"""Every named actor understands its protocol: a message that has a shortcut does the same, a turn later."""

from __future__ import annotations

from typing import Any

import pytest

from continuum_actors.activity.local_activities import LocalActivities
from continuum_actors.host import messages
from continuum_actors.run.dispatcher import Dispatcher
from continuum_actors.run.journal_writer import JournalWriter
from continuum_actors.run.run_supervisor import RunSupervisor
from continuum_actors.run.timer_wheel import TimerWheel
from tests.process.actors.hosting import results, stage
from tests.process.actors.orders import expected, order, verdict

SHORTCUTS: dict[str, tuple[type[Any], type[Any]]] = {
    "submit": (JournalWriter, messages.Submit),
    "arm": (TimerWheel, messages.Arm),
    "activated": (RunSupervisor, messages.Activated),
    "suspended": (RunSupervisor, messages.Suspended),
    "run": (LocalActivities, messages.RunActivity),
    "has_room": (Dispatcher, messages.HasRoom),
}


def by_message(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Let a shortcut post its message, unless the actor is handling just that."""
    actor, message = SHORTCUTS[method]
    shortcut, handle = getattr(actor, method), actor.handle_cast
    handling: list[bool] = []

    def post(self: Any, *arguments: object) -> None:
        if handling:
            shortcut(self, *arguments)
        else:
            self.ref.cast(message(*arguments))

    def handled(self: Any, received: object) -> object:
        handling.append(True)
        try:
            return handle(self, received)
        finally:
            handling.pop()

    monkeypatch.setattr(actor, method, post)
    monkeypatch.setattr(actor, "handle_cast", handled)


@pytest.mark.parametrize("method", SHORTCUTS)
async def test_runs_end_alike_if_a_shortcut_is_a_message(
    method: str, dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_message(monkeypatch, method)
    async with stage(dsn, schema) as on:
        await on.tree(order)
        runs = [await on.client.start(order, number) for number in range(10)]
        for run in runs:
            await run.signal(verdict, "yes")
        assert await results(runs) == [expected(number) for number in range(10)]
