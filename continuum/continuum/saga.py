"""Compensation: undo what was done, last first, when a block fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Literal, ParamSpec

from continuum.activity import Activity, Deferred
from continuum.effects import call_site, require
from continuum.engine.control import Control
from continuum.engine.events import EventType
from continuum.engine.execution import Site
from continuum.errors import ActivityError, InvalidDefinition

P = ParamSpec("P")


class Saga:
    """The compensations of one block. Entering it is free; nothing is journaled until they run."""

    def __init__(self) -> None:
        self._stack: list[Deferred[Any]] = []

    def add(self, activity: Callable[P, Coroutine[Any, Any, Any]], *args: P.args, **kwargs: P.kwargs) -> None:
        """Note that `activity(*args, **kwargs)` undoes what was just done."""
        if not isinstance(activity, Activity):
            raise InvalidDefinition(f"a compensation must be an activity, not {activity!r}")
        self._stack.append(activity.bind(*args, **kwargs))

    async def compensate(self, mode: Literal["sequential", "parallel"] = "sequential") -> None:
        """Run the compensations noted so far, last first, each once.

        Every one is tried; those that failed are raised together as an `ExceptionGroup`
        of `ActivityError` afterwards.
        """
        if mode not in ("sequential", "parallel"):
            raise ValueError(f"mode must be 'sequential' or 'parallel', not {mode!r}")
        failures = await self._run(mode, call_site(0))
        if failures:
            raise ExceptionGroup("compensations failed", failures)

    async def _run(self, mode: str, site: Site) -> list[Exception]:
        failures: list[Exception] = []
        if mode == "parallel":
            stack, self._stack = self._stack[::-1], []
            answers = await asyncio.gather(*(_undo(entry, site) for entry in stack), return_exceptions=True)
            return [answer for answer in answers if isinstance(answer, Exception)]
        while self._stack:
            entry = self._stack.pop()
            try:
                await _undo(entry, site)
            except ActivityError as error:
                failures.append(error)
        return failures

    async def __aenter__(self) -> Saga:
        require("continuum.saga()")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A run that is put away (GeneratorExit) or cannot go on (Control) has not failed.
        if error is None or isinstance(error, (Control, GeneratorExit)):
            return
        for failure in await self._run("sequential", call_site(0)):
            error.add_note(f"compensation failed: {failure}")


def _undo(entry: Deferred[Any], site: Site) -> Coroutine[Any, Any, Any]:
    return entry.activity.perform(
        require("a compensation"),
        site,
        entry.args,
        entry.kwargs,
        entry.options,
        EventType.COMPENSATION_SCHEDULED,
    )


def saga() -> Saga:
    """Return a block that compensates, last first, when it is left by an exception or a cancellation."""
    return Saga()
