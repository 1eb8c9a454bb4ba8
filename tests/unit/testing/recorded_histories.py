"""Records histories for other tests."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from continuum import Workflow
from continuum.engine.events import Event
from continuum.testing import History, env


def history_of(workflow: Workflow[..., Any], *args: Any, days: float = 3) -> History:
    """Run a workflow for some days and return its history."""

    async def main() -> History:
        async with env() as environment:
            run = await environment.start(workflow, *args)
            await environment.advance(timedelta(days=days))
            return await environment.history(run.id)

    return asyncio.run(main())


def with_event(history: History, seq: int, **changes: Any) -> History:
    """Return a history with one event changed."""
    events = [event._replace(**changes) if event.seq == seq else event for event in history.stored]
    return History(events, history.beginning, history.ending)


def with_events(history: History, *events: Event) -> History:
    """Return the same history with other events."""
    return History(events, history.beginning, history.ending)
