"""Compensation: undo what was done, last first, when a block fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Literal, ParamSpec, TypeVar

from continuum.activity import Activity, Deferred
from continuum.effects import require
from continuum.engine.call_site import Site, user_site
from continuum.engine.control import Control
from continuum.engine.events import EventType
from continuum.errors import InvalidDefinition

P = ParamSpec("P")
Cause = TypeVar("Cause", bound=BaseException)


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
        failures, cancelled = await self._run(mode)
        if cancelled is not None:
            raise _noted(cancelled, failures)
        if failures:
            raise ExceptionGroup("compensations failed", failures)

    async def _run(self, mode: str) -> tuple[list[Exception], asyncio.CancelledError | None]:
        """Run what was noted to its end, and return what failed and the cancellation that came meanwhile.

        In a task of its own: a run that is cancelled while it undoes its work undoes it all the same.
        """
        if not self._stack:
            return [], None
        stack, self._stack = self._stack[::-1], []
        undoing = asyncio.get_running_loop().create_task(_undo_all(stack, mode, user_site()))
        cancelled: asyncio.CancelledError | None = None
        while not undoing.done():
            try:
                await asyncio.wait([undoing])
            except asyncio.CancelledError as error:
                cancelled = error
        return undoing.result(), cancelled

    async def __aenter__(self) -> Saga:
        require("continuum.saga()")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A run that is put away (GeneratorExit) or cannot go on (Control) has not failed.
        if error is None or isinstance(error, (Control, GeneratorExit)):
            return
        failures, cancelled = await self._run("sequential")
        _noted(error, failures)
        if cancelled is not None:
            raise _noted(cancelled, failures)


async def _undo_all(stack: list[Deferred[Any]], mode: str, site: Site) -> list[Exception]:
    if mode == "parallel":
        answers = await asyncio.gather(*(_undo(entry, site) for entry in stack), return_exceptions=True)
        return [answer for answer in answers if isinstance(answer, Exception)]
    failures: list[Exception] = []
    for entry in stack:
        try:
            await _undo(entry, site)
        except Exception as error:  # noqa: BLE001 - every one is tried, then all are told
            failures.append(error)
    return failures


def _undo(entry: Deferred[Any], site: Site) -> Coroutine[Any, Any, Any]:
    return entry.activity.perform(
        require("a compensation"),
        site,
        entry.args,
        entry.kwargs,
        entry.options,
        EventType.COMPENSATION_SCHEDULED,
    )


def _noted(error: Cause, failures: list[Exception]) -> Cause:
    for failure in failures:
        error.add_note(f"compensation failed: {failure}")
    return error


def saga() -> Saga:
    """Return a block that compensates, last first, when it is left by an exception or a cancellation."""
    return Saga()
